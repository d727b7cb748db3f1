using System.Collections.Concurrent;
using System.Text;
using System.Net;
using Cloud.LocalPostgres;
using Cloud.Protos.Metrics.V1;
using Cloud.ServiceDefaults.Hosting;
using Cloud.ServiceDefaults.Storage;
using Cloud.ServiceDefaults.Supervision;
using Cloud.ServiceDefaults.Tests.Parcels;
using Cloud.TestHost;
using Grpc.Core;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Logging;
using Xunit;

namespace Cloud.ServiceDefaults.Tests.Hosting;

/// <summary>Calls between services over real sockets, found by service discovery.</summary>
public sealed class Peers
{
    private static CancellationToken Ct => Patience.Token;

    [Fact]
    public async Task Events_reach_the_feed_by_gRPC_once_and_in_order()
    {
        await using var depot = await Depot.OpenAsync(Ct);
        var feed = new Feed();
        await using var metrics = await ServeAsync(feed);
        var process = await depot.StartAsync(Ct, configure: services =>
        {
            Address(services, metrics.Urls.Single());
            services.AddGrpcPeer<EventIngestionService.EventIngestionServiceClient>("metrics");
            services.AddSingleton<IEventSink, MetricsEventSink>();
        });
        var parcel = await process.Store.AddAsync(Parcel.To("A") with { Depot = "north" }, Ct);
        await process.UntilAsync(parcel.Id, ParcelState.Delivered, Ct);
        await feed.HasAsync(3, Ct);

        var first = feed.Events[0];
        Assert.Equal(("created", "", "dispatch-requested"), (first.Type, first.OldState, first.NewState));
        Assert.Equal(("parcel", $"parcels/{parcel.Id}"), (first.ResourceType, first.Resource));
        Assert.Equal("depots/north", first.Installation);
        Assert.Equal([1L, 2, 3], feed.Events.Select(e => e.SourceSequence));
        Assert.Equal(["anonymous", "supervisor", "supervisor"], feed.Events.Select(e => e.Actor));
        Assert.Equal(depot.Clock.GetUtcNow(), first.OccurTime.ToDateTimeOffset());
    }

    [Fact]
    public async Task A_read_is_tried_again_when_the_peer_is_unavailable_and_a_mutation_is_not()
    {
        var feed = new Feed { RefusalsLeft = 2 };
        await using var metrics = await ServeAsync(feed);
        var services = new ServiceCollection();
        Address(services, metrics.Urls.Single());
        services.AddServiceDiscovery();
        services.ConfigureHttpClientDefaults(http => http.AddServiceDiscovery());
        services.AddSingleton(new ServiceIdentity("installation")).AddSingleton<Checkpoints>();
        services.AddGrpcPeer<FleetService.FleetServiceClient>("metrics");
        services.AddGrpcPeer<EventIngestionService.EventIngestionServiceClient>("metrics");
        await using var provider = services.BuildServiceProvider();

        RequestContext.Current = new RequestContext("bob", null);
        var fleet = provider.GetRequiredService<FleetService.FleetServiceClient>();
        await fleet.GetFleetStatusAsync(new(), cancellationToken: Ct);
        Assert.Equal("bob", feed.LastActor);
        Assert.True(feed.HadDeadline);
        Assert.Null(feed.LastRequestId);
        RequestContext.Current = new RequestContext(RequestContext.SupervisorActor, "bestellung nº 1");
        await fleet.GetFleetStatusAsync(new(), cancellationToken: Ct);
        Assert.Equal(("installation", "bestellung nº 1"), (feed.LastActor, feed.LastRequestId));

        feed.RefusalsLeft = 1;
        var ingestion = provider.GetRequiredService<EventIngestionService.EventIngestionServiceClient>();
        var e = await Assert.ThrowsAsync<RpcException>(
            async () => await ingestion.AppendEventsAsync(new(), cancellationToken: Ct));
        Assert.Equal(StatusCode.Unavailable, e.StatusCode);
        Assert.Equal(0, feed.RefusalsLeft);
    }

