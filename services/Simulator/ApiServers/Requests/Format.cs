using Microsoft.Net.Http.Headers;

namespace Cloud.Simulator.ApiServers.Requests;

/// <summary>The shape in which a client wants its answer.</summary>
public enum Form
{
    Object,
    Table,
    PartialMetadata,
    Yaml,
}

/// <summary>
/// Chooses the form of an answer from the Accept header, as Kubernetes' media type parameters say it.
/// </summary>
public static class Format
{
    private const string Json = "application/json";
    private const string Yaml = "application/yaml";

    /// <summary>
    /// The first form accepted that can be given; JSON objects when nothing is said. 406 when none can.
    /// </summary>
    public static Form Choose(HttpRequest request)
    {
        var header = request.Headers.Accept;
        if (header.Count == 0 || !MediaTypeHeaderValue.TryParseList(header, out var accepted)) return Form.Object;
        foreach (var type in accepted.OrderByDescending(a => a.Quality ?? 1))
        {
            if (FormOf(type) is { } form) return form;
        }
        throw ApiErrors.NotAcceptable($"{Json}, {Yaml}");
    }

    private static Form? FormOf(MediaTypeHeaderValue type)
    {
        var name = type.MediaType.Value ?? "";
        if (name == Yaml) return Form.Yaml;
        if (name is not (Json or "*/*" or "application/*")) return null;
        return type.Parameters.FirstOrDefault(p => p.Name.Equals("as", StringComparison.Ordinal))?.Value.Value switch
        {
            null => Form.Object,
            "Table" => Form.Table,
            "PartialObjectMetadata" or "PartialObjectMetadataList" => Form.PartialMetadata,
            _ => null,
        };
    }
}
