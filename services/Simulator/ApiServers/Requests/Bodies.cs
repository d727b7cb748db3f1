using System.Text.Json;
using System.Text.Json.Nodes;
using Cloud.Simulator.ApiServers.Protobuf;

namespace Cloud.Simulator.ApiServers.Requests;

/// <summary>Reads what clients send, JSON or YAML.</summary>
public static class Bodies
{
    /// <summary>Bytes that a request may have, as on a real server.</summary>
    private const long MaxBytes = 3 * 1024 * 1024;

    private static readonly JsonDocumentOptions Strict = new() { AllowDuplicateProperties = false, MaxDepth = 512 };

    /// <summary>The content type without its parameters.</summary>
    public static string ContentType(HttpRequest request) => (request.ContentType ?? "").Split(';')[0].Trim();

    /// <summary>
    /// The object in the body. 400 when it is none, 415 when it is in a format this server does not read.
    /// </summary>
    public static async Task<JsonObject> ReadObjectAsync(HttpRequest request, CancellationToken ct)
    {
        var type = ContentType(request);
        if (type is not ("" or "application/json" or "application/yaml" or ProtobufReader.ContentType or "*/*"))
            throw ApiErrors.UnsupportedMediaType(type,
                $"application/json, application/yaml, {ProtobufReader.ContentType}");
        return await ReadAsync(request, ct) as JsonObject
            ?? throw ApiErrors.BadRequest("the object provided is unrecognized (must be of type object)");
    }

    /// <summary>The body, whatever it is; null when it is empty.</summary>
    public static async Task<JsonNode?> ReadAsync(HttpRequest request, CancellationToken ct)
    {
        using var buffer = new MemoryStream();
        await request.Body.CopyToAsync(buffer, ct);
        if (buffer.Length > MaxBytes)
            throw new ApiException(413, "RequestEntityTooLarge", $"Request entity too large: limit is {MaxBytes}");
        if (buffer.Length == 0) return null;
        var bytes = buffer.GetBuffer().AsMemory(0, (int)buffer.Length);
        try
        {
            if (ContentType(request) == ProtobufReader.ContentType) return ProtobufReader.Read(bytes.Span);
            if (IsYaml(request, bytes.Span)) return Yaml.Parse(System.Text.Encoding.UTF8.GetString(bytes.Span));
            return JsonNode.Parse(bytes.Span, documentOptions: Strict);
        }
        catch (JsonException wrong)
        {
            throw ApiErrors.BadRequest($"error decoding the body of the request: {wrong.Message}");
        }
    }

    // An apply is declared as YAML and mostly sent as JSON, which the JSON reader takes many times faster.
    private static bool IsYaml(HttpRequest request, ReadOnlySpan<byte> bytes) =>
        ContentType(request).EndsWith("yaml", StringComparison.Ordinal)
            && bytes.TrimStart(" \r\n\t"u8) is not [(byte)'{', ..];
}
