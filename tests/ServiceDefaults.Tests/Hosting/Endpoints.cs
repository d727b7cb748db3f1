using System.Net;
using System.Text.Json;
using Cloud.ServiceDefaults.Storage;
using Cloud.ServiceDefaults.Tests.Parcels;
using Cloud.TestHost;
using Grpc.Health.V1;
using Grpc.Net.Client;
using Grpc.Reflection.V1Alpha;
using Microsoft.Extensions.DependencyInjection;
using Xunit;

namespace Cloud.ServiceDefaults.Tests.Hosting;

public sealed class Endpoints
{
    private static CancellationToken Ct => Patience.Token;

    [Fact]
    public async Task Health_names_every_dependency_and_says_why()
    {
        await using var depot = await Depot.OpenAsync(Ct);
        var process = await depot.StartAsync(Ct);
        await process.HearsOthersAsync(Ct);
        Assert.Equal(
            """{"status":"ready","checks":[{"name":"loops","status":"ready"},"""
                + """{"name":"postgresql","status":"ready"},{"name":"redis","status":"ready"},"""
                + """{"name":"stopping","status":"ready"}]}""",
            await GetAsync(process, "/health", HttpStatusCode.OK));
        Assert.Equal(
            """{"status":"ready","checks":[{"name":"postgresql","status":"ready"},"""
                + """{"name":"stopping","status":"ready"}]}""",
            await GetAsync(process, "/health/ready", HttpStatusCode.OK));
        Assert.Equal(
            """{"status":"ready","checks":[{"name":"self","status":"ready"}]}""",
            await GetAsync(process, "/health/live", HttpStatusCode.OK));
    }

    [Fact]
    public async Task Without_Redis_a_service_starts_serves_and_is_degraded()
    {
        await using var depot = await Depot.OpenAsync(Ct);
        depot.Redis.Stop();
        var process = await depot.StartAsync(Ct);
        await process.DeliverAsync("A", Ct);
        using var health = JsonDocument.Parse(await GetAsync(process, "/health", HttpStatusCode.OK));
        Assert.Equal("degraded", health.RootElement.GetProperty("status").GetString());
        var redis = health.RootElement.GetProperty("checks")[2];
        await GetAsync(process, "/health/ready", HttpStatusCode.OK);
        Assert.Equal("redis", redis.GetProperty("name").GetString());
        Assert.StartsWith("Redis does not answer", redis.GetProperty("reason").GetString(), StringComparison.Ordinal);

        depot.Redis.Start();
        await process.HearsOthersAsync(Ct);
        var again = await GetAsync(process, "/health", HttpStatusCode.OK);
        Assert.DoesNotContain("degraded", again, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Metrics_are_there_for_Prometheus()
    {
        await using var depot = await Depot.OpenAsync(Ct);
        var process = await depot.StartAsync(Ct);
        await process.DeliverAsync("A", Ct);
        var text = await GetAsync(process, "/metrics", HttpStatusCode.OK);
        Assert.Contains("cloud_supervision_step_duration_seconds_count", text, StringComparison.Ordinal);
        Assert.Contains("noun=\"parcel\"", text, StringComparison.Ordinal);
        Assert.Contains("db_client_", text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Grpc_health_and_reflection_answer()
    {
        await using var depot = await Depot.OpenAsync(Ct);
        var process = await depot.StartAsync(Ct);
        using var channel = GrpcChannel.ForAddress(
            "http://localhost", new GrpcChannelOptions { HttpHandler = process.Handler });
        var health = await new Health.HealthClient(channel).CheckAsync(new HealthCheckRequest(), cancellationToken: Ct);
        Assert.Equal(HealthCheckResponse.Types.ServingStatus.Serving, health.Status);
        var named = await new Health.HealthClient(channel).CheckAsync(
            new HealthCheckRequest { Service = "grpc.health.v1.Health" }, cancellationToken: Ct);
        Assert.Equal(HealthCheckResponse.Types.ServingStatus.Serving, named.Status);

        var reflection = new ServerReflection.ServerReflectionClient(channel);
        using var call = reflection.ServerReflectionInfo(cancellationToken: Ct);
        await call.RequestStream.WriteAsync(new ServerReflectionRequest { ListServices = "" }, Ct);
        Assert.True(await call.ResponseStream.MoveNext(Ct));
        Assert.Contains(
            call.ResponseStream.Current.ListServicesResponse.Service,
            service => service.Name == "grpc.health.v1.Health");
    }

    [Fact]
    public async Task A_service_outlives_its_PostgreSQL_and_goes_on_when_it_is_back()
    {
        using var directory = new TemporaryDirectory();
        var port = LocalPostgres.PostgresProcess.FreePort();
        var server = await PostgresServer.StartAsync(directory.Path, port, Ct);
        var connection = $"{server.ConnectionString};Database=postgres;Timeout=5";
        await using (var depot = Depot.OpenOn(new TestDatabase("nothing", server.ConnectionString, connection)))
        {
            // Not there yet: the service is alive, says why it is not ready, and is ready when it comes.
            await server.StopAsync();
            var process = await depot.StartUnreadyAsync(Ct);
            var unready = await GetAsync(process, "/health/ready", HttpStatusCode.ServiceUnavailable);
            Assert.Contains("PostgreSQL does not answer", unready, StringComparison.Ordinal);
            await GetAsync(process, "/health/live", HttpStatusCode.OK);
            server = await PostgresServer.StartAsync(directory.Path, port, Ct);
            await AdvanceUntilAsync(depot, process.Services.GetRequiredService<SchemaGate>().ReadyAsync(Ct));
            var before = await process.DeliverAsync("before", Ct);

            // Killed in the middle: waiting rows are taken up again.
            depot.Post.ArriveAtOnce = false;
            var waiting = await process.Store.AddAsync(Parcel.To("during"), Ct);
            await process.UntilAsync(waiting.Id, p => p.WaitingFor is not null, Ct);
            await server.KillAsync();
            depot.Clock.Advance(TimeSpan.FromMinutes(1));
            depot.Post.ArriveAtOnce = true;
            server = await PostgresServer.StartAsync(directory.Path, port, Ct);
            depot.Source.Clear();
            await AdvanceUntilAsync(depot, process.UntilAsync(waiting.Id, ParcelState.Delivered, Ct));
            Assert.Equal(before.State, (await depot.FindAsync(before.Id, Ct))!.State);
            await GetAsync(process, "/health/ready", HttpStatusCode.OK);
        }

        await server.DisposeAsync();
    }

    private static async Task AdvanceUntilAsync(Depot depot, Task happened)
    {
        while (!happened.IsCompleted)
        {
            depot.Clock.Advance(TimeSpan.FromSeconds(1));
            await Task.Yield();
        }

        await happened;
    }

    private static async Task<string> GetAsync(ParcelProcess process, string path, HttpStatusCode expected)
    {
        using var http = new HttpClient(process.Handler) { BaseAddress = new Uri("http://localhost") };
        using var reply = await http.GetAsync(path, Ct);
        var body = await reply.Content.ReadAsStringAsync(Ct);
        Assert.True(expected == reply.StatusCode, $"{reply.StatusCode}: {body}");
        return body;
    }
}
