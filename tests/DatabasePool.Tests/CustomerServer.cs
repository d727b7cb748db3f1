using Cloud.TestHost;
using Npgsql;
using Proto = Cloud.Protos.DatabasePool.V1;

namespace Cloud.DatabasePool.Tests;

/// <summary>Looks at a customer's server from outside, as its superuser or as an application.</summary>
internal static class CustomerServer
{
    /// <summary>One value from the shared server, as its superuser.</summary>
    public static async Task<T?> AskAsync<T>(string sql, CancellationToken ct) =>
        await AskOnceAsync<T>(await PostgresServer.AdminConnectionStringAsync(ct), sql, ct);

    /// <summary>One value over a connection string, which leaves no connection behind.</summary>
    public static Task<T?> AskAsync<T>(string connectionString, string sql, CancellationToken ct) =>
        AskOnceAsync<T>(connectionString + ";Pooling=false", sql, ct);

    private static async Task<T?> AskOnceAsync<T>(string connectionString, string sql, CancellationToken ct)
    {
        await using var connection = new NpgsqlConnection(connectionString);
        await connection.OpenAsync(ct);
        await using var command = new NpgsqlCommand(sql, connection);
        return await command.ExecuteScalarAsync(ct) is T value ? value : default;
    }

    /// <summary>Whether anything of an installation is left on the shared server.</summary>
    public static Task<bool> HasTraceOfAsync(string installationId, CancellationToken ct) => AskAsync<bool>(
        $"""
         SELECT EXISTS (SELECT FROM pg_database WHERE datname = 'cloud_{installationId}')
             OR EXISTS (SELECT FROM pg_roles WHERE rolname = 'user_{installationId}')
         """,
        ct);

    /// <summary>What an application makes of the connection string that it is given.</summary>
    public static string AsApplication(Proto.LogicalDatabaseCredentials credentials, string? database = null)
    {
        var url = new Uri(credentials.ConnectionString);
        var login = url.UserInfo.Split(':');
        return new NpgsqlConnectionStringBuilder
        {
            Host = url.Host,
            Port = url.Port,
            Username = login[0],
            Password = login[1],
            Database = database ?? url.AbsolutePath.TrimStart('/'),
            SslMode = SslMode.Disable,
        }.ConnectionString;
    }
}
