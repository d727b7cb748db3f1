using System.Text.Json.Nodes;
using Cloud.Simulator.ApiServers.Objects;
using Cloud.Simulator.ApiServers.Schemas;

namespace Cloud.Simulator.ApiServers.FieldOwnership;

/// <summary>The fields that one version of an object has and another does not, or has differently.</summary>
public sealed class FieldComparison
{
    private FieldComparison()
    {
    }

    public FieldSet Added { get; } = new();

    public FieldSet Modified { get; } = new();

    public FieldSet Removed { get; } = new();

    /// <summary>Every field of a value that an applier states by writing it.</summary>
    public static FieldSet Stated(JsonObject value, Schema schema)
    {
        var set = new FieldSet();
        State(value, schema, set);
        return set;
    }

    public static FieldComparison Of(JsonObject before, JsonObject after, Schema schema)
    {
        var comparison = new FieldComparison();
        comparison.CompareObjects(before, after, schema, comparison.Added, comparison.Modified, comparison.Removed);
        return comparison;
    }

    private static void State(JsonNode? value, Schema? schema, FieldSet at)
    {
        switch (value)
        {
            case JsonObject obj when schema is { IsGranular: true }:
                StateObject(obj, schema, at);
                break;
            case JsonArray list when schema is { IsGranular: true } && Elements.Of(list, schema) is { } elements:
                foreach (var (element, item) in elements)
                {
                    at.Add(element);
                    State(item, schema.Items, at.At(element));
                }
                break;
            default:
                at.IsMember = true;
                break;
        }
    }

    private static void StateObject(JsonObject obj, Schema schema, FieldSet at)
    {
        foreach (var (name, value) in obj)
        {
            var child = at.At(Elements.Field(name));
            State(value, schema.Child(name), child);
            var declared = schema.Kind is SchemaKind.Object && schema.Properties.ContainsKey(name);
            if (value is null or JsonObject { Count: 0 } || !declared) child.IsMember = true;
        }
    }

    private void CompareObjects(
        JsonObject? before, JsonObject? after, Schema schema, FieldSet added, FieldSet modified, FieldSet removed)
    {
        foreach (var (name, value) in after ?? [])
        {
            var element = Elements.Field(name);
            JsonNode? old = null;
            var existed = before is not null && before.TryGetPropertyValue(name, out old);
            Compare(existed, old, true, value, schema.Child(name), added, modified, removed, element);
        }
        foreach (var (name, old) in before ?? [])
        {
            if (after is not null && after.ContainsKey(name)) continue;
            Compare(true, old, false, null, schema.Child(name), added, modified, removed, Elements.Field(name));
        }
    }

    private void CompareLists(
        List<KeyValuePair<string, JsonNode?>> before, List<KeyValuePair<string, JsonNode?>> after, Schema schema,
        FieldSet added, FieldSet modified, FieldSet removed)
    {
        var old = First(before);
        var now = First(after);
        foreach (var (element, item) in now)
        {
            Compare(old.TryGetValue(element, out var was), was, true, item, schema.Items, added, modified, removed,
                element);
        }
        foreach (var (element, item) in old)
        {
            if (!now.ContainsKey(element))
                Compare(true, item, false, null, schema.Items, added, modified, removed, element);
        }
    }

    private void Compare(
        bool existed, JsonNode? before, bool exists, JsonNode? after, Schema? schema,
        FieldSet added, FieldSet modified, FieldSet removed, string element)
    {
        if (schema is { IsGranular: true } && Descends(before, after, schema, out var listBefore, out var listAfter))
        {
            if (IsOwnedItself(schema, element))
            {
                if (!existed) added.Add(element);
                if (!exists) removed.Add(element);
            }
            var (a, m, r) = (Existing(added, element), Existing(modified, element), Existing(removed, element));
            if (listBefore is not null) CompareLists(listBefore, listAfter!, schema, a, m, r);
            else CompareObjects(before as JsonObject, after as JsonObject, schema, a, m, r);
            Attach(added, element, a);
            Attach(modified, element, m);
            Attach(removed, element, r);
        }
        else if (!existed) added.Add(element);
        else if (!exists) removed.Add(element);
        else if (!JsonAccess.Same(before, after)) modified.Add(element);
    }

    // A map of the user's own keys, or a list element, is something one can own; a declared struct only groups fields.
    private static bool IsOwnedItself(Schema schema, string element) =>
        schema.Kind is not SchemaKind.Object || element[0] is 'k';

    private static bool Descends(
        JsonNode? before, JsonNode? after, Schema schema,
        out List<KeyValuePair<string, JsonNode?>>? listBefore, out List<KeyValuePair<string, JsonNode?>>? listAfter)
    {
        (listBefore, listAfter) = (null, null);
        if (schema.Kind is SchemaKind.List)
        {
            if (before is not (null or JsonArray) || after is not (null or JsonArray)) return false;
            listBefore = before is JsonArray old ? Elements.Of(old, schema) : [];
            listAfter = after is JsonArray now ? Elements.Of(now, schema) : [];
            return listBefore is not null && listAfter is not null && listBefore.Count + listAfter.Count > 0;
        }
        return before is null or JsonObject && after is null or JsonObject
            && ((before as JsonObject)?.Count ?? 0) + ((after as JsonObject)?.Count ?? 0) > 0;
    }

    private static FieldSet Existing(FieldSet parent, string element) => parent.Find(element) ?? new FieldSet();

    private static void Attach(FieldSet parent, string element, FieldSet child)
    {
        if (!child.IsEmpty && parent.Find(element) is null) parent.Put(element, child);
    }

    private static Dictionary<string, JsonNode?> First(List<KeyValuePair<string, JsonNode?>> elements)
    {
        var first = new Dictionary<string, JsonNode?>(StringComparer.Ordinal);
        foreach (var (element, item) in elements) first.TryAdd(element, item);
        return first;
    }
}
