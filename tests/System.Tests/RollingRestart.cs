using System.Diagnostics;
using System.Globalization;
using Cloud.Protos.Cluster.V1;
using Cloud.Protos.DatabasePool.V1;
using Cloud.Protos.Installation.V1;
using Cloud.Protos.Metrics.V1;
using Cloud.TestHost;
using Grpc.Core;
using Grpc.Net.Client;
using Xunit;

namespace Cloud.System.Tests;

/// <summary>Every replica of every service is stopped and started in turn while customers work. The clients here do
/// what README.md calls normal retries, and nothing more: any other error fails the story.</summary>
public sealed class RollingRestart(RunningWorld world) : Story(world)
{
    private const int Customers = 3;

    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(200);

    private static readonly (string Name, string Program)[] Services =
    [
        ("installation", "Cloud.Installation.dll"),
        ("cluster", "Cloud.Cluster.dll"),
        ("database-pool", "Cloud.DatabasePool.dll"),
        ("metrics", "Cloud.Metrics.dll"),
    ];

    [Fact]
    public async Task No_client_with_normal_retries_sees_that_every_replica_is_restarted()
    {
        using var installation = Channel(LocalWorld.InstallationPort);
        using var cluster = Channel(LocalWorld.ClusterPort);
        using var databasePool = Channel(LocalWorld.DatabasePoolPort);
        using var metrics = Channel(LocalWorld.MetricsPort);
        using var restarted = CancellationTokenSource.CreateLinkedTokenSource(Token);
        using var settled = CancellationTokenSource.CreateLinkedTokenSource(Token);
        var events = new EventService.EventServiceClient(metrics);
        var installations = new InstallationService.InstallationServiceClient(installation);
        var watching = WatchAsync(events, settled.Token);
        var working = Enumerable.Range(0, Customers)
            .Select(customer => WorkAsync(installations, customer, restarted.Token)).ToList();
        var reading = ReadAsync(
            installations, new(cluster), new(databasePool), events, restarted.Token);

        foreach (var (name, program) in Services)
        {
            foreach (var replica in World.Processes(program))
            {
                await RestartAsync(name, program, replica);
            }
        }

        await restarted.CancelAsync();
        await Task.WhenAll([reading, .. working]);
        await settled.CancelAsync();
        var seen = await watching;
        Assert.Equal(Enumerable.Range(0, seen.Count).Select(n => seen[0] + n), seen);
    }

    private async Task RestartAsync(string service, string program, int process)
    {
        Assert.Equal(2, (await World.ReplicasAsync(service, Token)).Count);
        using var stopping = Process.GetProcessById(process);
        using (var terminating = Process.Start("kill", ["-TERM", process.ToString(CultureInfo.InvariantCulture)]))
        {
            await terminating.WaitForExitAsync(Token);
        }

        await stopping.WaitForExitAsync(Token);
        while (!await AreReadyAsync(service))
        {
            await Task.Delay(Pause, TimeProvider.System, Token);
        }

        Assert.Equal(2, World.Processes(program).Count);
    }

    /// <summary>Whether both replicas are, where they listen by now: one that comes back gets another port.</summary>
    private async Task<bool> AreReadyAsync(string service)
    {
        try
        {
            var replicas = await World.ReplicasAsync(service, Token);
            Assert.Equal(2, replicas.Count);
            foreach (var replica in replicas)
            {
                using var answer = await World.Browser.GetAsync(new Uri(replica, "/health/ready"), Token);
                answer.EnsureSuccessStatusCode();
            }

            return true;
        }
        catch (HttpRequestException)
        {
            // One does not listen yet, or is not ready.
            return false;
        }
    }