    [Fact]
    public async Task A_peer_that_is_away_or_not_ready_degrades_a_service_which_stays_ready()
    {
        await using var depot = await Depot.OpenAsync(Ct);
        var port = PostgresProcess.FreePort();
        var process = await depot.StartAsync(Ct, configure: services =>
        {
            Address(services, $"http://127.0.0.1:{port}");
            services.AddGrpcPeer<FleetService.FleetServiceClient>("metrics");
            services.AddGrpcPeer<EventIngestionService.EventIngestionServiceClient>("metrics");
        });
        using var http = new HttpClient(process.Handler) { BaseAddress = new Uri("http://localhost") };
        Assert.Contains(
            """{"name":"peer metrics","status":"degraded","reason":"metrics does not answer (Unavailable: """,
            await http.GetStringAsync(new Uri("/health", UriKind.Relative), Ct),
            StringComparison.Ordinal);
        await http.GetStringAsync(new Uri("/health/ready", UriKind.Relative), Ct);

        var isReady = false;
        await using var metrics = await ServeAsync(new Feed(), port, () => isReady);
        Assert.Contains(
            """{"name":"peer metrics","status":"degraded","reason":"metrics is not ready""",
            await http.GetStringAsync(new Uri("/health", UriKind.Relative), Ct),
            StringComparison.Ordinal);

        isReady = true;
        Assert.Contains(
            """{"name":"peer metrics","status":"ready"}""",
            await http.GetStringAsync(new Uri("/health", UriKind.Relative), Ct),
            StringComparison.Ordinal);
    }

    private static void Address(IServiceCollection services, string url) => services.AddSingleton<IConfiguration>(
        new ConfigurationBuilder().AddInMemoryCollection([new("services:metrics:grpc:0", url)]).Build());

    private static async Task<WebApplication> ServeAsync(
        Feed feed, int? port = null, Func<bool>? isReady = null)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(
            IPAddress.Loopback, port ?? PostgresProcess.FreePort(), listen => listen.Protocols = HttpProtocols.Http2));
        builder.Services.AddGrpc();
        builder.Services.AddGrpcHealthChecks().AddCheck(
            "itself", () => isReady?.Invoke() ?? true ? HealthCheckResult.Healthy() : HealthCheckResult.Unhealthy());
        builder.Services.AddSingleton(feed);
        var app = builder.Build();
        app.MapGrpcHealthChecksService();
        app.MapGrpcService<Ingestion>();
        app.MapGrpcService<Fleet>();
        await app.StartAsync(Ct);
        return app;
    }

    /// <summary>What the peer saw.</summary>
    private sealed class Feed
    {
        private readonly ConcurrentQueue<TaskCompletionSource> _waiting = new();
        private readonly List<Event> _events = [];

        public int RefusalsLeft { get; set; }

        public string? LastActor { get; private set; }

        public string? LastRequestId { get; private set; }

        public bool HadDeadline { get; private set; }

        public IReadOnlyList<Event> Events
        {
            get
            {
                lock (_events)
                {
                    return [.. _events];
                }
            }
        }

        public void See(ServerCallContext context)
        {
            LastActor = context.RequestHeaders.GetValue("x-actor");
            LastRequestId = context.RequestHeaders.GetValueBytes("x-cause-request-id-bin") is { } id
                ? Encoding.UTF8.GetString(id)
                : null;
            HadDeadline = context.Deadline < DateTime.MaxValue;
            if (RefusalsLeft > 0)
            {
                RefusalsLeft--;
                throw new RpcException(new Status(StatusCode.Unavailable, "not now"));
            }
        }

        public long Take(IEnumerable<Event> events)
        {
            lock (_events)
            {
                foreach (var e in events.Where(e => e.SourceSequence > _events.Count))
                {
                    _events.Add(e);
                }
            }

            while (_waiting.TryDequeue(out var waiting))
            {
                waiting.TrySetResult();
            }

            return Events.Count;
        }

        public async Task HasAsync(int count, CancellationToken ct)
        {
            while (Events.Count < count)
            {
                var signal = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
                _waiting.Enqueue(signal);
                if (Events.Count < count)
                {
                    await signal.Task.WaitAsync(ct);
                }
            }
        }
    }

    private sealed class Ingestion(Feed feed) : EventIngestionService.EventIngestionServiceBase
    {
        public override Task<AppendEventsResponse> AppendEvents(AppendEventsRequest request, ServerCallContext context)
        {
            feed.See(context);
            Assert.True(request.Events.Count == 0 || request.Source == "metrics");
            return Task.FromResult(new AppendEventsResponse { AcknowledgedSequence = feed.Take(request.Events) });
        }
    }

    private sealed class Fleet(Feed feed) : FleetService.FleetServiceBase
    {
        public override Task<FleetStatus> GetFleetStatus(GetFleetStatusRequest request, ServerCallContext context)
        {
            feed.See(context);
            return Task.FromResult(new FleetStatus());
        }
    }
}
