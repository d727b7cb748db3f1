using System.Text.Json;
using System.Text.Json.Nodes;
using k8s.Models;

namespace Cloud.Watching;

/// <summary>Tells whether a live object has everything a desired one asks for, whatever else it may have.</summary>
internal static class Coverage
{
    /// <summary>
    /// The lists that the API server merges by key; in them a live list may hold more. All others are one value and
    /// must be equal in length and order.
    /// </summary>
    private static readonly Dictionary<string, string[]> ListKeys = new(StringComparer.Ordinal)
    {
        ["containers"] = ["name"],
        ["initContainers"] = ["name"],
        ["env"] = ["name"],
        ["volumes"] = ["name"],
        ["imagePullSecrets"] = ["name"],
        ["volumeMounts"] = ["mountPath"],
        ["ports"] = ["containerPort", "port", "protocol"],
        ["ownerReferences"] = ["uid"],
        ["topologySpreadConstraints"] = ["topologyKey", "whenUnsatisfiable"],
    };

    /// <summary>Maps whose values are amounts: the server writes them in its canonical form.</summary>
    private static readonly HashSet<string> Amounts = new(StringComparer.Ordinal) { "requests", "limits" };

    public static bool Covers(JsonNode? live, JsonNode? desired) => Covers(live, desired, "");

    private static bool Covers(JsonNode? live, JsonNode? desired, string field) => desired switch
    {
        null => true,
        JsonObject map => map.Count == 0
            ? live is null or JsonObject
            : live is JsonObject has && map.All(p => CoversField(has[p.Key], p.Value, p.Key, field)),
        JsonArray list => CoversList(live as JsonArray, list, field),
        _ => live is null ? IsZero(desired) : JsonNode.DeepEquals(live, desired) || SameScalar(live, desired),
    };

    private static bool CoversField(JsonNode? live, JsonNode? desired, string name, string parent)
    {
        if (Amounts.Contains(parent) && live is JsonValue && desired is JsonValue)
        {
            return JsonNode.DeepEquals(live, desired) || SameAmount(live.ToString(), desired.ToString());
        }

        return Covers(live, desired, name);
    }

    /// <summary>A schema may well have a property named `requests` whose values are no amounts.</summary>
    private static bool SameAmount(string live, string desired)
    {
        try
        {
            return new ResourceQuantity(live).Equals(new ResourceQuantity(desired));
        }
        catch (FormatException)
        {
            return false;
        }
    }

    private static bool CoversList(JsonArray? live, JsonArray desired, string field)
    {
        if (live is null)
        {
            return desired.Count == 0;
        }

        if (!ListKeys.TryGetValue(field, out var keys))
        {
            return live.Count == desired.Count && desired.Index().All(d => Covers(live[d.Index], d.Item));
        }

        return desired.All(d => live.Any(l => SameKey(l, d, keys) && Covers(l, d)));
    }

    /// <summary>
    /// A key field that is not asked for is defaulted by the server, so it cannot tell two elements apart.
    /// </summary>
    private static bool SameKey(JsonNode? live, JsonNode? desired, string[] keys) =>
        live is JsonObject l && desired is JsonObject d
        && keys.All(k => d[k] is null || (l[k] is not null && JsonNode.DeepEquals(l[k], d[k])));

    /// <summary>Servers leave out what equals the zero value of its type.</summary>
    private static bool IsZero(JsonNode value) => value.GetValueKind() switch
    {
        JsonValueKind.False => true,
        JsonValueKind.String => value.GetValue<string>().Length == 0,
        JsonValueKind.Number => value.ToString() == "0",
        _ => false,
    };

    /// <summary>Numbers and times may be written in more than one way.</summary>
    private static bool SameScalar(JsonNode live, JsonNode desired) =>
        live is JsonValue && desired is JsonValue && live.ToString() == desired.ToString();
}
