using Cloud.Simulator.ApiServers.Schemas;
using Cloud.Simulator.ApiServers.Tables;

namespace Cloud.Simulator.ApiServers.ResourceTypes;

/// <summary>One served resource of one API version: a row of the table of built-in kinds, or made from a CRD.</summary>
public sealed record ResourceType
{
    /// <summary>API group; empty for the legacy one.</summary>
    public required string Group { get; init; }

    public required string Version { get; init; }

    public required string Plural { get; init; }

    public required string Singular { get; init; }

    public required string Kind { get; init; }

    public string ListKind { get; init; } = "";

    public IReadOnlyList<string> ShortNames { get; init; } = [];

    public IReadOnlyList<string> Categories { get; init; } = [];

    public bool Namespaced { get; init; } = true;

    /// <summary>
    /// Has a status subresource, so that status is ignored on the main endpoint and everything else on it.
    /// </summary>
    public bool HasStatus { get; init; }

    /// <summary>Counts changes of the spec in metadata.generation.</summary>
    public bool HasGeneration { get; init; }

    /// <summary>Where the scale subresource finds its numbers; null without one.</summary>
    public ScalePaths? Scale { get; init; }

    /// <summary>Other subresources that clients may look for in discovery.</summary>
    public IReadOnlyList<string> Subresources { get; init; } = [];

    /// <summary>PUT of a name that does not exist creates it.</summary>
    public bool CreateOnUpdate { get; init; }

    /// <summary>Deleting answers with the deleted object instead of a Status.</summary>
    public bool AnswersDeletedObject { get; init; }

    /// <summary>Only POST works and nothing is stored (access reviews).</summary>
    public bool IsReview { get; init; }

    public required Schema Schema { get; init; }

    /// <summary>Set for custom resources: what their definition says beyond names and schema.</summary>
    public CustomResource? Custom { get; init; }

    /// <summary>Columns of <c>kubectl get</c>; null prints name and age.</summary>
    public TableColumns? Columns { get; init; }

    /// <summary>Field selectors beyond metadata.name and metadata.namespace: label to path.</summary>
    public IReadOnlyDictionary<string, string[]> FieldSelectors { get; init; } = new Dictionary<string, string[]>();

    /// <summary>
    /// Key of the objects in storage when it is not <see cref="Resource"/> (a kind served by two groups).
    /// </summary>
    public string? StoredAs { get; init; }

    /// <summary>How names must look.</summary>
    public NameRule Names { get; init; } = NameRule.Subdomain;

    /// <summary>"plural" or "plural.group".</summary>
    public string Resource => Group.Length == 0 ? Plural : $"{Plural}.{Group}";

    /// <summary>Key of the objects in storage.</summary>
    public string StorageKey => StoredAs ?? Resource;

    /// <summary>"v1" or "group/version".</summary>
    public string ApiVersion => Group.Length == 0 ? Version : $"{Group}/{Version}";

    /// <summary>"Kind" or "Kind.group", as error messages say it.</summary>
    public string QualifiedKind => Group.Length == 0 ? Kind : $"{Kind}.{Group}";

    public string EffectiveListKind => ListKind.Length > 0 ? ListKind : Kind + "List";
}

/// <summary>JSON paths (without the leading dot) of the scale subresource.</summary>
public sealed record ScalePaths(string[] SpecReplicas, string[] StatusReplicas, string[]? Selector);

/// <summary>What a CustomResourceDefinition says about one of its versions.</summary>
public sealed record CustomResource(string DefinitionName, bool Storage, string StorageVersion);

/// <summary>Which names a kind takes.</summary>
public enum NameRule
{
    /// <summary>DNS-1123 subdomain, at most 253 characters.</summary>
    Subdomain,

    /// <summary>DNS-1123 label, at most 63 characters.</summary>
    Label,

    /// <summary>DNS-1035 label: begins with a letter, at most 63 characters.</summary>
    LetterLabel,

    /// <summary>Any path segment (roles).</summary>
    PathSegment,
}
