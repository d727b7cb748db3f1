using System.Globalization;

namespace Cloud.Simulator.ApiServers.Protobuf;

/// <summary>One field of a message of the Kubernetes API.</summary>
/// <param name="Name">Its name in JSON.</param>
/// <param name="Type">A scalar (string, bytes, bool, int32, int64, double) or the name of a message.</param>
/// <param name="IsInline">Its fields stand in the JSON of the message around it.</param>
/// <param name="KeepsZero">Zero, false or empty is a value of its own, not the lack of one.</param>
internal sealed record MessageField(
    string Name, string Type, bool IsList, bool IsMap, bool IsInline, bool KeepsZero);

/// <summary>
/// The numbers under which the Kubernetes API knows its fields in protobuf, from <c>messages.txt</c>: a message per
/// unindented line, then a line per field with number, name and type (<c>[]</c> a list, <c>{}</c> a map of strings,
/// <c>~</c> inline, <c>?</c> zero is a value).
/// </summary>
internal static class Messages
{
    private const string Resource = "Cloud.Simulator.ApiServers.Protobuf.messages.txt";

    private static readonly Lazy<Dictionary<string, Dictionary<int, MessageField>>> All = new(Read);

    /// <summary>The fields of a message by number; null when it is not known.</summary>
    public static IReadOnlyDictionary<int, MessageField>? Find(string message) => All.Value.GetValueOrDefault(message);

    /// <summary>The message of a kind: apps/v1 Deployment is apps.v1.Deployment, v1 Pod is core.v1.Pod.</summary>
    public static string NameOf(string apiVersion, string kind)
    {
        if (kind == "DeleteOptions") return "meta.v1.DeleteOptions";
        var slash = apiVersion.IndexOf('/', StringComparison.Ordinal);
        var group = slash < 0 ? "core" : apiVersion[..slash].Split('.')[0];
        return $"{group}.{apiVersion[(slash + 1)..]}.{kind}";
    }

    private static Dictionary<string, Dictionary<int, MessageField>> Read()
    {
        using var stream = typeof(Messages).Assembly.GetManifestResourceStream(Resource)
            ?? throw new InvalidOperationException($"{Resource} is not in the program");
        using var reader = new StreamReader(stream);
        var all = new Dictionary<string, Dictionary<int, MessageField>>(StringComparer.Ordinal);
        Dictionary<int, MessageField> current = [];
        while (reader.ReadLine() is { } line)
        {
            if (line[0] != ' ')
            {
                all[line] = current = [];
                continue;
            }
            var parts = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            current[int.Parse(parts[0], CultureInfo.InvariantCulture)] = ReadField(parts[1], parts[2]);
        }
        return all;
    }

    private static MessageField ReadField(string name, string type) => new(
        name, type.TrimStart('[', ']', '{', '}', '~').TrimEnd('?'), type.StartsWith('['), type.StartsWith('{'),
        type.StartsWith('~'), type.EndsWith('?'));
}
