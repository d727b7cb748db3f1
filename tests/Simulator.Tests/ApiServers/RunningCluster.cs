using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json.Nodes;
using Cloud.Simulator.ApiServers;
using Cloud.TestHost;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Xunit;

namespace Cloud.Simulator.Tests.ApiServers;

/// <summary>One simulated cluster's API over HTTP, without controllers, on a port of its own.</summary>
internal sealed class RunningCluster : IAsyncDisposable
{
    public const string Name = "test";
    private readonly WebApplication _app;
    private readonly TemporaryDirectory? _own;

    private RunningCluster(WebApplication app, string directory, TemporaryDirectory? own)
    {
        _app = app;
        Directory = directory;
        _own = own;
        Http = new HttpClient { BaseAddress = new Uri(new Uri(app.Urls.First()), $"/clusters/{Name}/") };
        Http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", Settings.EffectiveToken);
    }

    public static ClusterSettings Settings { get; } = new() { Name = Name };

    public HttpClient Http { get; }

    public string Directory { get; }

    public string Kubeconfig => Path.Combine(Directory, "kubeconfig");

    public SimulatedCluster Cluster => _app.Services.GetRequiredService<SimulatedClusters>().All[0];

    public IClusterApi Api => Cluster.Api;

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    /// <param name="directory">Where its state is kept, to survive it; without one it is gone when disposed.</param>
    /// <param name="clock">Its time.</param>
    /// <param name="watchHistory">How many changes a watch may lie behind.</param>
    public static async Task<RunningCluster> StartAsync(
        string? directory = null, TimeProvider? clock = null, int watchHistory = 4096)
    {
        var own = directory is null ? new TemporaryDirectory() : null;
        directory ??= own!.Path;
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Services.AddSingleton(clock ?? TimeProvider.System);
        builder.Services.AddApiServers(new ApiServerSettings
        {
            ApiUrl = new Uri("http://127.0.0.1:0"),
            KubeconfigPath = Path.Combine(directory, "kubeconfig"),
            StatePath = Path.Combine(directory, "state"),
            Clusters = [Settings with { WatchHistory = watchHistory }],
        });
        var app = builder.Build();
        app.MapApiServers();
        await app.StartAsync(Ct);
        return new RunningCluster(app, directory, own);
    }

    public static JsonObject Parse(string json) => (JsonObject)JsonNode.Parse(json)!;

    public Task<Answer> GetAsync(string path, string? accept = null) =>
        SendAsync(HttpMethod.Get, path, null, accept: accept);

    public Task<Answer> PostAsync(string path, string json) => SendAsync(HttpMethod.Post, path, json);

    public Task<Answer> PutAsync(string path, JsonNode json) => SendAsync(HttpMethod.Put, path, json.ToJsonString());

    public Task<Answer> DeleteAsync(string path, string? json = null) => SendAsync(HttpMethod.Delete, path, json);

    public Task<Answer> MergeAsync(string path, string json) =>
        SendAsync(HttpMethod.Patch, path, json, "application/merge-patch+json");

    public Task<Answer> StrategicAsync(string path, string json) =>
        SendAsync(HttpMethod.Patch, path, json, "application/strategic-merge-patch+json");

    public Task<Answer> JsonPatchAsync(string path, string json) =>
        SendAsync(HttpMethod.Patch, path, json, "application/json-patch+json");

    public Task<Answer> ApplyAsync(string path, string manager, string json, bool force = false) => SendAsync(
        HttpMethod.Patch, $"{path}?fieldManager={manager}&force={(force ? "true" : "false")}", json,
            "application/apply-patch+yaml");

    public async Task<Answer> SendAsync(
        HttpMethod method, string path, string? body, string contentType = "application/json", string? accept = null)
    {
        using var request = new HttpRequestMessage(method, path);
        if (body is not null)
        {
            request.Content = new StringContent(body, Encoding.UTF8);
            request.Content.Headers.ContentType = new MediaTypeHeaderValue(contentType);
        }
        if (accept is not null) request.Headers.TryAddWithoutValidation("Accept", accept);
        using var response = await Http.SendAsync(request, Ct);
        var text = await response.Content.ReadAsStringAsync(Ct);
        var json = text.StartsWith('{') ? Parse(text) : [];
        response.Headers.TryGetValues("Warning", out var warnings);
        return new Answer(response.StatusCode, json, text, [.. warnings ?? []]);
    }

    /// <summary>Opens a watch and returns its lines.</summary>
    public async Task<StreamReader> WatchAsync(string path)
    {
        var response = await Http.GetAsync(path, HttpCompletionOption.ResponseHeadersRead, Ct);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        return new StreamReader(await response.Content.ReadAsStreamAsync(Ct));
    }

    /// <summary>The next event of a watch as "TYPE name".</summary>
    public static async Task<string> NextAsync(StreamReader watch)
    {
        var line = await watch.ReadLineAsync(Ct) ?? throw new EndOfStreamException("the watch ended");
        var json = Parse(line);
        return $"{json["type"]} {json["object"]?["metadata"]?["name"]}";
    }

    public async Task NamespaceAsync(string name) => await PostAsync("api/v1/namespaces",
        $$"""{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"{{name}}"} }""");

    public async ValueTask DisposeAsync()
    {
        await _app.StopAsync(Ct);
        await _app.DisposeAsync();
        Http.Dispose();
        _own?.Dispose();
    }
}

/// <summary>What a server answered.</summary>
internal sealed record Answer(HttpStatusCode Code, JsonObject Json, string Text, IReadOnlyList<string> Warnings)
{
    public string Message => Json["message"]?.GetValue<string>() ?? "";

    public string Reason => Json["reason"]?.GetValue<string>() ?? "";

    public string Revision => Json["metadata"]!["resourceVersion"]!.GetValue<string>();

    /// <summary>A value by its path of names.</summary>
    public string? At(params string[] path)
    {
        JsonNode? node = Json;
        foreach (var name in path) node = int.TryParse(name, out var index) ? node?[index] : node?[name];
        return node?.ToString();
    }
}
