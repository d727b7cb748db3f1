using System.Text.Json.Nodes;
using Cloud.Operator.Mattermosts;
using Cloud.Simulator.ApiServers;
using Cloud.Simulator.Controllers;
using Cloud.TestHost;
using Cloud.Watching;
using k8s;
using k8s.Models;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Cloud.Operator.Tests.Loop;

/// <summary>A simulated cluster behind real HTTP, and real operators that work in it.</summary>
public sealed class World : IAsyncDisposable
{
    public const string Namespace = "team";

    /// <summary>
    /// A story that has not come true by then is wrong, or the machine is; either way it must not hang.
    /// </summary>
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    private static readonly TimeSpan LookAgainAfter = TimeSpan.FromMilliseconds(50);

    private readonly CancellationTokenSource _patience =
        CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
    private readonly TemporaryDirectory _directory = new();
    private readonly List<IHost> _operators = [];
    private WebApplication _simulator = null!;
    private string _kubeconfig = "";

    public KubernetesApi Api { get; private set; } = null!;

    private CancellationToken Cancellation => _patience.Token;

    private Faults Faults => _simulator.Services.GetRequiredService<SimulatedClusters>().All[0].Faults;

    /// <param name="nodes">Without nodes no pod ever starts, so that whatever is in progress stays so.</param>
    public static async Task<World> Start(int nodes = 2)
    {
        var world = new World();
        world._patience.CancelAfter(Patience);
        world._kubeconfig = Path.Combine(world._directory.Path, "kubeconfig");
        await world.StartSimulator(nodes);
        world.Api = KubernetesClients.FromFile(world._kubeconfig, TimeProvider.System);
        await world.InstallDefinition();
        foreach (var name in (string[])[Namespace, "mattermost-operator"])
        {
            var ns = new V1Namespace { Metadata = new V1ObjectMeta { Name = name } };
            await world.Api.Create(ResourceKinds.Namespaces, ns, "test", world.Cancellation);
        }

        return world;
    }

    public async Task<IHost> StartOperator(OperatorOptions? options = null)
    {
        var builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
        builder.Logging.AddProvider(new TestLog(TestContext.Current.TestOutputHelper)).SetMinimumLevel(LogLevel.Debug);
        builder.AddOperator(options ?? new OperatorOptions { Instance = "test" }, _kubeconfig);
        var host = builder.Build();
        _operators.Add(host);
        await host.StartAsync(Cancellation);
        return host;
    }

    /// <summary>Makes requests to the API server fail.</summary>
    public void Break(FaultRule fault) => Faults.Put(fault);

    public void Mend(string faultId) => Assert.True(Faults.Remove(faultId));

    public async Task StopOperator(IHost host)
    {
        _operators.Remove(host);
        using var impatience = new CancellationTokenSource(Patience);
        await host.StopAsync(impatience.Token);
        host.Dispose();
    }

    /// <summary>Puts the usual Secret and a resource with it in place.</summary>
    public async Task<Mattermost> Create(string name, string spec = "{}", bool withSecret = true)
    {
        if (withSecret)
        {
            await CreateSecret($"{name}-database");
        }

        var document = JsonNode.Parse($$$"""
            {"metadata":{"name":"{{{name}}}","namespace":"{{{Namespace}}}"},
             "spec":{"image":"example/app","version":"1.0","replicas":1,
                     "ingress":{"enabled":true,"host":"{{{name}}}.localhost"},
                     "database":{"external":{"secret":"{{{name}}}-database"}},
                     "fileStore":{"local":{"enabled":true,"storageSize":"1Gi"}}
             }}
            """)!.AsObject();
        Manifests.GoldenCase.Merge(document["spec"]!.AsObject(), JsonNode.Parse(spec)!.AsObject());
        return await Api.Create(
            Mattermost.ResourceKind, KubernetesJson.Deserialize<Mattermost>(document), "test", Cancellation);
    }

