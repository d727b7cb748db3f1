using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace Cloud.Simulator.ApiServers.Requests;

/// <summary>
/// YAML as Kubernetes reads and writes it: the JSON part of YAML 1.2, plain scalars typed by their look.
/// </summary>
public static class Yaml
{
    /// <summary>The first document of a text. Throws <see cref="JsonException"/> when it is no YAML.</summary>
    public static JsonNode? Parse(string text)
    {
        try
        {
            var stream = new YamlStream();
            using var reader = new StringReader(text);
            stream.Load(reader);
            return stream.Documents.Count == 0 ? null : ToJson(stream.Documents[0].RootNode);
        }
        catch (YamlException wrong)
        {
            throw new JsonException($"error converting YAML to JSON: {wrong.Message}", wrong);
        }
    }

    /// <summary>A JSON value as YAML.</summary>
    public static string Write(JsonNode json)
    {
        var stream = new YamlStream(new YamlDocument(FromJson(json)));
        using var writer = new StringWriter(CultureInfo.InvariantCulture);
        stream.Save(writer, assignAnchors: false);
        return writer.ToString();
    }

    private static JsonNode? ToJson(YamlNode node)
    {
        switch (node)
        {
            case YamlMappingNode map:
                var obj = new JsonObject();
                foreach (var (key, value) in map.Children) obj[((YamlScalarNode)key).Value ?? ""] = ToJson(value);
                return obj;
            case YamlSequenceNode list:
                return new JsonArray([.. list.Children.Select(ToJson)]);
            case YamlScalarNode scalar:
                return Scalar(scalar);
            default:
                throw new JsonException($"YAML {node.NodeType} cannot be read");
        }
    }

    private static JsonNode? Scalar(YamlScalarNode scalar)
    {
        var text = scalar.Value ?? "";
        if (scalar.Style is not ScalarStyle.Plain) return text;
        if (text is "" or "null" or "~" or "Null" or "NULL") return null;
        if (text is "true" or "True" or "TRUE") return true;
        if (text is "false" or "False" or "FALSE") return false;
        if (long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture,
            out var whole))
            return whole;
        const NumberStyles plainNumber =
            NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint | NumberStyles.AllowExponent;
        if (double.TryParse(text, plainNumber, CultureInfo.InvariantCulture, out var number)
            && double.IsFinite(number)) return number;
        return text;
    }

    private static YamlNode FromJson(JsonNode? json)
    {
        switch (json)
        {
            case JsonObject obj:
                var map = new YamlMappingNode();
                foreach (var (key, value) in obj) map.Add(new YamlScalarNode(key), FromJson(value));
                return map;
            case JsonArray list:
                return new YamlSequenceNode(list.Select(FromJson));
            case null:
                return new YamlScalarNode("null");
            default:
                var isText = json.GetValueKind() is JsonValueKind.String;
                var style = isText ? ScalarStyle.DoubleQuoted : ScalarStyle.Plain;
                return new YamlScalarNode(json.ToString()) { Style = style };
        }
    }
}
