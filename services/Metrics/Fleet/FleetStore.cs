using Cloud.ServiceDefaults.Storage;
using Dapper;

namespace Cloud.Fleet;

/// <summary>How many resources of a type are in a state.</summary>
public sealed record StateCount(string ResourceType, string State, long Count);

/// <summary>How far a source's feed has been taken in.</summary>
public sealed record SourcePosition(string Source, long Generation, long SourceSequence, DateTimeOffset OccurredAt);

/// <summary>The fleet in numbers, as of one moment.</summary>
public sealed record FleetCounts(
    IReadOnlyList<StateCount> Counts, IReadOnlyList<SourcePosition> Sources, long Sequence);

/// <summary>Reads the fleet's current states, which taking in keeps up to date.</summary>
public sealed class FleetStore(Database database)
{
    // One statement sees one snapshot each; three in a repeatable-read transaction see the same one.
    private const string Sql = """
        SELECT resource_type, state, count FROM fleet_counts WHERE count > 0 ORDER BY resource_type, state;
        SELECT source, generation, source_sequence, occurred_at FROM sources ORDER BY source;
        SELECT last_sequence FROM feed;
        """;

    /// <summary>Counts by state, positions by source and the feed's head, all of one snapshot.</summary>
    public async Task<FleetCounts> CountAsync(CancellationToken ct)
    {
        await using var connection = await database.OpenAsync(ct);
        await using var snapshot = await connection.BeginTransactionAsync(
            System.Data.IsolationLevel.RepeatableRead, ct);
        await using var results = await connection.QueryMultipleAsync(new CommandDefinition(
            Sql, transaction: snapshot, cancellationToken: ct));
        var counts = (await results.ReadAsync<(string, string, long)>())
            .Select(c => new StateCount(c.Item1, c.Item2, c.Item3)).ToList();
        var sources = (await results.ReadAsync<(string, long, long, DateTime)>())
            .Select(s => new SourcePosition(s.Item1, s.Item2, s.Item3, new DateTimeOffset(s.Item4, TimeSpan.Zero)))
            .ToList();
        var sequence = await results.ReadSingleAsync<long>();
        return new FleetCounts(counts, sources, sequence);
    }
}
