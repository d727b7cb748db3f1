using Cloud.Clusters;
using Cloud.ServiceDefaults.Storage;
using Cloud.ServiceDefaults.Supervision;
using Cloud.TestHost;
using Microsoft.Extensions.DependencyInjection;
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

        public bool IsEnabled(LogLevel logLevel) => logLevel == LogLevel.Warning;

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
