using System.Text.Json.Nodes;

namespace Cloud.Simulator.ApiServers.Schemas;

/// <summary>What a value may be.</summary>
public enum SchemaKind
{
    Any,
    Object,
    Map,
    List,
    Text,
    Integer,
    Number,
    Boolean,
    IntOrString,
    Quantity,
    Bytes,
    Time,
}

/// <summary>How the elements of a list are told apart when several appliers share it.</summary>
public enum ListKind
{
    Atomic,
    Set,
    Map,
}

/// <summary>
/// The shape of one field, of a built-in kind or of a custom resource: what patching, field ownership, defaulting,
/// pruning and strict validation need to know about it.
/// </summary>
public sealed class Schema
{
    private static readonly IReadOnlyDictionary<string, Schema> NoProperties = new Dictionary<string, Schema>();
    private readonly Lazy<IReadOnlyDictionary<string, Schema>>? _properties;
    private bool _isUndeclared;

    public Schema(SchemaKind kind, Func<IReadOnlyDictionary<string, Schema>>? properties = null)
    {
        Kind = kind;
        if (properties is not null) _properties = new Lazy<IReadOnlyDictionary<string, Schema>>(properties);
    }

    /// <summary>Anything at all; owned as a whole.</summary>
    public static Schema Anything { get; } = new(SchemaKind.Any) { PreserveUnknown = true };

    /// <summary>
    /// Anything at all, of which objects are owned field by field: the unknown parts of a custom resource.
    /// </summary>
    public static Schema Undeclared { get; } = new(SchemaKind.Any) { PreserveUnknown = true, _isUndeclared = true };

    public SchemaKind Kind { get; }

    /// <summary>Declared fields of an object.</summary>
    public IReadOnlyDictionary<string, Schema> Properties => _properties?.Value ?? NoProperties;

    /// <summary>The elements of a list or the values of a map.</summary>
    public Schema? Items { get; init; }

    public ListKind ListKind { get; init; }

    /// <summary>Fields that identify an element of a <see cref="Schemas.ListKind.Map"/> list.</summary>
    public IReadOnlyList<string> MapKeys { get; init; } = [];

    /// <summary>The value of a map key that an element may leave out, such as protocol TCP.</summary>
    public IReadOnlyDictionary<string, string> KeyDefaults { get; init; } = new Dictionary<string, string>();

    /// <summary>An object or map that appliers own as a whole.</summary>
    public bool AtomicMap { get; init; }

    /// <summary>Fields that are not declared are kept.</summary>
    public bool PreserveUnknown { get; init; }

    /// <summary>An object with its own apiVersion, kind and metadata.</summary>
    public bool EmbeddedResource { get; init; }

    public bool Nullable { get; init; }

    /// <summary>Element field that a strategic merge patch matches list elements by.</summary>
    public string? PatchMergeKey { get; init; }

    /// <summary>A list of plain values that a strategic merge patch adds to instead of replacing.</summary>
    public bool PatchMerges { get; init; }

    /// <summary>Value put where the field is missing (custom resources).</summary>
    public JsonNode? Default { get; init; }

    /// <summary>Name of the API's type (built-in kinds), as its decoding errors say it.</summary>
    public string TypeName { get; init; } = "";

    /// <summary>The OpenAPI node this was read from (custom resources); null for built-in kinds.</summary>
    public JsonObject? Source { get; init; }

    /// <summary>The schema of a named part: a declared field, a map's value, or nothing known.</summary>
    public Schema? Child(string name)
    {
        if (Properties.TryGetValue(name, out var child)) return child;
        if (Items is not null && Kind is SchemaKind.Map) return Items;
        return _isUndeclared || (Source is not null && PreserveUnknown) ? Undeclared : null;
    }

    /// <summary>True when appliers own parts of this value separately.</summary>
    public bool IsGranular => Kind switch
    {
        SchemaKind.Object or SchemaKind.Map => !AtomicMap,
        SchemaKind.List => ListKind != ListKind.Atomic,
        SchemaKind.Any => _isUndeclared,
        _ => false,
    };
}
