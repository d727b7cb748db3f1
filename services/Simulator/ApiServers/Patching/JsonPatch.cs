using System.Globalization;
using System.Text.Json.Nodes;
using Cloud.Simulator.ApiServers.Objects;

namespace Cloud.Simulator.ApiServers.Patching;

/// <summary>JSON patch (RFC 6902).</summary>
public static class JsonPatch
{
    /// <summary>How many operations one patch may have, as on a real server.</summary>
    private const int MaxOperations = 10_000;

    /// <summary>
    /// A new value: the target after every operation in order. 400 for a malformed patch, 422 when one fails.
    /// </summary>
    public static JsonNode Apply(JsonNode target, JsonNode? patch)
    {
        if (patch is not JsonArray operations)
            throw ApiErrors.BadRequest(
                "error decoding patch: json: cannot unmarshal object into Go value of type jsonpatch.Patch");
        if (operations.Count > MaxOperations)
            throw new ApiException(413, "RequestEntityTooLarge",
                $"The allowed maximum operations in a JSON patch is {MaxOperations}, got {operations.Count}");
        var root = new JsonObject { ["root"] = target.DeepClone() };
        foreach (var operation in operations) ApplyOne(root, operation);
        return root.Take("root") ?? throw Failed("the document was removed");
    }

    private static void ApplyOne(JsonObject root, JsonNode? operation)
    {
        var path = operation.Text("path") ?? throw ApiErrors.BadRequest("jsonpatch operation has no path");
        switch (operation.Text("op"))
        {
            case "add":
                Add(root, path, Value(operation).Copy());
                break;
            case "remove":
                Remove(root, path, "remove");
                break;
            case "replace":
                Replace(root, path, Value(operation).Copy());
                break;
            case "move":
                Add(root, path, Remove(root, From(operation), "move"));
                break;
            case "copy":
                Add(root, path, Find(root, From(operation), "copy")?.DeepClone());
                break;
            case "test":
                if (!JsonAccess.Same(Find(root, path, "test"), Value(operation).Node))
                    throw Failed($"testing value {path} failed: test failed");
                break;
            default:
                throw ApiErrors.BadRequest($"Unexpected kind: {operation.Text("op")}");
        }
    }

    private static string From(JsonNode? operation) =>
        operation.Text("from") ?? throw ApiErrors.BadRequest("jsonpatch operation has no from");

    private static Operand Value(JsonNode? operation) =>
        operation is JsonObject obj && obj.TryGetPropertyValue("value", out var value)
            ? new Operand(value)
            : throw ApiErrors.BadRequest("jsonpatch operation has no value");

    private static void Add(JsonObject root, string path, JsonNode? value)
    {
        var (parent, key) = Parent(root, path, "add");
        if (parent is JsonObject obj) obj[key] = value;
        else if (parent is JsonArray list)
        {
            var at = key == "-" ? list.Count : Index(key, path, "add");
            if (at > list.Count)
                throw Failed($"add operation does not apply: doc is missing path: {path}: index out of range");
            list.Insert(at, value);
        }
    }

    private static JsonNode? Remove(JsonObject root, string path, string op)
    {
        var (parent, key) = Parent(root, path, op);
        var found = FindIn(parent, key, path, op);
        if (parent is JsonObject obj) obj.Remove(key);
        else ((JsonArray)parent).RemoveAt(Index(key, path, op));
        return found;
    }

    private static void Replace(JsonObject root, string path, JsonNode? value)
    {
        var (parent, key) = Parent(root, path, "replace");
        FindIn(parent, key, path, "replace");
        if (parent is JsonObject obj) obj[key] = value;
        else ((JsonArray)parent)[Index(key, path, "replace")] = value;
    }

    private static JsonNode? Find(JsonObject root, string path, string op)
    {
        var (parent, key) = Parent(root, path, op);
        return FindIn(parent, key, path, op);
    }

    private static JsonNode? FindIn(JsonNode parent, string key, string path, string op)
    {
        if (parent is JsonObject obj && obj.TryGetPropertyValue(key, out var value)) return value;
        if (parent is JsonArray list && Index(key, path, op) is var at && at < list.Count) return list[at];
        throw Missing(path, op);
    }

    private static (JsonNode Parent, string Key) Parent(JsonObject root, string path, string op)
    {
        if (path.Length > 0 && path[0] != '/') throw Missing(path, op);
        var steps = ("root" + path).Split('/').Select(s => s.Replace("~1", "/", StringComparison.Ordinal)
            .Replace("~0", "~", StringComparison.Ordinal)).ToArray();
        JsonNode at = root;
        foreach (var step in steps[..^1]) at = FindIn(at, step, path, op) ?? throw Missing(path, op);
        return at is JsonObject or JsonArray ? (at, steps[^1]) : throw Missing(path, op);
    }

    private static int Index(string key, string path, string op) =>
        int.TryParse(key, NumberStyles.None, CultureInfo.InvariantCulture, out var index) ? index
            : throw Missing(path, op);

    private static ApiException Missing(string path, string op)
    {
        var what = op is "remove" or "replace" ? "key" : "path";
        return Failed($"{op} operation does not apply: doc is missing {what}: {path}: missing value");
    }

    private static ApiException Failed(string why) =>
        new(422, "Invalid", "the server rejected our request due to an error in our request: " + why);

    private sealed record Operand(JsonNode? Node)
    {
        public JsonNode? Copy() => Node?.DeepClone();
    }
}
