using System.Text.Json.Nodes;
using Cloud.Simulator.ApiServers.Objects;
using Cloud.Simulator.ApiServers.Schemas;

namespace Cloud.Simulator.ApiServers.FieldOwnership;

/// <summary>Names of the parts of a value in the notation of <see cref="FieldSet"/>.</summary>
internal static class Elements
{
    public static string Field(string name) => "f:" + name;

    /// <summary>The elements of a list by their path element, in order; null when they cannot be told apart.</summary>
    public static List<KeyValuePair<string, JsonNode?>>? Of(JsonArray list, Schema schema)
    {
        if (schema.Kind is not SchemaKind.List) return null;
        var elements = new List<KeyValuePair<string, JsonNode?>>(list.Count);
        foreach (var item in list)
        {
            if (NameOf(item, schema) is not { } name) return null;
            elements.Add(new KeyValuePair<string, JsonNode?>(name, item));
        }
        return elements;
    }

    /// <summary>The path element of a list item; null when it leaves out a key that has no default.</summary>
    public static string? NameOf(JsonNode? item, Schema schema)
    {
        if (schema.ListKind is ListKind.Set) return "v:" + (item?.ToJsonString(KubernetesJson.Options) ?? "null");
        var key = new JsonObject();
        foreach (var name in schema.MapKeys.Order(StringComparer.Ordinal))
        {
            var value = item.At(name);
            if (value is not null) key[name] = value.DeepClone();
            else if (schema.KeyDefaults.TryGetValue(name, out var usual)) key[name] = usual;
            else return null;
        }
        return "k:" + key.ToJsonString(KubernetesJson.Options);
    }
}
