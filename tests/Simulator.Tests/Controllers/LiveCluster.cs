using System.Text.Json.Nodes;
using System.Threading.Channels;
using Cloud.Simulator.ApiServers;
using Cloud.Simulator.Applications;
using Cloud.Simulator.Controllers;
using Cloud.Simulator.Ingress;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using Xunit;

namespace Cloud.Simulator.Tests.Controllers;

/// <summary>
/// One simulated cluster with its controllers, on a clock that moves by itself: whenever nothing is left to do and
/// what a test waits for has not happened, time jumps to the next timer.
/// </summary>
internal sealed class LiveCluster : IAsyncDisposable
{
    public const string Namespace = "story";

    /// <summary>Simulated time after which a story that has not come true is wrong.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromHours(3);

    private readonly ApplicationStore _store;
    private IngressServer? _ingress;

    public LiveCluster(
        int nodes = 4, string cpu = "8", int pods = 110, IClusterApi? api = null, FakeTimeProvider? clock = null,
        RuntimeSettings? runtime = null)
    {
        Clock = clock ?? new FakeTimeProvider(new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero));
        var settings = new ClusterSettings { Name = "test", Nodes = nodes, Cpu = cpu, Pods = pods };
        Api = api ?? new ApiServer(settings, Clock, stateDirectory: null);
        _store = new ApplicationStore(TimeProvider.System);
        var byRepository = MattermostApplication.Repositories.ToDictionary(
            r => r, IContainerProgram (_) => new MattermostApplication(_store, Clock));
        // Real programs live in real time, and so does a cluster that has any.
        foreach (var (repository, path) in runtime?.Programs ?? new Dictionary<string, string>())
            byRepository[repository] = new ChildProgram(path, runtime!, TimeProvider.System, Log);
        TimeProvider time = runtime is null ? Clock : TimeProvider.System;
        Controllers = new ClusterControllers(new SimulatedCluster(settings, Api, new Faults(new Random(1))),
            runtime ?? new RuntimeSettings(), new ContainerPrograms(time, byRepository), time, new Random(1), Log);
        Controllers.Start();
    }

    public FakeTimeProvider Clock { get; }

    public IClusterApi Api { get; }

    public ClusterControllers Controllers { get; }

    private static ILogger Log => NullLogger.Instance;

    /// <summary>A cluster with the namespace of the story.</summary>
    public static async Task<LiveCluster> StartAsync(
        int nodes = 4, string cpu = "8", int pods = 110, RuntimeSettings? runtime = null)
    {
        var cluster = new LiveCluster(nodes, cpu, pods, runtime: runtime);
        await cluster.Until(() => cluster.Api.Get("nodes", null, $"test-node-{nodes}") is not null);
        cluster.Create("namespaces", Parse($$"""
            {"apiVersion":"v1","kind":"Namespace","metadata":{"name":"{{Namespace}}"} }
            """));
        return cluster;
    }

    public static JsonObject Parse(string json) => (JsonObject)JsonNode.Parse(json)!;

    public JsonObject? Get(string resource, string name) => Api.Get(resource, Namespace, name);

    public IReadOnlyList<JsonObject> List(string resource) => Api.List(resource, Namespace);

    public JsonObject Create(string resource, JsonObject obj) => Api.Create(resource, obj, "test");

    /// <summary>Changes an object's spec as a user would.</summary>
    public void Change(string resource, string name, Action<JsonObject> change)
    {
        while (true)
        {
            var obj = Get(resource, name)!;
            change(obj);
            try
            {
                Api.Update(resource, obj, "test");
                return;
            }
            catch (ApiException problem) when (problem.Reason == "Conflict")
            {
                // A controller wrote in between: take the newer one, as kubectl does.
            }
        }
    }

    public void Delete(string resource, string name, string propagation = "Background") =>
        Api.Delete(resource, Namespace, name, propagation);

    /// <summary>Lets the cluster work, and time pass, until something is so.</summary>
    public async Task Until(Func<bool> condition)
    {
        var ct = TestContext.Current.CancellationToken;
        var giveUp = Clock.GetUtcNow() + Patience;
        while (!condition())
        {
            var due = await Controllers.IdleAsync(ct);
            if (condition()) return;
            Assert.True(Clock.GetUtcNow() < giveUp, "it never came true");
            var step = (due ?? Clock.GetUtcNow()) - Clock.GetUtcNow();
            Clock.Advance(step > TimeSpan.Zero ? step : TimeSpan.FromMilliseconds(1));
        }
    }

    /// <summary>In real time: waits until something about the pods is so, looking whenever one changes.</summary>
    public async Task Heard(Func<bool> condition)
    {
        var changes = Channel.CreateUnbounded<WatchEvent>();
        using var watch = Api.Watch("pods", change => changes.Writer.TryWrite(change));
        while (!condition()) await changes.Reader.ReadAsync(TestContext.Current.CancellationToken);
    }

    /// <summary>A client of this cluster's ingress.</summary>
    public async Task<HttpClient> BrowseAsync()
    {
        var settings = new RuntimeSettings { IngressUrl = new Uri("http://127.0.0.1:0") };
        _ingress = new IngressServer(settings, _store, TimeProvider.System, Log);
        await _ingress.StartAsync([Controllers.Routes], TestContext.Current.CancellationToken);
        return new HttpClient { BaseAddress = _ingress.Address };
    }

    /// <summary>Lets the cluster finish what it has begun, without letting time pass.</summary>
    public Task Settle() => Controllers.IdleAsync(TestContext.Current.CancellationToken);

    public async ValueTask DisposeAsync()
    {
        if (_ingress is not null) await _ingress.DisposeAsync();
        await Controllers.StopAsync(TestContext.Current.CancellationToken);
        await Controllers.DisposeAsync();
        _store.Dispose();
        (Api as IDisposable)?.Dispose();
    }
}
