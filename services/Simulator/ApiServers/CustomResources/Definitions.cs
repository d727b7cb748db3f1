using System.Text.Json.Nodes;
using Cloud.Simulator.ApiServers.Objects;
using Cloud.Simulator.ApiServers.ResourceTypes;
using Cloud.Simulator.ApiServers.Tables;

namespace Cloud.Simulator.ApiServers.CustomResources;

/// <summary>What a CustomResourceDefinition makes the server serve, and its conditions.</summary>
public static class Definitions
{
    /// <summary>Resource name of CustomResourceDefinitions.</summary>
    public const string Resource = "customresourcedefinitions.apiextensions.k8s.io";

    /// <summary>Holds a definition until its objects are gone.</summary>
    public const string CleanupFinalizer = "customresourcecleanup.apiextensions.k8s.io";

    private static readonly (string Field, string Reason)[] NameConflicts =
    [
        ("plural", "PluralConflict"), ("singular", "SingularConflict"),
        ("kind", "KindConflict"), ("listKind", "ListKindConflict"),
    ];

    /// <summary>One served resource per served version, the most stable version first.</summary>
    public static IReadOnlyList<ResourceType> TypesOf(JsonObject definition)
    {
        var versions = Versions(definition).ToList();
        var storage = versions.FirstOrDefault(v => v.Flag("storage")).Text("name") ?? "";
        return [.. versions.Where(v => v.Flag("served"))
            .OrderByDescending(v => v.Text("name")!, VersionOrder.Instance)
            .Select(v => TypeOf(definition, v, storage))];
    }

    /// <summary>The versions of a definition.</summary>
    public static IEnumerable<JsonObject> Versions(JsonObject definition) =>
        (definition.ListAt("spec", "versions") ?? []).OfType<JsonObject>();

    /// <summary>
    /// The definition's status once its names are looked at: accepted and established, or which name is taken.
    /// </summary>
    public static void Establish(JsonObject definition, IEnumerable<JsonObject> others, string now)
    {
        var status = definition.Ensure("status");
        var taken = TakenName(definition, others);
        var stored = Versions(definition).Where(v => v.Flag("storage")).Select(v => v.Text("name")!);
        var known = (status.ListAt("storedVersions") ?? []).Select(v => v!.GetValue<string>());
        status["storedVersions"] = new JsonArray([.. known.Union(stored).Select(v => (JsonNode)v)]);
        status["acceptedNames"] = taken is null
            ? definition.At("spec", "names")!.DeepClone()
            : status["acceptedNames"]?.DeepClone() ?? new JsonObject { ["kind"] = "", ["plural"] = "" };
        var accepted = taken is null
            ? ("True", "NoConflicts", "no conflicts found")
            : ("False", taken.Value.Reason, taken.Value.Message);
        SetCondition(status, "NamesAccepted", accepted, now);
        if (taken is null)
            SetCondition(status, "Established",
                ("True", "InitialNamesAccepted", "the initial names have been accepted"), now);
        else if (!IsEstablished(definition))
            SetCondition(status, "Established", ("False", "NotAccepted", "not all names are accepted"), now);
    }

    /// <summary>Marks a definition as waiting for the end of its objects.</summary>
    public static void MarkTerminating(JsonObject definition, string now) => SetCondition(definition.Ensure("status"),
        "Terminating", ("True", "InstanceDeletionPending",
            "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon"), now);

    public static bool IsEstablished(JsonObject definition) =>
        (definition.ListAt("status", "conditions") ?? [])
            .Any(c => c.Text("type") == "Established" && c.Text("status") == "True");

    private static (string Reason, string Message)? TakenName(JsonObject definition, IEnumerable<JsonObject> others)
    {
        foreach (var other in others)
        {
            if (other.Text("spec", "group") != definition.Text("spec", "group") || !IsEstablished(other)) continue;
            if (other.NameOf() == definition.NameOf()) continue;
            foreach (var (field, reason) in NameConflicts)
            {
                var name = definition.Text("spec", "names", field);
                if (name is not null && name == other.Text("spec", "names", field))
                    return (reason, $"\"{name}\" is already in use");
            }
        }
        return null;
    }

    private static void SetCondition(JsonObject status, string type, (string Status, string Reason, string Message) to,
        string now)
    {
        var conditions = status["conditions"] as JsonArray ?? [];
        status["conditions"] = conditions;
        var present = conditions.OfType<JsonObject>().FirstOrDefault(c => c.Text("type") == type);
        if (present is null) conditions.Add(present = new JsonObject { ["type"] = type, ["lastTransitionTime"] = now });
        else if (present.Text("status") != to.Status) present["lastTransitionTime"] = now;
        (present["status"], present["reason"], present["message"]) = (to.Status, to.Reason, to.Message);
    }

    private static ResourceType TypeOf(JsonObject definition, JsonObject version, string storage)
    {
        var names = definition.At("spec", "names");
        var scale = version.ObjectAt("subresources", "scale");
        return new ResourceType
        {
            Group = definition.Text("spec", "group") ?? "",
            Version = version.Text("name") ?? "",
            Plural = names.Text("plural") ?? "",
            Singular = names.Text("singular") ?? "",
            Kind = names.Text("kind") ?? "",
            ListKind = names.Text("listKind") ?? "",
            ShortNames = Strings(names.ListAt("shortNames")),
            Categories = Strings(names.ListAt("categories")),
            Namespaced = definition.Text("spec", "scope") == "Namespaced",
            HasGeneration = true,
            HasStatus = version.At("subresources", "status") is not null,
            Scale = scale is null ? null : new ScalePaths(Path(scale, "specReplicasPath")!,
                Path(scale, "statusReplicasPath")!, Path(scale, "labelSelectorPath")),
            Schema = CustomSchemas.Root(version.ObjectAt("schema", "openAPIV3Schema")),
            Custom = new CustomResource(definition.NameOf(), version.Flag("storage"), storage),
            Columns = Columns(version.ListAt("additionalPrinterColumns")),
            FieldSelectors = (version.ListAt("selectableFields") ?? []).Select(f => f.Text("jsonPath")!.TrimStart('.'))
                .ToDictionary(f => f, f => f.Split('.')),
        };
    }

    private static TableColumns? Columns(JsonArray? declared)
    {
        if (declared is null) return null;
        return new TableColumns([Tables.Columns.Name, .. declared.OfType<JsonObject>().Select(Column)]);
    }

    private static TableColumn Column(JsonObject declared)
    {
        var (path, type) = (declared.Text("jsonPath") ?? "", declared.Text("type") ?? "string");
        return new TableColumn(declared.Text("name") ?? "", type, (obj, now) =>
        {
            var found = JsonPath.Find(obj, path);
            if (found.Count == 0 || found[0] is null) return null;
            if (type == "date") return Ages.Since(found[0]!.ToString(), now);
            if (type is "integer" or "number" or "boolean" || found[0] is JsonObject or JsonArray)
                return found[0]!.DeepClone();
            return string.Join(',', found.Select(f => f?.ToString()));
        })
        {
            Format = declared.Text("format") ?? "",
            Description = declared.Text("description") ?? "",
            Priority = (int)(declared.Number("priority") ?? 0),
        };
    }

    private static string[]? Path(JsonObject scale, string name) => scale.Text(name)?.TrimStart('.').Split('.');

    private static IReadOnlyList<string> Strings(JsonArray? list) =>
        [.. (list ?? []).Select(s => s!.GetValue<string>())];
}