    /// <summary>Whole lives of workspaces, one after the other, at least one.</summary>
    private static async Task WorkAsync(
        InstallationService.InstallationServiceClient client, int customer, CancellationToken until)
    {
        for (var life = 0; life == 0 || !until.IsCancellationRequested; life++)
        {
            var made = await client.CreateInstallationAsync(
                new()
                {
                    NameHint = $"rolling{customer}x{life}",
                    Installation = new() { OwnerId = "story", Size = "miniSingleton", Version = "10.1.0" },
                    RequestId = $"create-{customer}-{life}",
                },
                cancellationToken: Token);
            await UntilAsync(client, made, "stable");
            await client.UpdateInstallationAsync(
                new()
                {
                    Installation = new() { Name = made.Name, Version = "10.2.0" },
                    UpdateMask = new() { Paths = { "version" } },
                    RequestId = $"update-{customer}-{life}",
                },
                cancellationToken: Token);
            await UntilAsync(client, made, "stable");
            await client.DeleteInstallationAsync(
                new()
                {
                    Name = made.Name, PendingTime = new(), Force = true, RequestId = $"delete-{customer}-{life}",
                },
                cancellationToken: Token);
            await UntilAsync(client, made, "deleted");
        }
    }

    private static async Task UntilAsync(
        InstallationService.InstallationServiceClient client, Installation made, string state)
    {
        var request = new WatchInstallationsRequest
        {
            Filter = new() { DnsName = made.DnsNames[0], ShowDeleted = true },
        };
        while (true)
        {
            try
            {
                using var stream = client.WatchInstallations(request, cancellationToken: Token);
                await foreach (var message in stream.ResponseStream.ReadAllAsync(Token))
                {
                    request.ResumeToken = message.ResumeToken;
                    if (message.Installation?.Name == made.Name && message.Installation.State == state)
                    {
                        return;
                    }
                }
            }
            catch (RpcException e) when (e.StatusCode is StatusCode.Unavailable)
            {
                await Task.Delay(Pause, TimeProvider.System, Token);
            }
        }
    }

    private static async Task ReadAsync(
        InstallationService.InstallationServiceClient installations,
        ClusterService.ClusterServiceClient clusters,
        DatabaseServerService.DatabaseServerServiceClient servers,
        EventService.EventServiceClient events,
        CancellationToken until)
    {
        while (!until.IsCancellationRequested)
        {
            var list = await installations.ListInstallationsAsync(new(), cancellationToken: Token);
            Assert.NotEmpty(list.Installations);
            await installations.WhyInstallationAsync(
                new() { Name = list.Installations[0].Name }, cancellationToken: Token);
            Assert.Equal(2, (await clusters.ListClustersAsync(new(), cancellationToken: Token)).Clusters.Count);
            Assert.Single((await servers.ListDatabaseServersAsync(new(), cancellationToken: Token)).DatabaseServers);
            Assert.NotEmpty((await events.ListEventsAsync(new(), cancellationToken: Token)).Events);
            // A reader without a pause would take half of a small machine from those who start.
            await Task.Delay(Pause, TimeProvider.System, Token);
        }
    }

    /// <summary>The sequences of all events from now on, in the order in which they came.</summary>
    private static async Task<List<long>> WatchAsync(EventService.EventServiceClient events, CancellationToken until)
    {
        var seen = new List<long>();
        var request = new WatchEventsRequest();
        while (true)
        {
            try
            {
                using var stream = events.WatchEvents(request, cancellationToken: until);
                await foreach (var message in stream.ResponseStream.ReadAllAsync(until))
                {
                    request.ResumeToken = message.ResumeToken;
                    if (message.Event is { } told)
                    {
                        seen.Add(told.Sequence);
                    }
                }
            }
            catch (RpcException e) when (e.StatusCode is StatusCode.Unavailable && !until.IsCancellationRequested)
            {
                await Task.Delay(Pause, TimeProvider.System, Token);
            }
            catch (Exception e) when (until.IsCancellationRequested && e is RpcException or OperationCanceledException)
            {
                return seen;
            }
        }
    }

    private GrpcChannel Channel(int port) => GrpcChannel.ForAddress(
        $"http://{World.Channel(port).Target}",
        new GrpcChannelOptions { ServiceConfig = NormalRetries.Config });
}
