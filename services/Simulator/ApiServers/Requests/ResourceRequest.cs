using System.Globalization;
using Cloud.Simulator.ApiServers.ResourceTypes;
using Cloud.Simulator.ApiServers.Selectors;
using Cloud.Simulator.ApiServers.Validation;
using Cloud.Simulator.ApiServers.Writes;

namespace Cloud.Simulator.ApiServers.Requests;

/// <summary>One request about a resource: whose, what, and its query.</summary>
public sealed record ResourceRequest(ApiServer Server, HttpContext Http, RequestTarget Target, ResourceType Type)
{
    private const int LongestManager = 128;

    public HttpRequest Request => Http.Request;

    public CancellationToken Aborted => Http.RequestAborted;

    public string? Namespace => Type.Namespaced ? Target.Namespace : null;

    public string Name => Target.Name ?? throw ApiErrors.MethodNotAllowed();

    public DateTimeOffset Now => Server.Clock.GetUtcNow();

    /// <summary>A query parameter; empty when it is not there.</summary>
    public string Query(string name) => Request.Query[name].ToString();

    public bool Flag(string name) => Query(name) is { Length: > 0 } text
        && text is not ("false" or "0" or "False" or "f" or "F" or "FALSE");

    /// <summary>A whole number in the query; null when it is not there. 400 when it is none.</summary>
    public long? Number(string name)
    {
        var text = Query(name);
        if (text.Length == 0) return null;
        return long.TryParse(text, CultureInfo.InvariantCulture, out var number) ? number : throw ApiErrors.BadRequest(
            $"strconv.ParseInt: parsing \"{text}\": invalid syntax");
    }

    public bool IsDryRun => Request.Query["dryRun"] switch
    {
        [] => false,
        [var all] when all == "All" => true,
        var other => throw Invalid("dryRun", other.ToString(), ["All"]),
    };

    /// <summary>Which objects a list, watch or collection deletion is about.</summary>
    public Selection Selection()
    {
        var fields = FieldSelector.Parse(Query("fieldSelector"), Type);
        var ns = Namespace;
        if (ns is null && Type.Namespaced) ns = fields?.Namespace;
        if (Target.Name is { } name) fields = FieldSelector.ForName(name);
        return new Selection(ns, LabelSelector.Parse(Query("labelSelector")), fields);
    }

    /// <summary>How the caller wants this written.</summary>
    public WriteOptions WriteOptions(string subresource = "") => new(Manager())
    {
        DryRun = IsDryRun,
        Subresource = subresource,
        Fields = Query("fieldValidation") switch
        {
            "" or "Warn" => FieldHandling.Warn,
            "Strict" => FieldHandling.Strict,
            "Ignore" => FieldHandling.Ignore,
            var other => throw Invalid("fieldValidation", other, ["Ignore", "Strict", "Warn"]),
        },
    };

    private string Manager()
    {
        var named = Query("fieldManager");
        if (named.Length > LongestManager)
        {
            throw ApiErrors.Invalid($"{OptionsKind}.meta.k8s.io", "meta.k8s.io", OptionsKind, "",
                [FieldError.TooLong("fieldManager", LongestManager)]);
        }
        if (named.Length > 0) return named;
        var agent = Request.Headers.UserAgent.ToString();
        var slash = agent.IndexOf('/', StringComparison.Ordinal);
        return slash > 0 ? agent[..slash] : agent.Length > 0 ? agent : "unknown";
    }

    private string OptionsKind => HttpMethods.IsPost(Request.Method) ? "CreateOptions"
        : HttpMethods.IsPut(Request.Method) ? "UpdateOptions" : "PatchOptions";

    private ApiException Invalid(string field, string value, IReadOnlyList<string> supported) => ApiErrors.Invalid(
        $"{OptionsKind}.meta.k8s.io", "meta.k8s.io", OptionsKind, "",
            [FieldError.NotSupported(field, value, supported)]);
}
