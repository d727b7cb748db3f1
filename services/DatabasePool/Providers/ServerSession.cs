using Cloud.ServiceDefaults.Supervision;
using Npgsql;

namespace Cloud.Providers;

/// <summary>The administrating role's session on a customers' server. Each statement stands between two places,
/// <c>call.postgres.before</c> and <c>.after</c>.</summary>
public sealed class ServerSession(NpgsqlConnection connection, Checkpoints checkpoints)
{
    private const string Before = "call.postgres.before";
    private const string After = "call.postgres.after";

    /// <summary>Major version of the server.</summary>
    public int MajorVersion => connection.PostgreSqlVersion.Major;

    /// <summary>Runs a statement that answers nothing.</summary>
    public async Task ExecuteAsync(string sql, CancellationToken ct)
    {
        await checkpoints.PassAsync(Before, ct);
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync(ct);
        await checkpoints.PassAsync(After, ct);
    }

    /// <summary>The rows that a query answers.</summary>
    /// <param name="value">The value of <c>$1</c>; null when the query has no parameter.</param>
    public async Task<IReadOnlyList<T>> QueryAsync<T>(
        string sql, string? value, Func<NpgsqlDataReader, T> read, CancellationToken ct)
    {
        await checkpoints.PassAsync(Before, ct);
        var rows = new List<T>();
        await using (var command = new NpgsqlCommand(sql, connection))
        {
            if (value is not null)
            {
                command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = value });
            }

            await using var reader = await command.ExecuteReaderAsync(ct);
            while (await reader.ReadAsync(ct))
            {
                rows.Add(read(reader));
            }
        }

        await checkpoints.PassAsync(After, ct);
        return rows;
    }
}
