using System.Globalization;
using System.Net.NetworkInformation;
using System.Text;
using System.Text.Json;
using Cloud.Processes;
using Grpc.Net.Client;
using Npgsql;

namespace Cloud.TestHost;

/// <summary>
/// The whole cloud, started as <c>./cloud up</c> starts it, on free ports and with state of its own. Ends with Ctrl+C,
/// which leaves nothing running; its state goes with it.
/// </summary>
public sealed class LocalWorld : IAsyncDisposable
{
    /// <summary>gRPC of the services, and the rest of what has fixed ports; README.md, "Addresses".</summary>
    public const int InstallationPort = 7101;
    public const int ClusterPort = 7102;
    public const int DatabasePoolPort = 7103;
    public const int MetricsPort = 7104;
    private const int FirstPort = InstallationPort;
    private const int LastPort = 7114;
    private const int PostgresPort = 7105;
    private const int SimulatorPort = 7107;
    private const int IngressPort = 8080;

    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(3);

    private readonly TemporaryDirectory _state = new();
    private readonly Lines _output = new();
    private readonly List<GrpcChannel> _channels = [];
    private readonly GuardedProcess _program;
    private readonly FileStream _claim;
    private readonly int _offset;

    private LocalWorld(string appHost, bool redisKeeps)
    {
        (_offset, _claim) = FreeOffset();
        _program = GuardedProcess.Start(
            new ProgramStart("dotnet", "exec", appHost)
            {
                Environment = new Dictionary<string, string?>
                {
                    ["CLOUD_STATE"] = _state.Path,
                    ["CLOUD_PORT_OFFSET"] = _offset.ToString(CultureInfo.InvariantCulture),
                    ["Redis__Directory"] = redisKeeps ? RedisPath : null,
                },
                StopSignal = Signal.Interrupt,
                StopWithin = TimeSpan.FromSeconds(40),
            },
            _output);
    }

    /// <summary>Everything the world keeps: logs, passwords, data.</summary>
    public string StatePath => _state.Path;

    /// <summary>What Redis knows, if it keeps it.</summary>
    public string RedisPath => Path.Combine(_state.Path, "redis");

    /// <summary>What the AppHost has printed so far.</summary>
    public string Output => _output.ToString();

    /// <summary>Completes when the AppHost has ended, which it does not by itself.</summary>
    public Task Ended => _program.Exited;

    /// <summary>Where browsers reach workspaces.</summary>
    public Uri Ingress => Address(IngressPort);

    /// <summary>Where the simulated clusters are.</summary>
    public Uri Simulator => Address(SimulatorPort);

    /// <summary>Starts the AppHost that was built beside the calling program, and waits until it is ready.</summary>
    /// <param name="redisKeeps">Whether a killed Redis comes back with what it knew.</param>
    /// <exception cref="InvalidOperationException">It does not come up; the message has what it printed.</exception>
    public static async Task<LocalWorld> StartAsync(bool redisKeeps, CancellationToken ct)
    {
        var program = Path.Combine(AppContext.BaseDirectory, "..", "..", "AppHost", "debug", "Cloud.AppHost.dll");
        var world = new LocalWorld(program, redisKeeps);
        try
        {
            var ready = world._output.Seen("ready");
            await Task.WhenAny(ready, world._program.Exited).WaitAsync(Patience, TimeProvider.System, ct);
            return ready.IsCompleted
                ? world
                : throw new InvalidOperationException($"The world did not come up:\n{world._output}");
        }
        catch
        {
            await world.DisposeAsync();
            throw;
        }
    }

    /// <summary>A channel to a fixed port; one for all that ask.</summary>
    public GrpcChannel Channel(int port)
    {
        lock (_channels)
        {
            var address = Address(port);
            var channel = _channels.Find(c => c.Target == address.Authority);
            if (channel is null)
            {
                channel = GrpcChannel.ForAddress(address);
                _channels.Add(channel);
            }

            return channel;
        }
    }

    /// <summary>How a role connects to the world's PostgreSQL.</summary>
    /// <param name="role">A service's, <c>provisioner</c>, or <c>postgres</c>, who may read everything.</param>
    /// <param name="database"><c>cloud</c> holds the services' tables.</param>
    public async Task<string> PostgresAsync(string role, string database, CancellationToken ct)
    {
        await using var file = File.OpenRead(Path.Combine(_state.Path, "passwords.json"));
        var passwords = await JsonSerializer.DeserializeAsync<Dictionary<string, string>>(file, cancellationToken: ct);
        return new NpgsqlConnectionStringBuilder
        {
            Host = "127.0.0.1", Port = PostgresPort + _offset, Username = role, Database = database,
            Password = passwords![role], Pooling = false,
        }.ConnectionString;
    }

    /// <summary>The ids of this world's processes whose command line contains a text; without those that one of them
    /// has just forked.</summary>
    public IReadOnlyList<int> Processes(string program) => WorldProcesses.FindParents(_state.Path, program);

    /// <summary>Ctrl+C.</summary>
    /// <exception cref="InvalidOperationException">It left processes behind.</exception>
    public async ValueTask DisposeAsync()
    {
        _channels.ForEach(channel => channel.Dispose());
        await _program.StopAsync();
        await _program.DisposeAsync();
        await _claim.DisposeAsync();
        var left = WorldProcesses.Find(_state.Path);
        if (left.Count > 0)
        {
            throw new InvalidOperationException($"The world left processes behind: {string.Join(", ", left)}.");
        }

        _state.Dispose();
    }

    private Uri Address(int port) => new($"http://127.0.0.1:{port + _offset}");

    /// <summary>
    /// Below the ports that tests hand out as free, and none that another world stands on or, held by a locked file,
    /// is about to.
    /// </summary>
    private static (int Offset, FileStream Claim) FreeOffset()
    {
        var taken = IPGlobalProperties.GetIPGlobalProperties().GetActiveTcpListeners().Select(l => l.Port).ToHashSet();
        foreach (var offset in Enumerable.Range(0, 6).Select(n => 3_000 + (n * 1_500)))
        {
            if (!taken.Any(port => port - offset is (>= FirstPort and <= LastPort) or IngressPort)
                && Claim(offset) is { } claim)
            {
                return (offset, claim);
            }
        }

        throw new InvalidOperationException("Six worlds run on this machine already; there are no ports for another.");
    }

    private static FileStream? Claim(int offset)
    {
        var file = Path.Combine(Path.GetTempPath(), $"cloud-world-{offset}.lock");
        try
        {
            return new FileStream(file, FileMode.OpenOrCreate, FileAccess.Write, FileShare.None);
        }
        catch (IOException)
        {
            return null;
        }
    }

    /// <summary>Collects what the program prints and tells when a line appears.</summary>
    private sealed class Lines : MemoryStream
    {
        private readonly Lock _gate = new();
        private readonly TaskCompletionSource _seen = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private string _awaited = "\0";

        public override void Write(ReadOnlySpan<byte> buffer)
        {
            lock (_gate)
            {
                base.Write(buffer);
                Look();
            }
        }

        public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
        {
            Write(buffer.Span);
            return ValueTask.CompletedTask;
        }

        public Task Seen(string line)
        {
            lock (_gate)
            {
                _awaited = $"\n{line}\n";
                Look();
            }

            return _seen.Task;
        }

        public override string ToString()
        {
            lock (_gate)
            {
                return Encoding.UTF8.GetString(GetBuffer(), 0, (int)Length);
            }
        }

        private void Look()
        {
            if (!_seen.Task.IsCompleted && ToString().Contains(_awaited, StringComparison.Ordinal))
            {
                _seen.TrySetResult();
            }
        }
    }
}
