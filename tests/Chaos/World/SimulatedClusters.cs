using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Cloud.TestHost;

namespace Cloud.Chaos.World;

/// <summary>An object in a cluster.</summary>
/// <param name="Cluster">The cluster's display name.</param>
/// <param name="Resource">Its kind: <c>deployments.apps</c>.</param>
/// <param name="Namespace">Empty for what has none.</param>
internal sealed record ClusterObject(string Cluster, string Resource, string Namespace, string Name, JsonNode Body)
{
    public override string ToString() => $"{Cluster}: {Resource} {(Namespace.Length > 0 ? Namespace + "/" : "")}{Name}";
}

/// <summary>What goes wrong in a cluster's API; see services/Simulator/README.md.</summary>
internal sealed record ApiFault
{
    public string? Verb { get; init; }

    public string? Resource { get; init; }

    public double Probability { get; init; } = 1;

    public int? ErrorCode { get; init; }

    public int LatencyMs { get; init; }

    public bool CutConnection { get; init; }
}

/// <summary>The application clusters as their own API servers tell, and the ways to trouble them.</summary>
internal sealed class SimulatedClusters(LocalWorld world) : IDisposable
{
    /// <summary>As the AppHost makes them.</summary>
    public static readonly IReadOnlyList<string> Names = ["local-a", "local-b"];

    /// <summary>Reports about the past that expire by themselves.</summary>
    private static readonly string[] NotLasting = ["events", "events.events.k8s.io"];

    private readonly HttpClient _http = new() { BaseAddress = world.Simulator, Timeout = TimeSpan.FromSeconds(30) };

    public void Dispose() => _http.Dispose();

    public async Task PutFaultAsync(string cluster, string id, ApiFault fault, CancellationToken ct)
    {
        using var answer = await _http.PutAsJsonAsync(Control(cluster, $"faults/{id}"), fault, ct);
        answer.EnsureSuccessStatusCode();
    }

    public async Task RemoveFaultAsync(string cluster, string id, CancellationToken ct)
    {
        using var answer = await _http.DeleteAsync(Control(cluster, $"faults/{id}"), ct);
        answer.EnsureSuccessStatusCode();
    }

    public Task CutWatchesAsync(string cluster, CancellationToken ct) => PostAsync(cluster, "cut-watches", ct);

    /// <summary>Watches cannot go on where they were: 410.</summary>
    public Task ForgetHistoryAsync(string cluster, CancellationToken ct) => PostAsync(cluster, "compact", ct);

    /// <summary>The containers of all workspaces' pods end with an error.</summary>
    public async Task CrashPodsAsync(string cluster, CancellationToken ct)
    {
        var crash = new { crashPods = new { @namespace = "", selector = "app=mattermost" } };
        using var answer = await _http.PostAsJsonAsync(Control(cluster, "runtime"), crash, ct);
        answer.EnsureSuccessStatusCode();
    }

    /// <summary>Every object of every kind that a cluster serves.</summary>
    public async Task<IReadOnlyList<ClusterObject>> ObjectsAsync(string cluster, CancellationToken ct)
    {
        var found = new List<ClusterObject>();
        foreach (var groupVersion in await GroupVersionsAsync(cluster, ct))
        {
            var resources = await GetAsync(cluster, groupVersion, ct);
            foreach (var resource in resources["resources"]!.AsArray().Where(IsListable))
            {
                var plural = resource!["name"]!.GetValue<string>();
                var group = groupVersion.StartsWith("api/", StringComparison.Ordinal) ? "" : groupVersion.Split('/')[1];
                var name = group.Length == 0 ? plural : $"{plural}.{group}";
                if (!NotLasting.Contains(name))
                {
                    found.AddRange((await GetAsync(cluster, $"{groupVersion}/{plural}", ct))["items"]!.AsArray()
                        .Select(item => new ClusterObject(
                            cluster, name, Text(item!, "namespace"), Text(item!, "name"), item!)));
                }
            }
        }

        return found;
    }

    private async Task<IReadOnlyList<string>> GroupVersionsAsync(string cluster, CancellationToken ct)
    {
        var groups = await GetAsync(cluster, "apis", ct);
        return ["api/v1", .. groups["groups"]!.AsArray()
            .Select(group => $"apis/{group!["preferredVersion"]!["groupVersion"]!.GetValue<string>()}")];
    }

    private static bool IsListable(JsonNode? resource) =>
        !resource!["name"]!.GetValue<string>().Contains('/', StringComparison.Ordinal)
        && resource["verbs"]!.AsArray().Any(verb => verb!.GetValue<string>() == "list");

    private async Task<JsonNode> GetAsync(string cluster, string path, CancellationToken ct) =>
        (await _http.GetFromJsonAsync<JsonNode>(new Uri($"clusters/{cluster}/{path}", UriKind.Relative), ct))!;

    private async Task PostAsync(string cluster, string verb, CancellationToken ct)
    {
        using var answer = await _http.PostAsync(Control(cluster, verb), content: null, ct);
        answer.EnsureSuccessStatusCode();
    }

    private static Uri Control(string cluster, string path) =>
        new($"simulator/clusters/{cluster}/{path}", UriKind.Relative);

    private static string Text(JsonNode item, string field) => item["metadata"]?[field]?.GetValue<string>() ?? "";
}
