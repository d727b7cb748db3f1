using Dapper;
using Google.Protobuf;
using Npgsql;

namespace Cloud.Installations;

/// <summary>All SQL of installations and their host names.</summary>
public sealed class InstallationStore(Database database, InstallationMessages messages)
    : SupervisedStore<Installation, InstallationState>(database, "installations", Installation.Noun, "installations")
{
    private const string TakeSql =
        """
        INSERT INTO installation_names (host, installation_id) SELECT unnest(@hosts), @id
        ON CONFLICT (host) WHERE released_at IS NULL DO NOTHING
        """;

    /// <summary>Installations that are meant, oldest first.</summary>
    /// <param name="filter">Which.</param>
    /// <param name="after">Where the page before ended; null for the first.</param>
    /// <param name="limit">At most so many.</param>
    /// <param name="ct">Cuts the query short.</param>
    public Task<IReadOnlyList<Installation>> ListAsync(
        InstallationFilter filter, PageKey? after, int limit, CancellationToken ct) =>
        PageAsync(ConditionsOf(filter), after, limit, ct);

    /// <summary>How many installations are meant, by state.</summary>
    public async Task<IReadOnlyDictionary<string, long>> CountAsync(InstallationFilter filter, CancellationToken ct)
    {
        var conditions = ConditionsOf(filter);
        await using var connection = await Database.OpenAsync(ct);
        var counts = await connection.QueryAsync<(string State, long Count)>(new CommandDefinition(
            $"SELECT state, count(*) FROM installations WHERE {conditions.Sql} GROUP BY state",
            conditions.Values,
            cancellationToken: ct));
        return counts.ToDictionary(entry => entry.State, entry => entry.Count);
    }

    /// <summary>Which of these host names live installations other than <paramref name="id"/> have.</summary>
    public async Task<IReadOnlyList<string>> TakenAsync(IEnumerable<string> hosts, string id, CancellationToken ct)
    {
        await using var connection = await Database.OpenAsync(ct);
        return await TakenAsync(connection, null, [.. hosts], id, ct);
    }

    /// <summary>Makes its names the installation's own; all or none. Those that it gives up stay its own until its
    /// cluster has let go of them: <see cref="LetGoOfNamesAsync"/>.</summary>
    /// <returns>The names that others have; when there are any the transaction must not be committed.</returns>
    public async Task<IReadOnlyList<string>> TakeNamesAsync(
        DatabaseTransaction transaction, Installation row, CancellationToken ct)
    {
        // Sorted, so that two requests that want the same names never wait for each other in a circle.
        var hosts = row.DnsNames.Order(StringComparer.Ordinal).ToArray();
        var connection = transaction.Connection;
        await connection.ExecuteAsync(new CommandDefinition(
            TakeSql, new { id = row.Id, hosts }, transaction.Transaction, cancellationToken: ct));
        return await TakenAsync(connection, transaction.Transaction, hosts, row.Id, ct);
    }

    /// <summary>Lets others have the names that the installation gave up, once its cluster does not serve them any
    /// more: were they free before, whoever takes one would share it with the workspace that had it.</summary>
    public Task LetGoOfNamesAsync(DatabaseTransaction transaction, Installation row, CancellationToken ct) =>
        transaction.Connection.ExecuteAsync(new CommandDefinition(
            """
            DELETE FROM installation_names
            WHERE installation_id = @id AND released_at IS NULL AND host <> ALL (@hosts)
            """,
            new { id = row.Id, hosts = row.DnsNames.ToArray() }, transaction.Transaction, cancellationToken: ct));

    /// <summary>Lets others have the names of a deleted installation; it can still be found by them.</summary>
    public Task ReleaseNamesAsync(DatabaseTransaction transaction, Installation row, CancellationToken ct) =>
        transaction.Connection.ExecuteAsync(new CommandDefinition(
            "UPDATE installation_names SET released_at = @now WHERE installation_id = @id AND released_at IS NULL",
            new { id = row.Id, now = transaction.Now.UtcDateTime }, transaction.Transaction, cancellationToken: ct));

    /// <inheritdoc/>
    protected override Installation Stamp(Installation row, DateTimeOffset now) => row with { UpdateTime = now };

    /// <inheritdoc/>
    protected override ResourceEvent? EventFor(Installation? before, Installation after, ResourceEvent draft) =>
        draft with
        {
            Parent = after.Name,
            Snapshot = messages.Of(after).ToByteArray(),
            SnapshotBefore = before is not null && InstallationFilter.CanTellApart(before, after)
                ? messages.Of(before).ToByteArray()
                : null,
        };

    private static async Task<IReadOnlyList<string>> TakenAsync(
        NpgsqlConnection connection, NpgsqlTransaction? transaction, string[] hosts, string id, CancellationToken ct)
    {
        var taken = await connection.QueryAsync<string>(new CommandDefinition(
            """
            SELECT host FROM installation_names
            WHERE host = ANY (@hosts) AND released_at IS NULL AND installation_id <> @id ORDER BY host
            """,
            new { hosts, id }, transaction, cancellationToken: ct));
        return [.. taken];
    }

    private static Conditions ConditionsOf(InstallationFilter filter) => new Conditions()
        .Equal("owner_id", filter.Owner)
        .Equal("cluster", filter.Cluster)
        .Equal("application_version", filter.Version)
        .Equal("size", filter.Size)
        .Add(
            "id IN (SELECT installation_id FROM installation_names WHERE host = @name OR label = @name)",
            "name", filter.DnsName)
        .InStates([.. filter.States.Select(StateNames<InstallationState>.Of)])
        .AddUnless(filter.Deleted, "state <> 'deleted'");
}
