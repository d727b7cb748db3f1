using System.Text.Json.Nodes;

namespace Cloud.Simulator.Controllers;

/// <summary>
/// Keeps a status's list of conditions: one entry per type, whose transition time moves with its status only.
/// </summary>
internal static class Conditions
{
    public static JsonObject? Find(JsonNode? status, string type) =>
        status.Items("conditions").FirstOrDefault(c => c.Text("type") == type);

    public static bool IsTrue(JsonNode? status, string type) => Find(status, type).Text("status") == "True";

    /// <summary>Sets a condition; <paramref name="updateTime"/> also keeps a Deployment's lastUpdateTime.</summary>
    public static void Set(JsonObject status, string type, bool value, string? reason, string? message,
        DateTimeOffset now, bool updateTime = false) =>
        Set(status, type, value ? "True" : "False", reason, message, now, updateTime);

    /// <summary>As above, for conditions that may also be <c>Unknown</c>.</summary>
    public static void Set(JsonObject status, string type, string text, string? reason, string? message,
        DateTimeOffset now, bool updateTime)
    {
        var old = Find(status, type);
        if (old is not null && old.Text("status") == text && old.Text("reason") == reason
            && old.Text("message") == message) return;
        var since = old?.Text("status") == text ? old.Text("lastTransitionTime") : null;
        var condition = new JsonObject { ["type"] = type, ["status"] = text };
        if (updateTime) condition["lastUpdateTime"] = JsonFields.Stamp(now);
        condition["lastTransitionTime"] = since ?? JsonFields.Stamp(now);
        if (reason is not null) condition["reason"] = reason;
        if (message is not null) condition["message"] = message;
        Replace(status, type, condition);
    }

    public static void Remove(JsonObject status, string type) => Replace(status, type, null);

    private static void Replace(JsonObject status, string type, JsonObject? condition)
    {
        var list = status["conditions"] as JsonArray ?? [];
        status["conditions"] = list;
        for (var i = 0; i < list.Count; i++)
        {
            if (list[i].Text("type") != type) continue;
            if (condition is null) list.RemoveAt(i);
            else list[i] = condition;
            return;
        }
        if (condition is not null) list.Add(condition);
    }
}
