namespace Cloud.Benchmarks.Measuring;

/// <summary>A document in which each verb has a place of its own between two marks. What people wrote around the marks
/// stays.</summary>
internal static class Document
{
    public static async Task ReplaceAsync(
        string path, string verb, IReadOnlyList<string> lines, CancellationToken ct)
    {
        var (begin, end) = ($"<!-- {verb}: made by ./cloud bench -->", $"<!-- {verb}: end -->");
        var text = File.Exists(path) ? await File.ReadAllTextAsync(path, ct) : "# Benchmarks\n";
        var from = text.IndexOf(begin, StringComparison.Ordinal);
        var to = from < 0 ? -1 : text.IndexOf(end, from, StringComparison.Ordinal);
        var block = $"{begin}\n{string.Join('\n', lines)}\n{end}";
        text = to < 0 ? $"{text}\n## {verb}\n\n{block}\n" : text[..from] + block + text[(to + end.Length)..];
        await File.WriteAllTextAsync(path, text, ct);
    }
}
