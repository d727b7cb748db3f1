using Cloud.Simulator.ApiServers.Objects;

namespace Cloud.Simulator.ApiServers.Requests;

/// <summary>
/// Answers <c>kubectl logs</c>. Programs that run for a pod have their output kept; simulated containers say nothing.
/// </summary>
public static class PodLogs
{
    /// <summary>Answers with the lines that are there; following them is not offered.</summary>
    public static async Task AnswerAsync(ResourceRequest request, CancellationToken ct)
    {
        var found = request.Server.Store.Find(request.Type.StorageKey, request.Namespace, request.Name)
            ?? throw ApiErrors.NotFound(request.Type, request.Name);
        var container = ContainerOf(request, found);
        request.Http.Response.ContentType = "text/plain";
        var path = request.Server.LogPath?.Invoke(found.Namespace!, found.Name, container);
        if (path is null || !File.Exists(path)) return;
        var lines = await ReadAsync(path, request.Number("tailLines"), ct);
        foreach (var line in lines) await request.Http.Response.WriteAsync(line + "\n", ct);
    }

    private static string ContainerOf(ResourceRequest request, StoredObject pod)
    {
        var names = (pod.ToJson().ListAt("spec", "containers") ?? []).Select(c => c.Text("name") ?? "").ToList();
        var asked = request.Query("container");
        if (asked.Length == 0 && names.Count == 1) return names[0];
        if (asked.Length == 0)
        {
            throw ApiErrors.BadRequest(
                $"a container name must be specified for pod {pod.Name}, choose one of: [{string.Join(' ', names)}]");
        }
        return names.Contains(asked)
            ? asked
            : throw ApiErrors.BadRequest($"container {asked} is not valid for pod {pod.Name}");
    }

    private static async Task<IEnumerable<string>> ReadAsync(string path, long? last, CancellationToken ct)
    {
        // The program may be writing it at this moment.
        await using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        using var reader = new StreamReader(file);
        var lines = new Queue<string>();
        while (await reader.ReadLineAsync(ct) is { } line)
        {
            lines.Enqueue(line);
            if (lines.Count > last) lines.Dequeue();
        }
        return lines;
    }
}
