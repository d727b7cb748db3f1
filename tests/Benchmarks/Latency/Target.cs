using Cloud.Benchmarks.Worlds;
using Cloud.Protos.Installation.V1;
using Grpc.Net.Client;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Npgsql;
using StackExchange.Redis;

namespace Cloud.Benchmarks.Latency;

/// <summary>An installation service, the product's or a bare one, with peers of its own that note its calls.</summary>
/// <param name="Client">Where requests go.</param>
/// <param name="Times">What the peers noted.</param>
/// <param name="Parts">What ends with it, first to last.</param>
internal sealed record Target(
    InstallationService.InstallationServiceClient Client, CallTimes Times, params IReadOnlyList<IAsyncDisposable> Parts)
    : IAsyncDisposable
{
    public static async Task<Target> ProductAsync(
        LocalStores stores, IConnectionMultiplexer redis, CancellationToken ct)
    {
        var times = new CallTimes();
        var peers = await PeersAsync(times, redis, ct);
        var address = new Uri(peers.Urls.Single());
        var service = await LocalService.StartAsync(
            "installation",
            stores,
            new Dictionary<string, Uri>
            {
                ["cluster"] = address, ["database-pool"] = address, ["metrics"] = address,
            },
            new Dictionary<string, string?> { ["Dns__Domains__0"] = "localhost" },
            ct);
        return new Target(new(service.Channel), times, service, peers);
    }

    public static async Task<Target> FloorAsync(
        LocalStores stores, IConnectionMultiplexer redis, CancellationToken ct)
    {
        var times = new CallTimes();
        var peers = await PeersAsync(times, redis, ct);
        var source = NpgsqlDataSource.Create(stores.For("bench") + ";Max Auto Prepare=20;No Reset On Close=true");
        await BareService.PrepareAsync(source, ct);
        var channel = GrpcChannel.ForAddress(peers.Urls.Single());
        var service = new BareService(source, redis, new(channel), new(channel), new(channel));
        await service.ListenAsync();
        var app = await HostAsync(
            services => services.AddSingleton(service), app => app.MapGrpcService<BareService>(), ct);
        return new Target(new(GrpcChannel.ForAddress(app.Urls.Single())), times, app, source, peers);
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var part in Parts)
        {
            await part.DisposeAsync();
        }
    }

    private static Task<WebApplication> PeersAsync(
        CallTimes times, IConnectionMultiplexer redis, CancellationToken ct) => HostAsync(
        services => services.AddSingleton(times).AddSingleton(redis).AddSingleton<PlacementPeer>()
            .AddSingleton<DatabasePeer>().AddSingleton<PodsPeer>().AddSingleton<EventsPeer>(),
        app =>
        {
            app.MapGrpcService<PlacementPeer>();
            app.MapGrpcService<DatabasePeer>();
            app.MapGrpcService<PodsPeer>();
            app.MapGrpcService<EventsPeer>();
        },
        ct);

    private static async Task<WebApplication> HostAsync(
        Action<IServiceCollection> add, Action<WebApplication> map, CancellationToken ct)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.ListenLocalhost(
            LocalStores.FreePort(), listen => listen.Protocols = HttpProtocols.Http2));
        builder.Services.AddGrpc();
        add(builder.Services);
        var app = builder.Build();
        map(app);
        await app.StartAsync(ct);
        return app;
    }
}
