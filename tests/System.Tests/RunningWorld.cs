using System.Globalization;
using System.Net.NetworkInformation;
using System.Text;
using System.Text.Json.Nodes;
using Cloud.Processes;
using Cloud.Protos.Cluster.V1;
using Cloud.Protos.DatabasePool.V1;
using Cloud.Protos.Installation.V1;
using Cloud.Protos.Metrics.V1;
using Cloud.TestHost;
using Grpc.Net.Client;
using Npgsql;
using Xunit;

namespace Cloud.System.Tests;

/// <summary>All stories share one world and are told one after the other: some of them kill its programs.</summary>
[CollectionDefinition(Name)]
public sealed class TheWorld : ICollectionFixture<RunningWorld>
{
    public const string Name = "the world";
}

/// <summary>The whole cloud, started as <c>./cloud up</c> starts it, on ports and with state of its own.</summary>
public sealed class RunningWorld : IAsyncLifetime
{
    private const int FirstPort = 7101;
    private const int LastPort = 7114;
    private const int IngressPort = 8080;

    // Below the ports that tests hand out as free, and none that another world stands on.
    private static readonly int Offset = Enumerable.Range(0, 6).Select(n => 3_000 + (n * 1_500)).First(IsFree);

    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(3);

    private readonly TemporaryDirectory _state = new();
    private readonly Lines _output = new();
    private readonly List<GrpcChannel> _channels = [];
    private GuardedProcess? _program;

    public HttpClient Browser { get; } = new();

    public InstallationService.InstallationServiceClient Installations => new(Channel(7101));

    public ClusterService.ClusterServiceClient Clusters => new(Channel(7102));

    public LogicalDatabaseService.LogicalDatabaseServiceClient LogicalDatabases => new(Channel(7103));

    public EventService.EventServiceClient Events => new(Channel(7104));

    public string StatePath => _state.Path;

    public async ValueTask InitializeAsync()
    {
        var program = Path.Combine(AppContext.BaseDirectory, "..", "..", "AppHost", "debug", "Cloud.AppHost.dll");
        _program = GuardedProcess.Start(
            new ProgramStart("dotnet", "exec", program)
            {
                Environment = new Dictionary<string, string?>
                {
                    ["CLOUD_STATE"] = _state.Path,
                    ["CLOUD_PORT_OFFSET"] = Offset.ToString(CultureInfo.InvariantCulture),
                },
                StopSignal = Signal.Interrupt,
                StopWithin = TimeSpan.FromSeconds(40),
            },
            _output);
        var first = await Task.WhenAny(_output.Seen("ready"), _program.Exited).WaitAsync(Patience);
        Assert.True(first != _program.Exited, $"The world did not come up:\n{_output}");
    }

    /// <summary>Ctrl+C, which must leave nothing running.</summary>
    public async ValueTask DisposeAsync()
    {
        _channels.ForEach(channel => channel.Dispose());
        Browser.Dispose();
        if (_program is not null)
        {
            await _program.StopAsync();
            Assert.Empty(ProcessesOfThisWorld.Find(_state.Path));
        }

        _state.Dispose();
    }

    public GrpcChannel Channel(int port)
    {
        lock (_channels)
        {
            var address = $"http://127.0.0.1:{port + Offset}";
            var channel = _channels.Find(c => address.EndsWith(c.Target, StringComparison.Ordinal));
            if (channel is null)
            {
                channel = GrpcChannel.ForAddress(address);
                _channels.Add(channel);
            }

            return channel;
        }
    }

    /// <summary>What a browser gets at a workspace's address.</summary>
    public async Task<(int Status, string Page)> VisitAsync(string host, CancellationToken ct)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, $"http://127.0.0.1:{IngressPort + Offset}/");
        request.Headers.Host = host;
        using var answer = await Browser.SendAsync(request, ct);
        return ((int)answer.StatusCode, await answer.Content.ReadAsStringAsync(ct));
    }

    /// <summary>Asks the API server of one of the clusters.</summary>
    public async Task<JsonNode> KubernetesAsync(HttpMethod method, string cluster, string path, CancellationToken ct)
    {
        using var request = new HttpRequestMessage(method, $"http://127.0.0.1:{7107 + Offset}/clusters/{cluster}{path}");
        using var answer = await Browser.SendAsync(request, ct);
        answer.EnsureSuccessStatusCode();
        return JsonNode.Parse(await answer.Content.ReadAsStringAsync(ct))!;
    }

    /// <summary>Names of the databases and roles on the customers' server that belong to an installation.</summary>
    public async Task<IReadOnlyList<string>> TracesInPostgresAsync(string installationId, CancellationToken ct)
    {
        var passwords = JsonNode.Parse(await File.ReadAllTextAsync(Path.Combine(_state.Path, "passwords.json"), ct))!;
        var connection = new NpgsqlConnectionStringBuilder
        {
            Host = "127.0.0.1", Port = 7105 + Offset, Username = "provisioner", Database = "postgres",
            Password = passwords["provisioner"]!.GetValue<string>(), Pooling = false,
        };
        await using var source = NpgsqlDataSource.Create(connection);
        await using var command = source.CreateCommand(
            """
            SELECT datname FROM pg_database WHERE datname LIKE $1
            UNION ALL SELECT rolname FROM pg_roles WHERE rolname LIKE $1
            """);
        command.Parameters.Add(new NpgsqlParameter { Value = $"%{installationId}%" });
        await using var reader = await command.ExecuteReaderAsync(ct);
        var found = new List<string>();
        while (await reader.ReadAsync(ct))
        {
            found.Add(reader.GetString(0));
        }

        return found;
    }

    private static bool IsFree(int offset)
    {
        var taken = IPGlobalProperties.GetIPGlobalProperties().GetActiveTcpListeners().Select(l => l.Port - offset);
        return !taken.Any(port => port is (>= FirstPort and <= LastPort) or IngressPort);
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

        public override string ToString() => Encoding.UTF8.GetString(ToArray());

        private void Look()
        {
            if (ToString().Contains(_awaited, StringComparison.Ordinal))
            {
                _seen.TrySetResult();
            }
        }
    }
}
