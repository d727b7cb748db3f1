using System.Globalization;
using Cloud.Processes;
using Grpc.Net.Client;

namespace Cloud.Benchmarks.Worlds;

/// <summary>A service of the product in a process of its own.</summary>
internal sealed class LocalService : IAsyncDisposable
{
    private static readonly TimeSpan ReadyWithin = TimeSpan.FromMinutes(2);
    private static readonly TimeSpan LookAgainAfter = TimeSpan.FromMilliseconds(50);

    private readonly GuardedProcess _process;

    private LocalService(string name, Uri address, GuardedProcess process)
    {
        (Name, Address, _process) = (name, address, process);
        Channel = GrpcChannel.ForAddress(address);
    }

    /// <summary>As others discover it.</summary>
    public string Name { get; }

    /// <summary>Of its gRPC endpoint.</summary>
    public Uri Address { get; }

    public int ProcessId => _process.Id;

    public GrpcChannel Channel { get; }

    /// <summary>Starts it and waits until it says that it is ready.</summary>
    /// <param name="name">As others discover it, which also names its project and its role.</param>
    /// <param name="peers">Where the services it calls are, by name.</param>
    /// <param name="more">More of its configuration.</param>
    public static async Task<LocalService> StartAsync(
        string name,
        LocalStores stores,
        IReadOnlyDictionary<string, Uri> peers,
        IReadOnlyDictionary<string, string?> more,
        CancellationToken ct)
    {
        var (grpc, http) = (Loopback(LocalStores.FreePort()), Loopback(LocalStores.FreePort()));
        var settings = new Dictionary<string, string?>(more)
        {
            ["ConnectionStrings__cloud-db"] = stores.For(name.Replace('-', '_')),
            ["ConnectionStrings__redis"] = stores.RedisConnectionString,
            ["DataProtection__KeysPath"] = Path.Combine(stores.Directory, "keys", name),
            ["Kestrel__Endpoints__grpc__Url"] = grpc.ToString(),
            ["Kestrel__Endpoints__http__Url"] = http.ToString(),
        };
        foreach (var (peer, address) in peers)
        {
            settings[$"services__{peer}__grpc__0"] = address.ToString();
        }

        var project = string.Concat(name.Split('-').Select(word => char.ToUpperInvariant(word[0]) + word[1..]));
        var process = Programs.Start(project, stores.Directory, settings);
        await ReadyAsync(name, new Uri(http, "/health/ready"), process, ct);
        return new LocalService(name, grpc, process);
    }

    /// <summary>Waits until an address answers well.</summary>
    public static async Task ReadyAsync(string name, Uri address, GuardedProcess process, CancellationToken ct)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(ct);
        limit.CancelAfter(ReadyWithin);
        using var client = new HttpClient();
        while (!process.Exited.IsCompleted)
        {
            try
            {
                using var answer = await client.GetAsync(address, limit.Token);
                if (answer.IsSuccessStatusCode)
                {
                    return;
                }
            }
            catch (HttpRequestException)
            {
                // Not listening yet.
            }

            await Task.Delay(LookAgainAfter, TimeProvider.System, limit.Token);
        }

        throw new InvalidOperationException($"{name} ended with code {await process.Exited}; see its log.");
    }

    public static Uri Loopback(int port) =>
        new(string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{port}"));

    public async ValueTask DisposeAsync()
    {
        Channel.Dispose();
        await _process.StopAsync();
        await _process.DisposeAsync();
    }
}
