using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Cloud.LocalPostgres;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Xunit;

namespace Cloud.AppHost.Tests;

public sealed class StandInTests
{
    [Fact]
    public async Task A_program_gets_connection_strings_service_addresses_and_parameters_in_its_environment()
    {
        await using var application = new Application();
        var builder = application.Builder;
        var port = PostgresProcess.FreePort();
        var peer = builder.AddExecutable("data-base", "sleep", ".", "600")
            .WithEndpoint(port: port, targetPort: port, scheme: "http", name: "grpc", isProxied: false);
        var password = builder.AddParameter("password", "secret with spaces", secret: true);
        var store = builder.AddConnectionString(
            "store-of-job", ReferenceExpression.Create($"Host=h;Password={password}"));
        builder.AddExecutable("job", "env", ".")
            .WithReference(peer).WithReference(store, "cloud-db")
            .WithEnvironment("PLAIN", "a=b").WithEnvironment("PARAMETER", password);

        await application.StartAsync();
        await application.Notifications.WaitForResourceAsync("job", KnownResourceStates.Finished, Application.Token);

        var environment = await application.LogAsync("job");
        Assert.Contains($"services__data-base__grpc__0=http://127.0.0.1:{port}", environment);
        Assert.Contains($"DATA_BASE_GRPC=http://127.0.0.1:{port}", environment);
        Assert.Contains("ConnectionStrings__cloud-db=Host=h;Password=secret with spaces", environment);
        Assert.Contains("PLAIN=a=b", environment);
        Assert.Contains("PARAMETER=secret with spaces", environment);
        Assert.Contains("OTEL_SERVICE_NAME=job", environment);
    }

    [Fact]
    public async Task A_program_starts_after_what_it_waits_for_is_well_or_done()
    {
        await using var application = new Application();
        var builder = application.Builder;
        var well = new TaskCompletionSource();
        builder.Services.AddHealthChecks().AddCheck(
            "store",
            () => well.Task.IsCompleted ? HealthCheckResult.Healthy() : HealthCheckResult.Unhealthy("not yet"));
        var store = builder.AddExecutable("store", "sleep", ".", "600").WithEndpoint(name: "tcp")
            .WithHealthCheck("store");
        var preparation = builder.AddExecutable("preparation", "true", ".").WaitFor(store);
        builder.AddExecutable("service", "echo", ".", "started").WaitForCompletion(preparation);

        await application.StartAsync();
        await application.ProcessIdAsync("store");
        Assert.Equal("Waiting", (await StateOfAsync(application, "service")).Text);
        well.SetResult();

        var done = await application.Notifications.WaitForResourceAsync(
            "service", change => change.Snapshot.ExitCode is not null, Application.Token);
        Assert.Equal(0, done.Snapshot.ExitCode);
        Assert.Equal(["started"], await application.LogAsync("service"));
    }

    [Fact]
    public async Task A_killed_program_is_started_again_and_a_stopped_application_leaves_nothing_behind()
    {
        await using var application = new Application();
        application.Builder.AddExecutable("service", "sleep", ".", "600").WithEndpoint(name: "tcp");
        await application.StartAsync();

        var first = await application.ProcessIdAsync("service");
        Kill(first);
        var second = await application.ProcessIdAsync("service", otherThan: first);
        using var process = Process.GetProcessById(second);
        await application.Running.StopAsync(Application.Token);

        await process.WaitForExitAsync(Application.Token);
    }

    [Fact]
    public async Task A_program_that_never_gets_well_ends_the_application()
    {
        await using var application = new Application();
        application.Builder.AddExecutable("service", "sh", ".", "-c", "echo no database; exit 7")
            .WithEndpoint(name: "tcp");
        await application.StartAsync();

        var end = await application.Notifications.WaitForResourceAsync(
            "service", change => change.Snapshot.State?.Text == KnownResourceStates.FailedToStart, Application.Token);
        var stopping = application.Running.Services.GetRequiredService<IHostApplicationLifetime>().ApplicationStopping;

        Assert.Equal(7, end.Snapshot.ExitCode);
        await stopping.WaitAsync();
        Assert.Equal(3, (await application.LogAsync("service")).Length);
    }

