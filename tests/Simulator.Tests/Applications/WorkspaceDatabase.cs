using Cloud.TestHost;
using Npgsql;
using Xunit;

namespace Cloud.Simulator.Tests.Applications;

/// <summary>A logical database with its own role, as a workspace has one.</summary>
internal sealed class WorkspaceDatabase(string admin, string name) : IAsyncDisposable
{
    private const string Password = "p@ss/word:1";
    private static int _made;

    public string Name => name;

    public string Url => UrlWith(Password);

    public static async Task<WorkspaceDatabase> CreateAsync()
    {
        var admin = await PostgresServer.AdminConnectionStringAsync(TestContext.Current.CancellationToken);
        var database = new WorkspaceDatabase(admin, $"workspace_{Interlocked.Increment(ref _made)}");
        await ExecuteAsync($"CREATE ROLE {database.Name} LOGIN PASSWORD '{Password}'");
        await ExecuteAsync($"CREATE DATABASE {database.Name} OWNER {database.Name} STRATEGY wal_log");
        return database;
    }

    public string UrlWith(string password)
    {
        var address = new NpgsqlConnectionStringBuilder(admin);
        return $"postgres://{name}:{Uri.EscapeDataString(password)}@{address.Host}:{address.Port}/{name}" +
            "?sslmode=disable&connect_timeout=10";
    }

    public async Task<string?> SystemValueAsync(string key)
    {
        await using var source = NpgsqlDataSource.Create(
            new NpgsqlConnectionStringBuilder(admin) { Database = name, Pooling = false }.ConnectionString);
        await using var command = source.CreateCommand("SELECT value FROM systems WHERE name = $1");
        command.Parameters.Add(new() { Value = key });
        return await command.ExecuteScalarAsync(TestContext.Current.CancellationToken) as string;
    }

    public async ValueTask DisposeAsync()
    {
        await ExecuteAsync($"DROP DATABASE IF EXISTS {name} WITH (FORCE)");
        await ExecuteAsync($"DROP ROLE IF EXISTS {name}");
    }

    private static Task ExecuteAsync(string sql) =>
        PostgresServer.ExecuteAsync(sql, TestContext.Current.CancellationToken);
}
