using Grpc.Net.Client;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http.Features;
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

/// <summary>A real service in the test process: its own Program, its own container, its own background loops, its own
/// ports. Not over the in-memory server: that one gives the buffer of an answer back to the process's pool when its
/// client goes, even while the service still writes into it, so that other calls read garbage.</summary>
/// <typeparam name="TProgram">Any public type of the service's assembly.</typeparam>
public sealed class ServiceHost<TProgram> : WebApplicationFactory<TProgram>, IReplica
    where TProgram : class
{
    private const string AnyPort = "http://127.0.0.1:0";
    private const int GrpcEndpoint = 0;
    private const int HttpEndpoint = 1;

    private readonly ServiceHostOptions _options;
    private readonly string _keys = Directory.CreateTempSubdirectory("cloud-keys-").FullName;
    private GrpcChannel? _channel;
    private HttpClient? _http;

    public ServiceHost(ServiceHostOptions options)
    {
        _options = options;
        UseKestrel();
    }

    /// <summary>A channel to the service; starts it when it is not running yet.</summary>
    public GrpcChannel Channel => _channel ??= GrpcChannel.ForAddress(Address(GrpcEndpoint));

    /// <summary>A client of its health and metrics; starts it when it is not running yet.</summary>
    public HttpClient Http => _http ??= new HttpClient { BaseAddress = new Uri(Address(HttpEndpoint)) };

    /// <summary>Settings that point another service's client of the given name at this one.</summary>
    public IReadOnlyDictionary<string, string?> AsPeer(string name) => new Dictionary<string, string?>
    {
        [$"services:{name}:grpc:0"] = Address(GrpcEndpoint),
        [$"services:{name}:http:0"] = Address(HttpEndpoint),
    };

    protected override void ConfigureWebHost(IWebHostBuilder builder)
    {
        var name = typeof(TProgram).Assembly.GetName().Name!["Cloud.".Length..];
        builder.UseEnvironment("Testing");
        builder.UseContentRoot(Path.Combine(Repository.Root, "services", name));
        builder.UseSetting("DataProtection:KeysPath", _keys);
        builder.UseSetting("Kestrel:Endpoints:grpc:Url", AnyPort);
        builder.UseSetting("Kestrel:Endpoints:http:Url", AnyPort);
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
        _http?.Dispose();
        await base.DisposeAsync();
        Directory.Delete(_keys, recursive: true);
    }

    /// <summary>Where it listens; Kestrel names its endpoints in the order of their names.</summary>
    private string Address(int endpoint) => Services.GetRequiredService<IServer>().Features
        .GetRequiredFeature<IServerAddressesFeature>().Addresses.ElementAt(endpoint);
}
