using System.Globalization;
using Cloud.Processes;

namespace Cloud.Benchmarks.Worlds;

/// <summary>The simulated clusters of one benchmark: pods start at once, and nothing is ever full.</summary>
internal sealed class LocalSimulator : IAsyncDisposable
{
    private const string Nodes = "2";
    private const string Cpu = "4000";
    private const string Memory = "16000Gi";
    private const string Pods = "50000";

    private readonly GuardedProcess _process;

    private LocalSimulator(GuardedProcess process, Uri url, string kubeconfigPath, IReadOnlyList<string> clusters) =>
        (_process, Url, KubeconfigPath, Clusters) = (process, url, kubeconfigPath, clusters);

    public Uri Url { get; }

    /// <summary>A context per cluster, of the cluster's name.</summary>
    public string KubeconfigPath { get; }

    public IReadOnlyList<string> Clusters { get; }

    /// <summary>The process; what runs in pods are its children.</summary>
    public int ProcessId => _process.Id;

    /// <param name="directory">Where its state is; the same directory brings the same objects back.</param>
    public static async Task<LocalSimulator> StartAsync(string directory, int clusters, CancellationToken ct)
    {
        Directory.CreateDirectory(directory);
        var url = LocalService.Loopback(LocalStores.FreePort());
        var kubeconfig = Path.Combine(directory, "kubeconfig");
        var settings = new Dictionary<string, string?>
        {
            ["Simulator__ApiUrl"] = url.ToString(),
            ["Simulator__IngressUrl"] = LocalService.Loopback(LocalStores.FreePort()).ToString(),
            ["Simulator__StatePath"] = Path.Combine(directory, "state"),
            ["Simulator__KubeconfigPath"] = kubeconfig,
            ["Simulator__Programs__cloud/operator"] = Programs.PathOf("Operator"),
        };
        var names = Enumerable.Range(1, clusters)
            .Select(n => "bench-" + n.ToString(CultureInfo.InvariantCulture)).ToList();
        for (var n = 0; n < clusters; n++)
        {
            var prefix = string.Create(CultureInfo.InvariantCulture, $"Simulator__Clusters__{n}__");
            settings[prefix + "Name"] = names[n];
            settings[prefix + "Nodes"] = Nodes;
            settings[prefix + "Cpu"] = Cpu;
            settings[prefix + "Memory"] = Memory;
            settings[prefix + "Pods"] = Pods;
            settings[prefix + "PodStartDelay"] = "00:00:00";
        }

        var process = Programs.Start("Simulator", directory, settings);
        await LocalService.ReadyAsync("simulator", new Uri(url, "/health/ready"), process, ct);
        return new LocalSimulator(process, url, kubeconfig, names);
    }

    public async ValueTask DisposeAsync()
    {
        await _process.StopAsync();
        await _process.DisposeAsync();
    }
}
