using System.Collections.Concurrent;
using Cloud.LocalPostgres;
using Npgsql;

namespace Cloud.TestHost;

/// <summary>
/// One real PostgreSQL server per test process, started by the first test that needs it and gone, files included, when
/// the process ends. A test class takes a database of its own with <see cref="DatabaseAsync"/>; a test that wants to
/// stop or kill a server starts one for itself with <see cref="StartAsync"/>.
/// </summary>
public static class PostgresServer
{
    /// <summary>A role that may create databases and roles but is no superuser, like the owner of a managed
    /// server.</summary>
    public const string Provisioner = "provisioner";

    /// <summary>The password of every role the fixtures make.</summary>
    public const string Password = "only-for-tests";

    /// <summary>Asks a session how long its server takes to notice that the other end is lost: one number, in
    /// seconds.</summary>
    public const string SecondsUntilLostHostIsNoticed =
        """
        SELECT sum(setting::int * CASE name WHEN 'tcp_keepalives_interval' THEN 3 ELSE 1 END)
        FROM pg_settings WHERE name IN ('tcp_keepalives_idle', 'tcp_keepalives_interval')
        """;

    private static readonly SemaphoreSlim Turn = new(1);
    private static readonly ConcurrentDictionary<string, Task> Templates = new();
    private static readonly Lock Starting = new();
    private static Task<PostgresProcess>? _shared;
    private static int _databases;

    /// <summary>A superuser's connection string to the process's own server.</summary>
    public static async Task<string> AdminConnectionStringAsync(CancellationToken cancellationToken) =>
        (await SharedAsync().WaitAsync(cancellationToken)).ConnectionString;

    /// <summary>The <see cref="Provisioner"/>'s connection string to database <c>postgres</c>.</summary>
    public static async Task<string> ProvisionerConnectionStringAsync(CancellationToken cancellationToken) =>
        new NpgsqlConnectionStringBuilder(await AdminConnectionStringAsync(cancellationToken))
        {
            Username = Provisioner,
        }.ConnectionString;

    /// <summary>A new database: a copy of a template that is migrated once per process.</summary>
    /// <param name="schema">The service's role and schema, e.g. <c>database_pool</c>; also the template's name.</param>
    /// <param name="migrate">Brings an empty schema to the current version.</param>
    /// <param name="cancellationToken">Cuts it short.</param>
    public static async Task<TestDatabase> DatabaseAsync(
        string schema, Func<NpgsqlDataSource, CancellationToken, Task> migrate, CancellationToken cancellationToken)
    {
        var admin = await AdminConnectionStringAsync(cancellationToken);
        var template = $"template_{schema}";
        await Turn.WaitAsync(cancellationToken);
        try
        {
            await Templates.GetOrAdd(
                schema, _ => MakeTemplateAsync(admin, template, schema, migrate, cancellationToken));
        }
        catch
        {
            Templates.TryRemove(schema, out _);
            throw;
        }
        finally
        {
            Turn.Release();
        }

        var name = $"{schema}_{Interlocked.Increment(ref _databases)}";
        await ExecuteAsync(admin, $"CREATE DATABASE {name} TEMPLATE {template} STRATEGY wal_log", cancellationToken);
        return new TestDatabase(name, admin, ConnectionStringTo(admin, name, schema));
    }

    /// <summary>A server apart from the shared one, for tests that stop, kill and restart it.</summary>
    /// <param name="directory">Its files; start again with the same directory for the same databases.</param>
    /// <param name="port">Its port; see <see cref="PostgresProcess.FreePort"/>.</param>
    /// <param name="cancellationToken">Cuts it short.</param>
    public static Task<PostgresProcess> StartAsync(string directory, int port, CancellationToken cancellationToken) =>
        PostgresProcess.StartAsync(
            new PostgresOptions
            {
                Directory = directory,
                Port = port,
                Password = Password,
                Durable = false,
                RemoveWhenOrphaned = true,
                DownloadDirectory = Path.Combine(Path.GetTempPath(), $"cloud-postgres-binaries-{Environment.UserName}"),
                Binaries = Environment.GetEnvironmentVariable("CLOUD_POSTGRES_BINARIES"),
            },
            cancellationToken);

