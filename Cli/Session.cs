using System.CommandLine;
using System.Globalization;
using Cloud.Protos.Cluster.V1;
using Cloud.Protos.DatabasePool.V1;
using Cloud.Protos.Installation.V1;
using Cloud.Protos.Metrics.V1;
using Grpc.Core;
using Grpc.Net.Client;

namespace Cloud.Cli;

/// <summary>How results are written.</summary>
public enum OutputFormat
{
    /// <summary>Aligned columns for people.</summary>
    Table,

    /// <summary>The API's own JSON; one document, or one line per message where a command follows something.</summary>
    Json,
}

/// <summary>
/// What one run of the program talks to. The services listen on fixed ports of one host; <c>CLOUD_HOST</c> and
/// <c>CLOUD_PORT_OFFSET</c> say where that is when it is not this machine's first world.
/// </summary>
public sealed class Session : IDisposable
{
    private const int InstallationPort = 7101;
    private const int ClusterPort = 7102;
    private const int DatabasePoolPort = 7103;
    private const int MetricsPort = 7104;

    private readonly List<GrpcChannel> _channels = [];
    private readonly string _host;
    private readonly int _offset;
    private readonly CallInvokerSource _source;

    public Session(ParseResult parsed)
    {
        _host = HostOf(parsed.GetValue(Host));
        _offset = OffsetOf(Environment.GetEnvironmentVariable("CLOUD_PORT_OFFSET"));
        Format = parsed.GetValue(Output);
        _source = new CallInvokerSource(Channel);
    }

    /// <summary><c>--output</c>.</summary>
    public static Option<OutputFormat> Output { get; } = new("--output", "-o")
    {
        Description = "table for people, json for programs",
        Recursive = true,
        DefaultValueFactory = _ => OutputFormat.Table,
    };

    /// <summary><c>--host</c>.</summary>
    public static Option<string?> Host { get; } = new("--host")
    {
        Description = "where the services listen (default: CLOUD_HOST, else 127.0.0.1)",
        Recursive = true,
        DefaultValueFactory = _ => Environment.GetEnvironmentVariable("CLOUD_HOST"),
    };

    /// <summary><c>--trace</c>.</summary>
    public static Option<bool> Trace { get; } = new("--trace")
    {
        Description = "print everything an error carries",
        Recursive = true,
    };

    public OutputFormat Format { get; }

    public InstallationService.InstallationServiceClient Installations => new(_source.For(InstallationPort));

    public ClusterService.ClusterServiceClient Clusters => new(_source.For(ClusterPort));

    public ClusterInstallationService.ClusterInstallationServiceClient ClusterInstallations =>
        new(_source.For(ClusterPort));

    public DatabaseServerService.DatabaseServerServiceClient DatabaseServers => new(_source.For(DatabasePoolPort));

    public LogicalDatabaseService.LogicalDatabaseServiceClient LogicalDatabases => new(_source.For(DatabasePoolPort));

    public EventService.EventServiceClient Events => new(_source.For(MetricsPort));

    public WebhookService.WebhookServiceClient Webhooks => new(_source.For(MetricsPort));

    public FleetService.FleetServiceClient Fleet => new(_source.For(MetricsPort));

    public void Dispose() => _channels.ForEach(channel => channel.Dispose());

    /// <summary>A name or an address, an IPv6 one with its brackets or without.</summary>
    private static string HostOf(string? words) => words switch
    {
        null or "" => "127.0.0.1",
        _ when Uri.CheckHostName(words) is not UriHostNameType.Unknown => words,
        _ => throw new Refusal(
            ExitCode.Usage, $"\"{words}\" is no host: --host or CLOUD_HOST takes a name or an address without a port."),
    };

    private static int OffsetOf(string? words)
    {
        if (string.IsNullOrEmpty(words))
        {
            return 0;
        }

        return int.TryParse(words, NumberStyles.Integer, CultureInfo.InvariantCulture, out var offset)
            && offset is > -InstallationPort and <= ushort.MaxValue - MetricsPort
                ? offset
                : throw new Refusal(ExitCode.Usage, $"CLOUD_PORT_OFFSET is \"{words}\", which leads to no port.");
    }

    private GrpcChannel Channel(int port)
    {
        var address = new UriBuilder(Uri.UriSchemeHttp, _host, port + _offset).Uri;
        var channel = GrpcChannel.ForAddress(
            address, new GrpcChannelOptions { ServiceConfig = NormalRetries.Config() });
        _channels.Add(channel);
        return channel;
    }

    /// <summary>One channel per port, each call with the caller's name and, if it is not a stream, a
    /// deadline.</summary>
    private sealed class CallInvokerSource(Func<int, GrpcChannel> open)
    {
        private readonly Dictionary<int, CallInvoker> _invokers = [];

        public CallInvoker For(int port)
        {
            if (!_invokers.TryGetValue(port, out var invoker))
            {
                invoker = new NamedCaller(open(port).CreateCallInvoker());
                _invokers[port] = invoker;
            }

            return invoker;
        }
    }
}
