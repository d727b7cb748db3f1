using System.Text.Json.Nodes;
using Cloud.Simulator.ApiServers.Objects;
using Cloud.Simulator.ApiServers.ResourceTypes;

namespace Cloud.Simulator.ApiServers.Tables;

/// <summary>Objects as the <c>Table</c> that <c>kubectl get</c> prints.</summary>
public static class TableRendering
{
    private static readonly TableColumns NameAndAge = new([Columns.Name, Columns.Age]);

    private static readonly TableColumns NameAndCreation =
        new([Columns.Name, Columns.At("Created At", "", "metadata", "creationTimestamp")]);

    /// <summary>A table of objects. <paramref name="include"/> is None, Metadata or Object, as in the query.</summary>
    public static JsonObject Render(
        ResourceType type, IEnumerable<StoredObject> objects, JsonObject listMetadata, string include,
            DateTimeOffset now)
    {
        var columns = type.Columns ?? (type.Custom is null ? NameAndCreation : NameAndAge);
        return new JsonObject
        {
            ["kind"] = "Table",
            ["apiVersion"] = "meta.k8s.io/v1",
            ["metadata"] = listMetadata,
            ["columnDefinitions"] = Definitions(columns),
            ["rows"] = new JsonArray([.. objects.Select(o => (JsonNode)Row(type, columns, o, include, now))]),
        };
    }

    /// <summary>Only the metadata of an object.</summary>
    public static JsonObject PartialMetadata(JsonObject obj) => new()
    {
        ["kind"] = "PartialObjectMetadata",
        ["apiVersion"] = "meta.k8s.io/v1",
        ["metadata"] = obj["metadata"]?.DeepClone(),
    };

    private static JsonArray Definitions(TableColumns columns) =>
        new([.. columns.All.Select(c => (JsonNode)new JsonObject
    {
        ["name"] = c.Name, ["type"] = c.Type, ["format"] = c.Format, ["description"] = c.Description,
            ["priority"] = c.Priority,
    })]);

    private static JsonObject Row(
        ResourceType type, TableColumns columns, StoredObject stored, string include, DateTimeOffset now)
    {
        var obj = stored.ToJson();
        var row = new JsonObject { ["cells"] = new JsonArray([.. columns.All.Select(c => c.Cell(obj, now))]) };
        if (include == "Object")
        {
            obj["apiVersion"] = type.ApiVersion;
            row["object"] = obj;
        }
        else if (include != "None") row["object"] = PartialMetadata(obj);
        return row;
    }
}