    private static Task<PostgresProcess> SharedAsync()
    {
        lock (Starting)
        {
            return _shared ??= StartSharedAsync();
        }
    }

    private static async Task<PostgresProcess> StartSharedAsync()
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromMinutes(3));
        var directory = Path.Combine(Path.GetTempPath(), $"cloud-tests-{Environment.ProcessId}");
        var server = await StartAsync(directory, PostgresProcess.FreePort(), patience.Token);
        await ExecuteAsync(
            server.ConnectionString,
            $"CREATE ROLE {Provisioner} LOGIN CREATEDB CREATEROLE PASSWORD '{Password}'",
            patience.Token);
        return server;
    }

    private static async Task MakeTemplateAsync(
        string admin, string template, string schema, Func<NpgsqlDataSource, CancellationToken, Task> migrate,
        CancellationToken cancellationToken)
    {
        await ExecuteAsync(admin, $"DROP DATABASE IF EXISTS {template} WITH (FORCE)", cancellationToken);
        await ExecuteAsync(admin, $"CREATE DATABASE {template}", cancellationToken);
        await ExecuteAsync(
            ConnectionStringTo(admin, template, role: null) + ";Pooling=false",
            $"""
            DO $$ BEGIN
                CREATE ROLE {schema} LOGIN PASSWORD '{Password}';
            EXCEPTION WHEN duplicate_object THEN NULL;
            END $$;
            REVOKE ALL ON SCHEMA public FROM PUBLIC;
            CREATE SCHEMA {schema} AUTHORIZATION {schema};
            """,
            cancellationToken);

        // Not pooled: a database that somebody is connected to cannot be a template.
        await using var dataSource =
            NpgsqlDataSource.Create(ConnectionStringTo(admin, template, schema) + ";Pooling=false");
        await migrate(dataSource, cancellationToken);
    }

    private static string ConnectionStringTo(string admin, string database, string? role)
    {
        var address = new NpgsqlConnectionStringBuilder(admin) { Database = database };
        if (role is not null)
        {
            address.Username = role;
            address.Password = Password;
            address.SearchPath = role;
            address.MaxPoolSize = 20;
        }

        return address.ConnectionString;
    }

    /// <summary>Executes something as the superuser, in database <c>postgres</c>.</summary>
    public static async Task ExecuteAsync(string sql, CancellationToken cancellationToken) =>
        await ExecuteAsync(await AdminConnectionStringAsync(cancellationToken), sql, cancellationToken);

    internal static async Task ExecuteAsync(string connectionString, string sql, CancellationToken cancellationToken)
    {
        // Pooled, by connection string: where starting a process is slow, a connection costs more than what it is for.
        await using var connection = new NpgsqlConnection(connectionString);
        await connection.OpenAsync(cancellationToken);
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync(cancellationToken);
    }
}

/// <summary>A database for one test class.</summary>
/// <param name="Name">Its name on the server.</param>
/// <param name="AdminConnectionString">The superuser's connection string to database <c>postgres</c>.</param>
/// <param name="ConnectionString">The service role's connection string, with its schema as search path.</param>
public sealed record TestDatabase(string Name, string AdminConnectionString, string ConnectionString) : IAsyncDisposable
{
    /// <summary>Connections to look at a service's tables, or to change them, behind its back.</summary>
    public NpgsqlDataSource Source { get; } = NpgsqlDataSource.Create(ConnectionString);

    /// <summary>Drops the database, whoever is still connected.</summary>
    public async ValueTask DisposeAsync()
    {
        await Source.DisposeAsync();
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        await PostgresServer.ExecuteAsync(
            AdminConnectionString, $"DROP DATABASE IF EXISTS {Name} WITH (FORCE)", patience.Token);
    }
}
