using System.Globalization;
using System.Text.Json.Nodes;
using Cloud.Simulator.ApiServers.Objects;

namespace Cloud.Simulator.ApiServers.FieldOwnership;

/// <summary>How a field came to be owned.</summary>
public enum Operation
{
    Apply,
    Update,
}

/// <summary>
/// One entry of <c>metadata.managedFields</c>: who owns which fields, by which operation, since when.
/// </summary>
public sealed record Owner(
    string Manager, Operation Operation, string ApiVersion, string Subresource, DateTimeOffset Time, FieldSet Fields)
{
    /// <summary>How Kubernetes writes moments in metadata.</summary>
    public const string TimeFormat = "yyyy-MM-ddTHH:mm:ssZ";

    /// <summary>True when both are the same manager by the same operation, so that they share one entry.</summary>
    public bool IsSameAs(Owner other) =>
        Manager == other.Manager && Operation == other.Operation && Subresource == other.Subresource
        && (Operation is Operation.Apply || ApiVersion == other.ApiVersion);

    /// <summary>As conflict messages name it.</summary>
    public override string ToString()
    {
        var subresource = Subresource.Length > 0 ? $" with subresource \"{Subresource}\"" : "";
        return $"\"{Manager}\"{subresource}" + (Operation is Operation.Update ? $" using {ApiVersion}" : "");
    }

    public JsonObject ToJson()
    {
        var json = new JsonObject
        {
            ["manager"] = Manager,
            ["operation"] = Operation.ToString(),
            ["apiVersion"] = ApiVersion,
            ["time"] = Time.ToString(TimeFormat, CultureInfo.InvariantCulture),
            ["fieldsType"] = "FieldsV1",
            ["fieldsV1"] = Fields.ToJson(),
        };
        if (Subresource.Length > 0) json["subresource"] = Subresource;
        return json;
    }

    /// <summary>The owners that an object's metadata names; entries that cannot be read are left out.</summary>
    public static List<Owner> Read(JsonObject obj) =>
        [.. (obj.ListAt("metadata", "managedFields") ?? []).Select(FromJson).OfType<Owner>()];

    /// <summary>Writes the owners to an object's metadata; owners of nothing are left out.</summary>
    public static void Write(JsonObject obj, IEnumerable<Owner> owners)
    {
        var entries = owners.Where(o => !o.Fields.IsEmpty)
            .OrderBy(o => o.Operation).ThenBy(o => o.Time).ThenBy(o => o.Manager, StringComparer.Ordinal)
            .ThenBy(o => o.Subresource, StringComparer.Ordinal)
            .Select(o => (JsonNode)o.ToJson()).ToArray();
        if (entries.Length == 0) obj.Metadata().Remove("managedFields");
        else obj.Metadata()["managedFields"] = new JsonArray(entries);
    }

    private static Owner? FromJson(JsonNode? json)
    {
        if (json.ObjectAt("fieldsV1") is not { } fields
            || !Enum.TryParse<Operation>(json.Text("operation"), out var operation))
            return null;
        _ = DateTimeOffset.TryParse(json.Text("time"), CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal,
            out var time);
        return new Owner(json.Text("manager") ?? "", operation, json.Text("apiVersion") ?? "",
            json.Text("subresource") ?? "", time, FieldSet.FromJson(fields));
    }
}
