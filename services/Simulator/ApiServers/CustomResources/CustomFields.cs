using System.Text.Json.Nodes;
using Cloud.Simulator.ApiServers.Schemas;

namespace Cloud.Simulator.ApiServers.CustomResources;

/// <summary>Pruning and defaulting of custom resources by their structural schema.</summary>
public static class CustomFields
{
    /// <summary>Removes the fields that the schema does not declare, in place, and returns them.</summary>
    public static IReadOnlyList<string> Prune(JsonObject obj, Schema schema)
    {
        var unknown = new List<string>();
        Prune(obj, schema, "", unknown);
        return unknown;
    }

    /// <summary>Puts the declared defaults where fields are missing, in place.</summary>
    public static void Default(JsonNode? value, Schema schema)
    {
        switch (value)
        {
            case JsonObject obj:
                DefaultObject(obj, schema);
                break;
            case JsonArray list when schema.Items is { } items:
                foreach (var item in list) Default(item, items);
                break;
        }
    }

    private static void DefaultObject(JsonObject obj, Schema schema)
    {
        if (schema.Source is null) return;
        foreach (var (name, property) in schema.Properties)
        {
            if (property.Default is null) continue;
            var missing = !obj.TryGetPropertyValue(name, out var present) || (present is null && !property.Nullable);
            if (missing) obj[name] = property.Default.DeepClone();
        }
        foreach (var (name, value) in obj)
        {
            if (value is not null && schema.Child(name) is { } child) Default(value, child);
        }
    }

    private static void Prune(JsonNode? value, Schema schema, string path, List<string> unknown)
    {
        switch (value)
        {
            case JsonObject obj when schema.Kind is SchemaKind.Object or SchemaKind.Map:
                PruneObject(obj, schema, path, unknown);
                break;
            case JsonArray list when schema.Items is { } items:
                for (var i = 0; i < list.Count; i++) Prune(list[i], items, $"{path}[{i}]", unknown);
                break;
        }
    }

    private static void PruneObject(JsonObject obj, Schema schema, string path, List<string> unknown)
    {
        foreach (var (name, value) in obj.ToList())
        {
            var at = path.Length == 0 ? name : $"{path}.{name}";
            if (schema.Child(name) is { } child) Prune(value, child, at, unknown);
            else if (!schema.PreserveUnknown)
            {
                unknown.Add(at);
                obj.Remove(name);
            }
        }
    }
}
