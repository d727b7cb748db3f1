using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Cloud.Operator.Manifests;

/// <summary>A JSON patch is malformed, or does not fit the document.</summary>
public sealed class JsonPatchException(string message) : Exception(message);

/// <summary>One operation of a JSON patch.</summary>
/// <param name="Path">Unescaped steps of the pointer.</param>
/// <param name="From">Unescaped steps of the source of a move or copy; null for others.</param>
public sealed record JsonPatchOperation(
    string Op, IReadOnlyList<string> Path, IReadOnlyList<string>? From, JsonNode? Value);

/// <summary>JSON patches as of RFC 6902: all operations apply, or none.</summary>
public static class JsonPatch
{
    /// <exception cref="JsonPatchException">The text is no patch.</exception>
    public static IReadOnlyList<JsonPatchOperation> Parse(string text)
    {
        try
        {
            return JsonNode.Parse(text) is JsonArray list
                ? [.. list.Select(o => ParseOne(o as JsonObject))]
                : throw new JsonPatchException("A patch is a list of operations.");
        }
        catch (JsonException e)
        {
            throw new JsonPatchException($"The patch is not valid JSON: {e.Message}");
        }
    }

    /// <summary>The patched document; the given one is not touched.</summary>
    /// <exception cref="JsonPatchException">An operation does not fit the document.</exception>
    public static JsonNode Apply(JsonNode document, IReadOnlyList<JsonPatchOperation> operations)
    {
        // A holder makes the root an ordinary child, so that replacing the whole document is no special case.
        var holder = new JsonObject { ["root"] = document.DeepClone() };
        foreach (var operation in operations)
        {
            Apply(holder, operation);
        }

        var result = holder["root"];
        holder.Remove("root");
        return result ?? throw new JsonPatchException("The patch removes the whole document.");
    }

    private static void Apply(JsonObject holder, JsonPatchOperation operation)
    {
        var path = operation.Path;
        switch (operation.Op)
        {
            case "add":
                Add(holder, path, operation.Value?.DeepClone());
                break;
            case "remove":
                Remove(holder, path);
                break;
            case "replace":
                Remove(holder, path);
                Add(holder, path, operation.Value?.DeepClone());
                break;
            case "move":
                Add(holder, path, Remove(holder, operation.From!));
                break;
            case "copy":
                Add(holder, path, Find(holder, operation.From!)?.DeepClone());
                break;
            case "test":
                if (!JsonNode.DeepEquals(Find(holder, path), operation.Value))
                {
                    throw new JsonPatchException($"The test at {Text(path)} fails.");
                }

                break;
        }
    }

    private static JsonPatchOperation ParseOne(JsonObject? item)
    {
        var op = (item?["op"] as JsonValue)?.ToString();
        if (item is null || op is not ("add" or "remove" or "replace" or "move" or "copy" or "test"))
        {
            throw new JsonPatchException($"'{op}' is no operation of a JSON patch.");
        }

        if (op is "add" or "replace" or "test" && !item.ContainsKey("value"))
        {
            throw new JsonPatchException($"The operation {op} needs a value.");
        }

        var from = op is "move" or "copy" ? Steps(item, "from") : null;
        return new JsonPatchOperation(op, Steps(item, "path"), from, item["value"]);
    }

    private static string[] Steps(JsonObject item, string field)
    {
        var pointer = (item[field] as JsonValue)?.ToString()
            ?? throw new JsonPatchException($"An operation lacks '{field}'.");
        if (pointer.Length > 0 && pointer[0] != '/')
        {
            throw new JsonPatchException($"'{pointer}' must begin with a slash.");
        }

        return [.. pointer.Split('/').Skip(1).Select(s => s.Replace("~1", "/").Replace("~0", "~"))];
    }

    private static JsonNode? Find(JsonObject holder, IReadOnlyList<string> path)
    {
        JsonNode? node = holder["root"];
        for (var i = 0; i < path.Count; i++)
        {
            node = node switch
            {
                JsonObject map when map.ContainsKey(path[i]) => map[path[i]],
                JsonArray list => list[Index(list, path[i], list.Count - 1)],
                _ => throw new JsonPatchException($"There is nothing at {Text(path)}."),
            };
        }

        return node;
    }

    private static void Add(JsonObject holder, IReadOnlyList<string> path, JsonNode? value)
    {
        var (parent, last) = Parent(holder, path);
        switch (parent)
        {
            case JsonObject map:
                map[last] = value;
                break;
            case JsonArray list:
                list.Insert(last == "-" ? list.Count : Index(list, last, list.Count), value);
                break;
            default:
                throw new JsonPatchException($"Nothing can be put at {Text(path)}.");
        }
    }

    private static JsonNode? Remove(JsonObject holder, IReadOnlyList<string> path)
    {
        var removed = Find(holder, path);
        var (parent, last) = Parent(holder, path);
        if (parent is JsonArray list)
        {
            list.RemoveAt(Index(list, last, list.Count - 1));
        }
        else
        {
            parent!.AsObject().Remove(last);
        }

        return removed;
    }

    private static (JsonNode? Parent, string Last) Parent(JsonObject holder, IReadOnlyList<string> path) =>
        path.Count == 0 ? (holder, "root") : (Find(holder, [.. path.SkipLast(1)]), path[^1]);

    private static int Index(JsonArray list, string step, int highest) =>
        int.TryParse(step, NumberStyles.None, CultureInfo.InvariantCulture, out var index) && index <= highest
            ? index
            : throw new JsonPatchException($"'{step}' is no position in a list of {list.Count}.");

    private static string Text(IReadOnlyList<string> path) => "/" + string.Join('/', path);
}
