using System.Text.Encodings.Web;
using System.Text.Json;

namespace Cloud.Simulator.ApiServers.Objects;

/// <summary>How this server writes JSON: plain characters as Go does, no indentation.</summary>
public static class KubernetesJson
{
    public static readonly JsonSerializerOptions Options = new()
    {
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    public static readonly JsonWriterOptions WriterOptions = new()
    {
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        SkipValidation = true,
    };
}