    [Fact]
    public async Task Connections_to_the_port_of_two_replicas_are_spread_and_go_to_the_other_when_one_is_killed()
    {
        await using var application = new Application();
        var port = PostgresProcess.FreePort();
        application.Builder.AddProject<Application.RedisProject>("redis")
            .WithEndpoint(port: port, scheme: "tcp", name: "tcp", env: "Redis__Port")
            .WithReplicas(2);
        await application.StartAsync();
        var first = await application.ProcessIdAsync("redis-1");
        await application.ProcessIdAsync("redis-2");
        await BothAnswerAsync(port);

        Kill(first);

        for (var attempt = 0; attempt < 4; attempt++)
        {
            Assert.NotEmpty(await RunIdAsync(port));
        }
    }

    [Fact]
    public async Task A_replica_that_does_not_start_is_told_another_port_each_time_because_its_own_may_be_taken()
    {
        await using var application = new Application();
        application.Builder.AddExecutable("service", "sh", ".", "-c", "echo $PORT; exit 7")
            .WithEndpoint(port: PostgresProcess.FreePort(), scheme: "tcp", name: "tcp", env: "PORT")
            .WithAnnotation(new ReplicaAnnotation(2));
        await application.StartAsync();

        var end = await application.Notifications.WaitForResourceAsync(
            "service", change => change.Snapshot.State?.Text == KnownResourceStates.FailedToStart, Application.Token);

        var ports = await application.LogAsync(end.ResourceId);
        Assert.Equal(3, ports.Distinct().Count());
    }

    [Fact]
    public async Task Nor_does_one_that_was_well_come_back_on_the_port_that_it_had()
    {
        await using var application = new Application();
        application.Builder.Services.AddHealthChecks().AddCheck("service", () => HealthCheckResult.Healthy());
        application.Builder.AddExecutable("service", "sleep", ".", "600")
            .WithEndpoint(port: PostgresProcess.FreePort(), scheme: "tcp", name: "tcp")
            .WithHealthCheck("service")
            .WithAnnotation(new ReplicaAnnotation(2));
        await application.StartAsync();
        var first = await application.ProcessIdAsync("service-1", healthy: true);
        var target = await TargetOfAsync(application, "service", first);

        Kill(first);

        var second = await application.ProcessIdAsync("service-1", otherThan: first, healthy: true);
        Assert.NotEqual(target, await TargetOfAsync(application, "service", second));
    }

    [Fact]
    public async Task Resources_may_not_share_a_name()
    {
        await using var application = new Application();
        application.Builder.AddExecutable("service", "true", ".");
        Assert.Throws<DistributedApplicationException>(() => application.Builder.AddExecutable("Service", "true", "."));
    }

    // Each replica is a server of its own with an id of its own; both are reached through the one port.
    private static async Task BothAnswerAsync(int port)
    {
        var seen = new HashSet<string>();
        while (seen.Count < 2)
        {
            seen.Add(await RunIdAsync(port));
        }
    }

    // A closed connection is how the proxy says that no replica accepts yet.
    private static async Task<string> RunIdAsync(int port)
    {
        while (true)
        {
            using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            await socket.ConnectAsync(IPAddress.Loopback, port, Application.Token);
            try
            {
                await socket.SendAsync("*2\r\n$4\r\nINFO\r\n$6\r\nSERVER\r\n"u8.ToArray(), Application.Token);
                var answer = new byte[4096];
                var length = await socket.ReceiveAsync(answer, Application.Token);
                if (length > 0)
                {
                    return Encoding.UTF8.GetString(answer, 0, length).Split('\n')
                        .Single(line => line.StartsWith("run_id", StringComparison.Ordinal));
                }
            }
            catch (SocketException)
            {
                // Closed before the answer: again.
            }

            await Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System, Application.Token);
        }
    }

    private static async Task<ResourceStateSnapshot> StateOfAsync(Application application, string name) =>
        (await application.Notifications.WaitForResourceAsync(name, _ => true, Application.Token)).Snapshot.State!;

    private static async Task<string> TargetOfAsync(Application application, string name, int processId)
    {
        var change = await application.Notifications.WaitForResourceAsync(
            name,
            change => change.Snapshot.Properties.Any(p => p is { Name: "executable.pid", Value: int id }
                && id == processId),
            Application.Token);
        return change.Snapshot.Urls.Single(url => url.Name == "tcp target port").Url;
    }

    private static void Kill(int processId)
    {
        using var process = Process.GetProcessById(processId);
        process.Kill();
    }
}

internal static class CancellationTokenExtensions
{
    /// <summary>Completes when the token is cancelled.</summary>
    public static async Task WaitAsync(this CancellationToken token)
    {
        var cancelled = new TaskCompletionSource();
        await using var registration = token.Register(() => cancelled.TrySetResult());
        await cancelled.Task.WaitAsync(Application.Token);
    }
}
