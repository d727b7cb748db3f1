using System.Net.Http.Headers;
using System.Text;
using System.Text.Json.Nodes;
using Cloud.Benchmarks.Worlds;

namespace Cloud.Benchmarks.Provisioning;

/// <summary>A simulated cluster's API, with nothing between it and the wire.</summary>
internal sealed class ClusterApi : IDisposable
{
    private const string ApplyPatch = "application/apply-patch+yaml";
    private readonly HttpClient _client;

    public ClusterApi(LocalSimulator simulator, string cluster)
    {
        _client = new HttpClient { BaseAddress = new Uri(simulator.Url, $"/clusters/{cluster}/") };
        _client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", $"{cluster}-token");
    }

    public async Task<JsonNode> GetAsync(string path, CancellationToken ct)
    {
        using var answer = await _client.GetAsync(path, ct);
        var text = await answer.Content.ReadAsStringAsync(ct);
        return answer.IsSuccessStatusCode ? JsonNode.Parse(text)! : throw new HttpRequestException($"{path}: {text}");
    }

    /// <summary>Server-side apply.</summary>
    public async Task ApplyAsync(string path, string body, CancellationToken ct)
    {
        using var request = new HttpRequestMessage(HttpMethod.Patch, $"{path}?fieldManager=bench&force=true")
        {
            Content = new StringContent(body, Encoding.UTF8, ApplyPatch),
        };
        using var answer = await _client.SendAsync(request, ct);
        if (!answer.IsSuccessStatusCode)
        {
            throw new HttpRequestException($"{path}: {await answer.Content.ReadAsStringAsync(ct)}");
        }
    }

    public void Dispose() => _client.Dispose();
}
