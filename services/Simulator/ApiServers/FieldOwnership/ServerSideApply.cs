using System.Text.Json.Nodes;
using Cloud.Simulator.ApiServers.Objects;
using Cloud.Simulator.ApiServers.Schemas;

namespace Cloud.Simulator.ApiServers.FieldOwnership;

/// <summary>
/// Server-side apply: merges what an applier states into an object, removes what it no longer states and nobody else
/// owns, and refuses to change what others own unless it is forced.
/// </summary>
public static class ServerSideApply
{
    /// <summary>
    /// The object after the apply, with its new owners. 409 with every conflict when others own changed fields.
    /// </summary>
    /// <param name="live">The object as it is; null creates it.</param>
    /// <param name="config">What the applier states, without status or managedFields it may not set.</param>
    /// <param name="applier">Who applies; its fields are filled in here.</param>
    public static JsonObject Apply(
        JsonObject? live, JsonObject config, Schema schema, IReadOnlyList<Owner> owners, Owner applier, bool force)
    {
        var stated = Ownership.Strip(FieldComparison.Stated(config, schema));
        if (live is null)
        {
            var created = (JsonObject)config.DeepClone();
            Owner.Write(created, [applier with { Fields = stated }]);
            return created;
        }
        var merged = (JsonObject)Merge(live, config, schema)!;
        var others = owners.Where(o => !o.IsSameAs(applier)).ToList();
        if (owners.FirstOrDefault(o => o.IsSameAs(applier)) is { } former)
        {
            var owned = others.Aggregate(stated, (all, o) => all.Union(o.Fields));
            Prune(merged, schema, former.Fields, owned);
        }
        var comparison = FieldComparison.Of(live, merged, schema);
        var changed = Ownership.Strip(comparison.Added.Union(comparison.Modified));
        var removed = Ownership.Strip(comparison.Removed);
        var conflicts = others.Select(o => (Owner: o, Fields: o.Fields.Intersection(changed)))
            .Where(c => !c.Fields.IsEmpty).ToList();
        if (conflicts.Count > 0 && !force) throw Refuse(conflicts);
        var next = others.Select(o => o with { Fields = o.Fields.Difference(changed).Without(removed) }).ToList();
        next.Add(applier with { Fields = stated });
        Owner.Write(merged, next);
        return merged;
    }

    /// <summary>What an applier states, laid over what is there.</summary>
    public static JsonNode? Merge(JsonNode? live, JsonNode? config, Schema? schema)
    {
        if (schema is not { IsGranular: true }) return config?.DeepClone();
        if (live is JsonObject liveObject && config is JsonObject configObject)
        {
            var result = (JsonObject)liveObject.DeepClone();
            foreach (var (name, value) in configObject)
                result[name] = Merge(liveObject.At(name), value, schema.Child(name));
            return result;
        }
        if (live is JsonArray liveList && config is JsonArray configList
            && Elements.Of(liveList, schema) is { } had && Elements.Of(configList, schema) is { } has)
        {
            return MergeLists(had, has, schema);
        }
        return config?.DeepClone();
    }

    // What only the live list has stays where it was; what both have follows the applier's order; its own come last.
    private static JsonArray MergeLists(
        List<KeyValuePair<string, JsonNode?>> live, List<KeyValuePair<string, JsonNode?>> config, Schema schema)
    {
        var had = live.Select(l => l.Key).ToHashSet(StringComparer.Ordinal);
        var stated = config.Select(c => c.Key).ToHashSet(StringComparer.Ordinal);
        var shared = new Queue<string>(config.Select(c => c.Key).Where(had.Contains));
        var merged = new HashSet<string>(StringComparer.Ordinal);
        var result = new JsonArray();
        for (int l = 0, c = 0; l < live.Count || c < config.Count;)
        {
            if (l < live.Count && !stated.Contains(live[l].Key)) result.Add(live[l++].Value?.DeepClone());
            else if (l < live.Count && c < config.Count && live[l].Key != config[c].Key
                && shared.TryPeek(out var awaited) && awaited != live[l].Key) l++;
            else if (l < live.Count && merged.Contains(live[l].Key)) l++;
            else
            {
                var (element, item) = config[c++];
                if (shared.TryPeek(out var first) && first == element) shared.Dequeue();
                merged.Add(element);
                var at = live.FindIndex(o => o.Key == element);
                result.Add(at < 0 ? item?.DeepClone() : Merge(live[at].Value, item, schema.Items));
            }
        }
        return result;
    }

    /// <summary>
    /// Removes what the applier stated before and nobody states now, with whatever nobody owns below it (defaults).
    /// </summary>
    private static void Prune(JsonNode value, Schema schema, FieldSet former, FieldSet owned)
    {
        foreach (var (element, below) in former.Children)
        {
            if (owned.Find(element) is not { } kept)
            {
                RemoveElement(value, schema, element);
                continue;
            }
            var (child, childSchema) = Find(value, schema, element);
            if (child is not null && childSchema is not null) Prune(child, childSchema, below, kept);
        }
    }

    private static (JsonNode? Value, Schema? Schema) Find(JsonNode value, Schema schema, string element) => value switch
    {
        JsonObject obj => (obj.At(element[2..]), schema.Child(element[2..])),
        JsonArray list => (list.FirstOrDefault(i => Elements.NameOf(i, schema) == element), schema.Items),
        _ => (null, null),
    };

    private static void RemoveElement(JsonNode value, Schema schema, string element)
    {
        if (value is JsonObject obj) obj.Remove(element[2..]);
        else if (value is JsonArray list)
        {
            var at = list.ToList().FindIndex(i => Elements.NameOf(i, schema) == element);
            if (at >= 0) list.RemoveAt(at);
        }
    }

    private static ApiException Refuse(List<(Owner Owner, FieldSet Fields)> conflicts)
    {
        var all = conflicts.SelectMany(c => c.Fields.Paths().Select(p => (Owner: c.Owner.ToString(), Path: p)))
            .ToList();
        var message = all.Count == 1
            ? $"Apply failed with 1 conflict: conflict with {all[0].Owner}: {all[0].Path}"
            : $"Apply failed with {all.Count} conflicts: " + string.Join('\n', all.GroupBy(c => c.Owner)
                .OrderBy(g => g.Key, StringComparer.Ordinal)
                .SelectMany(g => g.Select(c => $"- {c.Path}").Prepend($"conflicts with {g.Key}:")));
        return new ApiException(409, "Conflict", message)
        {
            Details = new JsonObject
            {
                ["causes"] = new JsonArray([.. all.Select(c => (JsonNode)new JsonObject
                {
                    ["reason"] = "FieldManagerConflict", ["message"] = $"conflict with {c.Owner}", ["field"] = c.Path,
                })]),
            },
        };
    }
}