    public Task CreateSecret(string name) => Api.Create(
        ResourceKinds.Secrets,
        new V1Secret
        {
            Metadata = new V1ObjectMeta { Name = name, NamespaceProperty = Namespace },
            Data = new Dictionary<string, byte[]> { ["DB_CONNECTION_STRING"] = "postgres://u:p@h/d"u8.ToArray() },
        },
        "test", Cancellation);

    public Task Change(string name, string spec) => Api.MergePatch(
        Mattermost.ResourceKind, new ObjectKey(Namespace, name),
        new JsonObject { ["spec"] = JsonNode.Parse(spec) }, "test", null, Cancellation);

    public Task<T?> Find<T>(ResourceKind<T> kind, string name)
        where T : class, IKubernetesObject<V1ObjectMeta> =>
        Api.Find(kind, new ObjectKey(kind.Namespaced ? Namespace : "", name), Cancellation);

    /// <summary>Follows one object until it is as the test says; null stands for its absence.</summary>
    public async Task<T?> Until<T>(ResourceKind<T> kind, string name, Func<T?, bool> holds)
        where T : class, IKubernetesObject<V1ObjectMeta>
    {
        var selection = new Selection(Namespace, FieldSelector: $"metadata.name={name}");
        while (true)
        {
            var page = await Api.ListPage(kind, selection, null, null, Cancellation);
            var now = page.Items.SingleOrDefault();
            if (holds(now))
            {
                return now;
            }

            var watch = Api.Watch(
                kind, selection, page.ResourceVersion, TimeSpan.FromMinutes(1), opened: null, Cancellation);
            await foreach (var change in watch)
            {
                now = change.Kind == WatchEventKind.Deleted ? null : change.Object ?? now;
                if (holds(now))
                {
                    return now;
                }
            }
        }
    }

    public async Task Until(Func<bool> holds)
    {
        while (!holds())
        {
            await Task.Delay(LookAgainAfter, TimeProvider.System, Cancellation);
        }
    }

    public async Task<Mattermost> UntilStatus(string name, Func<MattermostStatus, bool> holds) => (await Until(
        Mattermost.ResourceKind, name,
        m => m?.Status is { } status && status.ObservedGeneration == m.Metadata.Generation && holds(status)))!;

    public Task<Mattermost> UntilStable(string name) =>
        UntilStatus(name, s => s.State == MattermostState.Stable);

    public async ValueTask DisposeAsync()
    {
        foreach (var host in _operators.ToList())
        {
            await StopOperator(host);
        }

        Api.Dispose();
        using var impatience = new CancellationTokenSource(TimeSpan.FromMilliseconds(100));
        await _simulator.StopAsync(impatience.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await _simulator.DisposeAsync();
        _directory.Dispose();
        _patience.Dispose();
    }

    private async Task StartSimulator(int nodes)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Services.AddSingleton(TimeProvider.System);
        builder.Services.AddApiServers(new ApiServerSettings
        {
            ApiUrl = new Uri("http://127.0.0.1:0"),
            KubeconfigPath = _kubeconfig,
            StatePath = "",
            Clusters = [new ClusterSettings { Name = "test", Nodes = nodes, PodStartDelay = TimeSpan.Zero }],
        });
        builder.Services.AddClusterControllers(new RuntimeSettings
        {
            StatePath = _directory.Path, IngressUrl = new Uri("http://127.0.0.1:0"), StopDelay = TimeSpan.Zero,
        });
        _simulator = builder.Build();
        _simulator.MapApiServers();
        await _simulator.StartAsync(Cancellation);
    }

    private async Task InstallDefinition()
    {
        await using var stream = typeof(Mattermost).Assembly.GetManifestResourceStream("mattermosts.yaml")!;
        using var reader = new StreamReader(stream);
        var text = await reader.ReadToEndAsync(Cancellation);
        var definition = KubernetesYaml.Deserialize<V1CustomResourceDefinition>(text);
        await new Applier(Api, "test").Apply(
            ResourceKinds.CustomResourceDefinitions, definition, live: null, force: true, Cancellation);
        await Until(ResourceKinds.CustomResourceDefinitions, definition.Metadata.Name, d =>
            d?.Status?.Conditions?.Any(c => c.Type == "Established" && c.Status == "True") == true);
    }
}
