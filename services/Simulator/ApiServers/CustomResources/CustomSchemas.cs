using System.Text.Json.Nodes;
using Cloud.Simulator.ApiServers.Objects;
using Cloud.Simulator.ApiServers.Schemas;

namespace Cloud.Simulator.ApiServers.CustomResources;

/// <summary>Reads the <c>openAPIV3Schema</c> of a CustomResourceDefinition.</summary>
public static class CustomSchemas
{
    private static readonly Schema TypeName = new(SchemaKind.Text);

    /// <summary>The shape of whole objects: what the definition declares, and apiVersion, kind and metadata.</summary>
    public static Schema Root(JsonObject? openApi)
    {
        openApi = (JsonObject?)openApi?.DeepClone()
            ?? new JsonObject { ["x-kubernetes-preserve-unknown-fields"] = true };
        openApi["type"] = "object";
        return ReadObject(openApi, isResource: true);
    }

    private static Schema Read(JsonObject openApi)
    {
        if (openApi.Flag("x-kubernetes-int-or-string")) return Leaf(openApi, SchemaKind.IntOrString);
        return openApi.Text("type") switch
        {
            "object" => ReadObject(openApi, openApi.Flag("x-kubernetes-embedded-resource")),
            "array" => ReadList(openApi),
            "string" => Leaf(openApi, SchemaKind.Text),
            "integer" => Leaf(openApi, SchemaKind.Integer),
            "number" => Leaf(openApi, SchemaKind.Number),
            "boolean" => Leaf(openApi, SchemaKind.Boolean),
            _ => Schema.Undeclared,
        };
    }

    private static Schema ReadObject(JsonObject openApi, bool isResource)
    {
        var values = openApi["additionalProperties"];
        var isMap = values is JsonObject || values?.GetValueKind() is System.Text.Json.JsonValueKind.True;
        return new Schema(isMap ? SchemaKind.Map : SchemaKind.Object, () => ReadProperties(openApi, isResource))
        {
            Items = isMap ? values is JsonObject declared ? Read(declared) : Schema.Undeclared : null,
            AtomicMap = openApi.Text("x-kubernetes-map-type") == "atomic",
            PreserveUnknown = openApi.Flag("x-kubernetes-preserve-unknown-fields"),
            EmbeddedResource = openApi.Flag("x-kubernetes-embedded-resource"),
            Nullable = openApi.Flag("nullable"),
            Default = openApi["default"],
            Source = openApi,
        };
    }

    private static Dictionary<string, Schema> ReadProperties(JsonObject openApi, bool isResource)
    {
        var properties = new Dictionary<string, Schema>(StringComparer.Ordinal);
        foreach (var (name, property) in openApi.ObjectAt("properties") ?? [])
        {
            if (property is JsonObject declared) properties[name] = Read(declared);
        }
        if (!isResource) return properties;
        properties["apiVersion"] = TypeName;
        properties["kind"] = TypeName;
        properties["metadata"] = BuiltInSchemas.Metadata;
        return properties;
    }

    private static Schema ReadList(JsonObject openApi)
    {
        var items = openApi.ObjectAt("items") is { } declared ? Read(declared) : Schema.Undeclared;
        var keys = (openApi.ListAt("x-kubernetes-list-map-keys") ?? []).Select(k => k!.GetValue<string>()).ToList();
        return new Schema(SchemaKind.List)
        {
            Items = items,
            ListKind = openApi.Text("x-kubernetes-list-type") switch
            {
                "set" => ListKind.Set,
                "map" => ListKind.Map,
                _ => ListKind.Atomic,
            },
            MapKeys = keys,
            KeyDefaults = keys.Where(k => items.Child(k)?.Default is JsonValue)
                .ToDictionary(k => k, k => items.Child(k)!.Default!.ToString()),
            Nullable = openApi.Flag("nullable"),
            Default = openApi["default"],
            Source = openApi,
        };
    }

    private static Schema Leaf(JsonObject openApi, SchemaKind kind) => new(kind)
    {
        Nullable = openApi.Flag("nullable"),
        Default = openApi["default"],
        Source = openApi,
    };
}
