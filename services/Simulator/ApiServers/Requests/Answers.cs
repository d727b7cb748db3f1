using System.Buffers;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Cloud.Simulator.ApiServers.Objects;
using Cloud.Simulator.ApiServers.ResourceTypes;

namespace Cloud.Simulator.ApiServers.Requests;

/// <summary>Writes answers.</summary>
public static class Answers
{
    private const string Json = "application/json";

    /// <summary>A JSON value, or its YAML.</summary>
    public static async Task WriteAsync(
        HttpContext http, JsonNode json, int code, Form form, CancellationToken ct, string contentType = Json)
    {
        http.Response.StatusCode = code;
        if (form is Form.Yaml)
        {
            http.Response.ContentType = "application/yaml";
            await http.Response.WriteAsync(Yaml.Write(json), ct);
            return;
        }
        http.Response.ContentType = contentType;
        var bytes = JsonSerializer.SerializeToUtf8Bytes(json, KubernetesJson.Options);
        http.Response.ContentLength = bytes.Length;
        await http.Response.Body.WriteAsync(bytes, ct);
    }

    /// <summary>Begins an answer whose JSON is written piece by piece.</summary>
    public static IBufferWriter<byte> Begin(HttpContext http)
    {
        http.Response.StatusCode = StatusCodes.Status200OK;
        http.Response.ContentType = Json;
        return http.Response.BodyWriter;
    }

    /// <summary>An object with its apiVersion and kind, by copying bytes.</summary>
    public static void WriteObject(IBufferWriter<byte> to, ReadOnlySpan<byte> head, StoredObject obj)
    {
        to.Write(head);
        to.Write(obj.Body.Span);
    }

    /// <summary>The opening of an object of a kind up to where <see cref="StoredObject.Body"/> goes on.</summary>
    public static byte[] HeadOf(ResourceType type) =>
        Encoding.UTF8.GetBytes($"{{\"kind\":\"{type.Kind}\",\"apiVersion\":\"{type.ApiVersion}\",");

    /// <summary>The Status of a refusal.</summary>
    public static JsonObject StatusOf(ApiException refusal)
    {
        var status = new JsonObject
        {
            ["kind"] = "Status",
            ["apiVersion"] = "v1",
            ["metadata"] = refusal.ListMetadata?.DeepClone() ?? new JsonObject(),
            ["status"] = "Failure",
            ["message"] = refusal.Message,
        };
        if (refusal.Reason.Length > 0) status["reason"] = refusal.Reason;
        if (refusal.Details is not null) status["details"] = refusal.Details.DeepClone();
        status["code"] = refusal.Code;
        return status;
    }

    /// <summary>The Status of a deletion that is done.</summary>
    public static JsonObject Deleted(ResourceType type, StoredObject last)
    {
        var details = ApiErrors.Details(last.Name, type.Group, type.Plural);
        details["uid"] = last.Uid;
        return new JsonObject
        {
            ["kind"] = "Status", ["apiVersion"] = "v1", ["metadata"] = new JsonObject(),
            ["status"] = "Success", ["details"] = details,
        };
    }

    /// <summary>Tells a client what it should know although its request went through.</summary>
    public static void Warn(HttpContext http, IEnumerable<string> warnings)
    {
        foreach (var warning in warnings.Distinct())
        {
            var quoted = warning.Replace("\\", "\\\\", StringComparison.Ordinal)
                .Replace("\"", "\\\"", StringComparison.Ordinal);
            http.Response.Headers.Append("Warning", $"299 - \"{quoted}\"");
        }
    }
}
