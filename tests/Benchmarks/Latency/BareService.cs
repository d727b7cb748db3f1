using Cloud.Protos.Cluster.V1;
using Cloud.Protos.DatabasePool.V1;
using Cloud.Protos.Installation.V1;
using Grpc.Core;
using Npgsql;
using StackExchange.Redis;

namespace Cloud.Benchmarks.Latency;

/// <summary>The floor: the same calls with one commit before each, and nothing else.</summary>
internal sealed class BareService(
    NpgsqlDataSource source,
    IConnectionMultiplexer redis,
    PlacementService.PlacementServiceClient placements,
    LogicalDatabaseService.LogicalDatabaseServiceClient databases,
    ClusterInstallationService.ClusterInstallationServiceClient pods)
    : InstallationService.InstallationServiceBase
{
    private const string Sql =
        """
        WITH saved AS (INSERT INTO bare VALUES ($1, 1) ON CONFLICT (name) DO UPDATE SET version = bare.version + 1)
        INSERT INTO bare_outbox (name) VALUES ($1)
        """;

    /// <summary>What it writes into.</summary>
    public static async Task PrepareAsync(NpgsqlDataSource source, CancellationToken ct)
    {
        await using var command = source.CreateCommand(
            """
            CREATE TABLE bare (name text PRIMARY KEY, version bigint NOT NULL);
            CREATE TABLE bare_outbox (position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL);
            """);
        await command.ExecuteNonQueryAsync(ct);
    }

    public override async Task<Installation> CreateInstallation(
        CreateInstallationRequest request, ServerCallContext context)
    {
        var name = "installations/" + request.NameHint;
        await CommitAsync(name, context.CancellationToken);
        _ = Task.Run(() => GoOnAsync(name));
        return new Installation { Name = name };
    }

    /// <summary>Subscribes to the nudges that services send each other.</summary>
    public Task ListenAsync() => redis.GetSubscriber().SubscribeAsync(
        RedisChannel.Literal("nudge:installation"),
        (_, payload) => LookAgain(payload.ToString().Split('@')[0]));

    private async Task GoOnAsync(string name)
    {
        await placements.PlaceInstallationAsync(new() { Installation = name });
        await CommitAsync(name, default);
        await databases.CreateLogicalDatabaseAsync(new() { LogicalDatabase = new() { Installation = name } });
        await CommitAsync(name, default);
        await pods.CreateClusterInstallationAsync(new() { ClusterInstallation = new() { Installation = name } });
    }

    private void LookAgain(string id) => _ = LookAgainAsync(id);

    private async Task LookAgainAsync(string id)
    {
        await CommitAsync("installations/" + id, default);
        await pods.GetClusterInstallationAsync(new() { Name = "clusterInstallations/" + id });
    }

    private async Task CommitAsync(string name, CancellationToken ct)
    {
        await using var command = source.CreateCommand(Sql);
        command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = name });
        await command.ExecuteNonQueryAsync(ct);
    }
}
