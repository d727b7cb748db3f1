using Cloud.Clusters;
using Cloud.Providers;
using Cloud.ServiceDefaults.Storage;
using Cloud.ServiceDefaults.Supervision;
using Cloud.Simulator.ApiServers;
using Cloud.TestHost;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Logging;
using Npgsql;
using Xunit;

namespace Cloud.ClusterTests.Clusters;

public sealed class ClusterWatchesTests
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_cluster_that_a_newer_release_wrote_does_not_end_the_looking()
    {
        using var warned = new Warned("Looking for clusters again");
        await using var world = new ClusterWorld
        {
            Configure = services => services.AddSingleton<ILoggerProvider>(warned),
        };
        await world.InitializeAsync();
        var known = await world.StableClusterAsync("small", Ct);
        await WriteStateAsync(world, known.Name, "of-a-newer-release");

        await world.Service.Services.GetRequiredService<INudges>()
            .SendAsync(new Nudge(ClusterWatches.Noun, "any"), Patience.Token);
        await warned.Once.WaitAsync(Patience.Token);

        await WriteStateAsync(world, known.Name, known.State);
        await world.StableClusterAsync("large", Ct);
    }

    [Fact]
    public async Task A_write_that_fails_in_an_unforeseen_way_does_not_end_the_observing_of_a_cluster()
    {
        using var warned = new Warned("Writing what is seen of");
        await using var world = new ClusterWorld
        {
            Configure = services => services.AddSingleton<ILoggerProvider>(warned),
        };
        await world.InitializeAsync();
        var known = await world.StableClusterAsync("small", Ct);
        await ExecuteAsync(
            world,
            """
            CREATE FUNCTION deadlock() RETURNS trigger LANGUAGE plpgsql
                AS $$ BEGIN RAISE EXCEPTION 'deadlock detected' USING ERRCODE = '40P01'; END $$;
            CREATE TRIGGER deadlock BEFORE UPDATE ON cluster_observations EXECUTE FUNCTION deadlock()
            """);

        var api = world.Cluster("small").Api;
        var node = api.List("nodes").Single();
        node["spec"]!["unschedulable"] = true;
        api.Update("nodes", node, "somebody");
        await warned.Once.WaitAsync(Patience.Token);

        await ExecuteAsync(world, "DROP TRIGGER deadlock ON cluster_observations");
        await world.ClusterSeenAsync(known.Name, Ct, c => c.Capacity.Nodes == 0);
    }

    [Fact]
    public async Task A_watch_that_a_bug_ended_begins_anew()
    {
        using var lost = new Warned("Losing the watch of");
        await using var world = new ClusterWorld
        {
            Configure = services => services.AddSingleton<ILoggerProvider>(lost),
        };
        await world.InitializeAsync();
        var cluster = await world.StableClusterAsync("small", Ct);
        var watches = world.Service.Services.GetRequiredService<ClusterWatches>();
        var first = watches.Find(cluster.Name.Split('/')[1])!;
        var bugs = 1;
        watches.InstallationTouched += _ =>
        {
            if (Interlocked.Decrement(ref bugs) == 0) throw new InvalidOperationException("a bug");
        };

        var created = await world.CreateAsync(cluster.Name, Ct);
        await lost.Once.WaitAsync(Patience.Token);

        var nudges = world.Service.Services.GetRequiredService<INudges>();
        while (watches.Find(first.ClusterId) is not { } next || next == first)
        {
            await nudges.SendAsync(new Nudge(ClusterWatches.Noun, first.ClusterId), Patience.Token);
            await Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System, Patience.Token);
        }
        await world.UntilAsync(created.Name, i => i.State == "stable", Ct);
    }

    [Fact]
    public async Task A_cluster_whose_kubeconfig_cannot_be_decrypted_is_not_reachable_until_it_is_given_again()
    {
        await using var world = await ClusterWorld.OfAsync(
            new ClusterSettings { Name = "small", Nodes = 1, PodStartDelay = TimeSpan.FromMilliseconds(20) });
        var known = await world.StableClusterAsync("small", Ct);
        var services = world.Service.Services;

        // As after a restart with other keys.
        await ExecuteAsync(
            world,
            "UPDATE clusters SET encrypted_kubeconfig = '\\x00', kubeconfig_revision = kubeconfig_revision + 1");
        await services.GetRequiredService<INudges>()
            .SendAsync(new Nudge(ClusterWatches.Noun, "any"), Patience.Token);
        var seen = await world.ClusterSeenAsync(known.Name, Patience.Token, c => !c.Reachable);

        Assert.Contains("The stored kubeconfig", seen.UnreachableReason, StringComparison.Ordinal);
        var health = await new ClusterCheck(services.GetRequiredService<ClusterWatches>())
            .CheckHealthAsync(new HealthCheckContext(), Ct);
        Assert.Equal(HealthStatus.Degraded, health.Status);
        Assert.StartsWith("0 of 1 clusters answer.", health.Description, StringComparison.Ordinal);
        var row = await services.GetRequiredService<ClusterStore>().FindAsync(known.Name.Split('/')[1], Ct);
        Assert.Null(await services.GetRequiredService<PodTroubles>().FindAsync(row!, "any", Ct));

        await world.Clusters.UpdateClusterAsync(
            new() { Cluster = new() { Name = known.Name }, Kubeconfig = world.Kubeconfig("small") },
            cancellationToken: Ct);
        await world.ClusterSeenAsync(known.Name, Patience.Token, c => c.Reachable);
    }

    private static async Task ExecuteAsync(ClusterWorld world, string sql)
    {
        await using var command = world.Service.Services.GetRequiredService<NpgsqlDataSource>().CreateCommand(sql);
        await command.ExecuteNonQueryAsync(Patience.Token);
    }

    private static async Task WriteStateAsync(ClusterWorld world, string cluster, string state)
    {
        await using var writing = world.Service.Services.GetRequiredService<NpgsqlDataSource>().CreateCommand(
            "UPDATE clusters SET state = $1 WHERE id = $2");
        writing.Parameters.Add(new NpgsqlParameter<string> { TypedValue = state });
        writing.Parameters.Add(new NpgsqlParameter<string> { TypedValue = cluster.Split('/')[1] });
        await writing.ExecuteNonQueryAsync(Patience.Token);
    }

    /// <summary>Tells when the service has said something.</summary>
    private sealed class Warned(string beginning) : ILoggerProvider, ILogger
    {
        private readonly TaskCompletionSource _said = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Task Once => _said.Task;

        public ILogger CreateLogger(string categoryName) => this;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Warning;

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception,
            Func<TState, Exception?, string> formatter)
        {
            if (formatter(state, exception).StartsWith(beginning, StringComparison.Ordinal)) _said.TrySetResult();
        }

        public void Dispose()
        {
            // It holds nothing.
        }
    }
}
