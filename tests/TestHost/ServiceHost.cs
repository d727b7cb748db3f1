using System.Globalization;
using Cloud.LocalPostgres;
using Grpc.Net.Client;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Mvc.Testing;
using Microsoft.AspNetCore.TestHost;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Logging;

namespace Cloud.TestHost;

/// <summary>How a service is run in a test.</summary>
public sealed record ServiceHostOptions
{
    /// <summary>Configuration that wins over the service's own, with <c>:</c> between the parts of a key.</summary>
    public IReadOnlyDictionary<string, string?> Settings { get; init; } = new Dictionary<string, string?>();

    /// <summary>Replaces the clock of the service, usually by a <c>FakeTimeProvider</c>.</summary>
    public TimeProvider? Clock { get; init; }

    /// <summary>Last word on the services in the container.</summary>
    public Action<IServiceCollection>? Configure { get; init; }

    /// <summary>Listens on real ports (other services can be pointed at it) instead of in memory only.</summary>
    public bool Listening { get; init; }

    /// <summary>The usual settings of a service with a database and Redis.</summary>
    public static ServiceHostOptions For(TestDatabase database, RedisServer redis) => new()
    {
        Settings = new Dictionary<string, string?>
        {
            ["ConnectionStrings:cloud-db"] = database.ConnectionString,
            ["ConnectionStrings:redis"] = redis.ConnectionString,
        },
    };

    /// <summary>The same options with more settings.</summary>
    public ServiceHostOptions With(IEnumerable<KeyValuePair<string, string?>> settings)
    {
        var all = new Dictionary<string, string?>(Settings);
        foreach (var (key, value) in settings)
        {
            all[key] = value;
        }

        return this with { Settings = all };
    }
}

/// <summary>A process of a service, whichever.</summary>
public interface IReplica : IAsyncDisposable
{
    /// <summary>Its container.</summary>
    IServiceProvider Services { get; }

    /// <summary>A channel to it.</summary>
    GrpcChannel Channel { get; }
}

/// <summary>A real service in the test process: its own Program, its own container, its own background loops.</summary>
/// <typeparam name="TProgram">Any public type of the service's assembly.</typeparam>
public sealed class ServiceHost<TProgram> : WebApplicationFactory<TProgram>, IReplica
    where TProgram : class
{
    private readonly ServiceHostOptions _options;
    private readonly string _keys = Directory.CreateTempSubdirectory("cloud-keys-").FullName;
    private readonly int _grpcPort;
    private readonly int _httpPort;
    private GrpcChannel? _channel;

    public ServiceHost(ServiceHostOptions options)
    {
        _options = options;
        if (options.Listening)
        {
            _grpcPort = PostgresProcess.FreePort();
            _httpPort = PostgresProcess.FreePort();
            UseKestrel();
        }
    }

    /// <summary>A channel to the service; starts it when it is not running yet.</summary>
    public GrpcChannel Channel => _channel ??= Connect();

    /// <summary>Settings that point another service's client of the given name at this one. Needs
    /// <see cref="ServiceHostOptions.Listening"/>.</summary>
    public IReadOnlyDictionary<string, string?> AsPeer(string name)
    {
        if (!_options.Listening)
        {
            throw new InvalidOperationException("A service that does not listen cannot be a peer.");
        }

        _ = Services;
        return new Dictionary<string, string?>
        {
            [$"services:{name}:grpc:0"] = Url(_grpcPort),
            [$"services:{name}:http:0"] = Url(_httpPort),
        };
    }

    protected override void ConfigureWebHost(IWebHostBuilder builder)
    {
        var name = typeof(TProgram).Assembly.GetName().Name!["Cloud.".Length..];
        builder.UseEnvironment("Testing");
        builder.UseContentRoot(Path.Combine(Repository.Root, "services", name));
        builder.UseSetting("DataProtection:KeysPath", _keys);
        if (_options.Listening)
        {
            builder.UseSetting("Kestrel:Endpoints:grpc:Url", Url(_grpcPort));
            builder.UseSetting("Kestrel:Endpoints:http:Url", Url(_httpPort));
        }

        foreach (var (key, value) in _options.Settings)
        {
            builder.UseSetting(key, value);
        }

        builder.ConfigureLogging(logging => logging.SetMinimumLevel(LogLevel.Warning));
        builder.ConfigureTestServices(services =>
        {
            if (_options.Clock is { } clock)
            {
                services.RemoveAll<TimeProvider>();
                services.AddSingleton(clock);
            }

            _options.Configure?.Invoke(services);
        });
    }

    public override async ValueTask DisposeAsync()
    {
        _channel?.Dispose();
        await base.DisposeAsync();
        Directory.Delete(_keys, recursive: true);
    }

    private GrpcChannel Connect()
    {
        _ = Services;
        return _options.Listening
            ? GrpcChannel.ForAddress(Url(_grpcPort))
            : GrpcChannel.ForAddress("http://localhost", new GrpcChannelOptions { HttpHandler = Server.CreateHandler() });
    }

    private static string Url(int port) => $"http://127.0.0.1:{port.ToString(CultureInfo.InvariantCulture)}";
}
