using System.Globalization;
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
        InstallationFilter filter, PageEnd? after, int limit, CancellationToken ct)
    {
        var (condition, values) = ConditionOf(filter);
        if (after is not null)
        {
            condition += " AND (create_time, id) > (@afterTime, @afterId)";
            values.Add("afterTime", after.CreateTime.UtcDateTime);
            values.Add("afterId", after.Id);
        }

        values.Add("limit", limit);
        return SelectAsync($"WHERE {condition} ORDER BY create_time, id LIMIT @limit", values, ct);
    }

    /// <summary>How many installations are meant, by state.</summary>
    public async Task<IReadOnlyDictionary<string, long>> CountAsync(InstallationFilter filter, CancellationToken ct)
    {
        var (condition, values) = ConditionOf(filter);
        await using var connection = await Database.OpenAsync(ct);
        var counts = await connection.QueryAsync<(string State, long Count)>(new CommandDefinition(
            $"SELECT state, count(*) FROM installations WHERE {condition} GROUP BY state",
            values,
            cancellationToken: ct));
        return counts.ToDictionary(entry => entry.State, entry => entry.Count);
    }

    /// <summary>Which of these host names live installations other than <paramref name="id"/> have.</summary>
    public async Task<IReadOnlyList<string>> TakenAsync(IEnumerable<string> hosts, string id, CancellationToken ct)
    {
        await using var connection = await Database.OpenAsync(ct);
        return await TakenAsync(connection, null, [.. hosts], id, ct);
    }

    /// <summary>Makes these names the installation's, in place of those it had; all or none.</summary>
    /// <returns>The names that others have; when there are any the transaction must not be committed.</returns>
    public async Task<IReadOnlyList<string>> TakeNamesAsync(
        DatabaseTransaction transaction, Installation row, CancellationToken ct)
    {
        // Sorted, so that two requests that want the same names never wait for each other in a circle.
        var hosts = row.DnsNames.Order(StringComparer.Ordinal).ToArray();
        var connection = transaction.Connection;
        await connection.ExecuteAsync(new CommandDefinition(
            """
            DELETE FROM installation_names
            WHERE installation_id = @id AND released_at IS NULL AND host <> ALL (@hosts)
            """,
            new { id = row.Id, hosts }, transaction.Transaction, cancellationToken: ct));
        await connection.ExecuteAsync(new CommandDefinition(
            TakeSql, new { id = row.Id, hosts }, transaction.Transaction, cancellationToken: ct));
        return await TakenAsync(connection, transaction.Transaction, hosts, row.Id, ct);
    }

    /// <summary>Lets others have the names of a deleted installation; it can still be found by them.</summary>
    public Task ReleaseNamesAsync(DatabaseTransaction transaction, Installation row, CancellationToken ct) =>
        transaction.Connection.ExecuteAsync(new CommandDefinition(
            "UPDATE installation_names SET released_at = @now WHERE installation_id = @id AND released_at IS NULL",
            new { id = row.Id, now = transaction.Now.UtcDateTime }, transaction.Transaction, cancellationToken: ct));

    /// <inheritdoc/>
    protected override Installation Stamp(Installation row, DateTimeOffset now) => row with { UpdateTime = now };

    /// <inheritdoc/>
    protected override ResourceEvent? EventFor(Installation? before, Installation after, ResourceEvent draft) =>
        draft with { Parent = after.Name, Snapshot = messages.Of(after).ToByteArray() };

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

    private static (string Condition, DynamicParameters Values) ConditionOf(InstallationFilter filter)
    {
        var conditions = new List<string>();
        var values = new DynamicParameters();
        void Require(string condition, string name, object? value)
        {
            if (value is not null)
            {
                conditions.Add(condition);
                values.Add(name, value);
            }
        }

        Require("owner_id = @owner", "owner", filter.Owner);
        Require("cluster = @cluster", "cluster", filter.Cluster);
        Require("application_version = @version", "version", filter.Version);
        Require("size = @size", "size", filter.Size);
        Require(
            "id IN (SELECT installation_id FROM installation_names WHERE host = @name OR label = @name)",
            "name", filter.DnsName);
        if (filter.States.Count > 0)
        {
            var states = filter.States.Select(StateNames<InstallationState>.Of).ToArray();
            Require("state = ANY (@states)", "states", states);
        }

        if (!filter.Deleted)
        {
            conditions.Add("state <> 'deleted'");
        }

        return (conditions.Count == 0 ? "true" : string.Join(" AND ", conditions), values);
    }
}

/// <summary>Where a page ended: the key of its last row.</summary>
/// <param name="CreateTime">In microseconds, as stored.</param>
/// <param name="Id">Decides between rows of the same moment.</param>
public sealed record PageEnd(DateTimeOffset CreateTime, string Id)
{
    /// <summary>Reads what <see cref="ToString"/> wrote; null when it is not that.</summary>
    public static PageEnd? Parse(string text) =>
        text.Split('.') is [var ticks, var id] && ResourceId.IsValid(id)
            && long.TryParse(ticks, NumberStyles.None, CultureInfo.InvariantCulture, out var moment)
            && moment <= DateTimeOffset.MaxValue.UtcTicks
            ? new PageEnd(new DateTimeOffset(moment, TimeSpan.Zero), id)
            : null;

    /// <inheritdoc/>
    public override string ToString() => $"{CreateTime.UtcTicks.ToString(CultureInfo.InvariantCulture)}.{Id}";
}
