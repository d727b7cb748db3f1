using System.Text.Json.Nodes;
using Cloud.Simulator.ApiServers.Objects;
using Cloud.Simulator.ApiServers.Schemas;

namespace Cloud.Simulator.ApiServers.Patching;

/// <summary>
/// Strategic merge patch: like a merge patch, but lists whose elements have a key are merged by it, with the directives
/// <c>$patch</c> (replace, delete, merge), <c>$deleteFromPrimitiveList</c>, <c>$setElementOrder</c> and
/// <c>$retainKeys</c>.
/// </summary>
public static class StrategicMerge
{
    private const string Directive = "$patch";
    private const string RetainKeys = "$retainKeys";
    private const string DeletePrefix = "$deleteFromPrimitiveList/";
    private const string OrderPrefix = "$setElementOrder/";

    /// <summary>
    /// A new object: the target with the patch laid over it. 400 for a directive that cannot be followed.
    /// </summary>
    public static JsonObject Apply(JsonObject target, JsonObject patch, Schema schema) =>
        Merge(target, patch, schema) ?? [];

    private static JsonObject? Merge(JsonObject? target, JsonObject patch, Schema? schema)
    {
        switch (patch.Text(Directive))
        {
            case "replace":
                return WithoutDirectives(patch);
            case "delete":
                return null;
            case null or "merge":
                break;
            default:
                throw ApiErrors.BadRequest($"Unknown patch type: {patch.Text(Directive)}");
        }
        var result = target is null ? [] : (JsonObject)target.DeepClone();
        if (patch.ListAt(RetainKeys) is { } retained)
        {
            var keep = retained.Select(k => k?.GetValue<string>()).ToHashSet();
            foreach (var (name, _) in result.ToList())
            {
                if (!keep.Contains(name)) result.Remove(name);
            }
        }
        DeletePrimitives(result, patch);
        foreach (var (name, value) in patch)
        {
            if (name.StartsWith('$')) continue;
            if (value is null) result.Remove(name);
            else MergeField(result, name, value, schema?.Child(name));
        }
        Reorder(result, patch, schema);
        return result;
    }

    private static void MergeField(JsonObject result, string name, JsonNode value, Schema? schema)
    {
        if (value is JsonObject changes)
        {
            var merged = Merge(result[name] as JsonObject, changes, schema);
            if (merged is null) result.Remove(name);
            else result[name] = merged;
        }
        else if (value is JsonArray list && schema is { PatchMergeKey: { } key })
            result[name] = MergeByKey(result[name] as JsonArray ?? [], list, key, schema.Items);
        else if (value is JsonArray values && schema is { PatchMerges: true })
            result[name] = AddMissing(result[name] as JsonArray ?? [], values);
        else
            result[name] = value.DeepClone();
    }

    private static JsonArray MergeByKey(JsonArray target, JsonArray patch, string key, Schema? items)
    {
        var result = new JsonArray([.. target.Select(i => i?.DeepClone())]);
        if (patch.Any(p => p.Text(Directive) == "replace" && p.At(key) is null)) result.Clear();
        foreach (var item in patch)
        {
            if (item is not JsonObject changes)
                throw ApiErrors.BadRequest("expected an object in a list merged by key");
            if (changes.At(key) is not { } wanted)
            {
                if (changes.ContainsKey(Directive)) continue;
                throw ApiErrors.BadRequest(
                    $"map: {changes.ToJsonString(KubernetesJson.Options)} does not contain declared merge key: {key}");
            }
            var at = IndexOf(result, key, wanted);
            var merged = Merge(at < 0 ? null : result[at] as JsonObject, changes, items);
            if (at < 0 && merged is not null) result.Add(merged);
            else if (at >= 0 && merged is not null) result[at] = merged;
            else if (at >= 0) result.RemoveAt(at);
        }
        return result;
    }

    private static JsonArray AddMissing(JsonArray target, JsonArray patch)
    {
        var result = new JsonArray([.. target.Select(i => i?.DeepClone())]);
        foreach (var value in patch)
        {
            if (!result.Any(v => JsonAccess.Same(v, value))) result.Add(value?.DeepClone());
        }
        return result;
    }

    private static void DeletePrimitives(JsonObject result, JsonObject patch)
    {
        foreach (var (name, value) in patch)
        {
            if (!name.StartsWith(DeletePrefix, StringComparison.Ordinal) || value is not JsonArray gone) continue;
            if (result[name[DeletePrefix.Length..]] is not JsonArray list) continue;
            foreach (var item in list.Where(i => gone.Any(g => JsonAccess.Same(g, i))).ToList()) list.Remove(item);
        }
    }

    // The order is given for the elements that the patch's author knew; the others stay before their next neighbour.
    private static void Reorder(JsonObject result, JsonObject patch, Schema? schema)
    {
        foreach (var (name, value) in patch)
        {
            if (!name.StartsWith(OrderPrefix, StringComparison.Ordinal) || value is not JsonArray order) continue;
            var field = name[OrderPrefix.Length..];
            if (result[field] is not JsonArray list) continue;
            var key = schema?.Child(field)?.PatchMergeKey;
            var wanted = order.Select(o => key is null ? o : o.At(key)).ToList();
            var items = list.ToList();
            var known = items.Where(i => RankOf(i) >= 0).OrderBy(RankOf).ToList();
            list.Clear();
            var next = 0;
            foreach (var item in items) list.Add(RankOf(item) >= 0 ? known[next++] : item);

            int RankOf(JsonNode? item) => wanted.FindIndex(w => JsonAccess.Same(w, key is null ? item : item.At(key)));
        }
    }

    private static int IndexOf(JsonArray list, string key, JsonNode wanted)
    {
        for (var i = 0; i < list.Count; i++)
        {
            if (JsonAccess.Same(list[i].At(key), wanted)) return i;
        }
        return -1;
    }

    private static JsonObject WithoutDirectives(JsonObject patch)
    {
        var result = (JsonObject)patch.DeepClone();
        result.Remove(Directive);
        return result;
    }
}
