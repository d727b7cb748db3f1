using System.Text.Json.Nodes;

namespace Cloud.Benchmarks.Worlds;

/// <summary>Copies a workspace's objects in the files of a simulated cluster that is stopped.</summary>
internal static class SeededObjects
{
    private const int UidCounterLength = 6;

    public static void Copy(string directory, Original original, int first, int last)
    {
        var folder = Path.Combine(directory, "state", "clusters", original.Cluster);
        var files = Directory.EnumerateFiles(folder, "*.jsonl").Order(StringComparer.Ordinal).ToList();
        // Snapshots come before journals in what they tell, and after them in the alphabet.
        var journals = files.FindAll(f => Path.GetFileName(f).StartsWith("journal", StringComparison.Ordinal));
        var (lines, revision) = Read(files.Except(journals).Concat(journals), original.Id);
        var uids = lines.Select(line => line["o"]!["metadata"]!["uid"]!.GetValue<string>()).ToList();
        using var writer = new StreamWriter(journals[^1], append: true);
        var texts = lines.Select(line => (Key: line["k"]!.ToJsonString(), Text: line["o"]!.ToJsonString())).ToList();
        for (var n = first; n <= last; n++)
        {
            var counter = n.ToString("D6", null);
            foreach (var (key, template) in texts)
            {
                var text = template;
                foreach (var unique in original.Unique)
                {
                    text = text.Replace(unique, SeededFleet.Copy(unique, n), StringComparison.Ordinal);
                }

                foreach (var uid in uids)
                {
                    text = text.Replace(uid, uid[..^UidCounterLength] + counter, StringComparison.Ordinal);
                }

                writer.Write($"{{\"k\":{key},\"v\":{++revision},\"o\":{text}}}\n");
            }
        }
    }

    /// <summary>The last version of each object of the workspace, and the last revision of the cluster.</summary>
    private static (IReadOnlyList<JsonNode> Lines, long Revision) Read(IEnumerable<string> files, string id)
    {
        var kept = new Dictionary<string, JsonNode>(StringComparer.Ordinal);
        var revision = 0L;
        foreach (var line in files.SelectMany(File.ReadLines).Select(text => JsonNode.Parse(text)!))
        {
            revision = Math.Max(revision, line["v"]!.GetValue<long>());
            if (line["gone"] is JsonArray gone)
            {
                kept.Remove($"{line["k"]} {gone[0]} {gone[1]}");
            }
            else if (line["o"]?["metadata"] is { } metadata
                && ((string?)metadata["namespace"] == id || (string?)metadata["name"] == id)
                && line["k"]!.GetValue<string>().Contains("events", StringComparison.Ordinal) is false)
            {
                kept[$"{line["k"]} {metadata["namespace"]} {metadata["name"]}"] = line;
            }
        }

        return ([.. kept.Values], revision);
    }
}
