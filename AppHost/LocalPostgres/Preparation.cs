using Npgsql;

namespace Cloud.LocalPostgres;

/// <summary>What a server must hold before the services start.</summary>
/// <param name="Database">The one database of the services.</param>
/// <param name="Roles">Role name to password. Each role owns a schema of its own name and sees no other.</param>
/// <param name="Provisioner">A role that may create databases and roles, but is no superuser: what a managed server
/// gives its owner. Null makes none.</param>
/// <param name="ProvisionerPassword">Its password.</param>
public sealed record PreparationOptions(
    string Database,
    IReadOnlyDictionary<string, string> Roles,
    string? Provisioner,
    string? ProvisionerPassword)
{
    /// <summary>Closes the server's own databases to all but the provisioner, so that the roles made with it reach
    /// their own databases only. For a server that is ours alone: somebody else's may have roles that need
    /// them.</summary>
    public bool CloseMaintenanceDatabases { get; init; }
}

/// <summary>
/// Creates the services' database, roles and schemas on a server, whoever runs that server. Can be repeated: what
/// exists stays, passwords are set to those given. The roles appear together in one transaction, so a role that can
/// log in proves that all of it is there.
/// </summary>
public static class Preparation
{
    // Any constant will do; two preparations of one server must use the same.
    private const long OneAtATime = 0x636C6F7564;

    /// <summary>Prepares the server.</summary>
    /// <param name="serverConnectionString">A superuser's connection string to any database of the server.</param>
    /// <param name="options">What to create.</param>
    /// <param name="cancellationToken">Cuts it short; repeating completes it.</param>
    public static async Task RunAsync(
        string serverConnectionString, PreparationOptions options, CancellationToken cancellationToken)
    {
        var address = new NpgsqlConnectionStringBuilder(serverConnectionString) { Pooling = false };
        await using (var server = await OpenAsync(address, cancellationToken))
        {
            await ExecuteAsync(server, $"SELECT pg_advisory_lock({OneAtATime})", cancellationToken);
            if (!await ExistsAsync(
                    server, "SELECT 1 FROM pg_database WHERE datname = @name", options.Database, cancellationToken))
            {
                await ExecuteAsync(server, $"CREATE DATABASE {Quoted(options.Database)}", cancellationToken);
            }
        }

        address.Database = options.Database;
        await using var connection = await OpenAsync(address, cancellationToken);
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        await ExecuteAsync(connection, $"SELECT pg_advisory_xact_lock({OneAtATime})", cancellationToken);
        await ExecuteAsync(
            connection,
            $"REVOKE ALL ON DATABASE {Quoted(options.Database)} FROM PUBLIC; REVOKE ALL ON SCHEMA public FROM PUBLIC",
            cancellationToken);
        foreach (var (role, password) in options.Roles)
        {
            await EnsureRoleAsync(connection, role, password, "LOGIN", cancellationToken);
            await ExecuteAsync(
                connection,
                $"""
                GRANT CONNECT, TEMPORARY ON DATABASE {Quoted(options.Database)} TO {Quoted(role)};
                CREATE SCHEMA IF NOT EXISTS {Quoted(role)} AUTHORIZATION {Quoted(role)};
                """,
                cancellationToken);
        }

        if (options.Provisioner is { } provisioner)
        {
            await EnsureRoleAsync(
                connection, provisioner, options.ProvisionerPassword ?? "", "LOGIN CREATEDB CREATEROLE",
                cancellationToken);
            if (options.CloseMaintenanceDatabases)
            {
                await ExecuteAsync(
                    connection,
                    $"""
                    REVOKE CONNECT, TEMPORARY ON DATABASE postgres, template1 FROM PUBLIC;
                    GRANT CONNECT ON DATABASE postgres TO {Quoted(provisioner)};
                    """,
                    cancellationToken);
            }
        }

        await transaction.CommitAsync(cancellationToken);
    }

    private static async Task EnsureRoleAsync(
        NpgsqlConnection connection, string role, string password, string attributes,
        CancellationToken cancellationToken)
    {
        var exists = await ExistsAsync(
            connection, "SELECT 1 FROM pg_roles WHERE rolname = @name", role, cancellationToken);
        var verb = exists ? "ALTER" : "CREATE";
        await ExecuteAsync(
            connection, $"{verb} ROLE {Quoted(role)} {attributes} PASSWORD {Literal(password)}", cancellationToken);
    }

    private static async Task<NpgsqlConnection> OpenAsync(
        NpgsqlConnectionStringBuilder address, CancellationToken cancellationToken)
    {
        var connection = new NpgsqlConnection(address.ConnectionString);
        await connection.OpenAsync(cancellationToken);
        return connection;
    }

    private static async Task<bool> ExistsAsync(
        NpgsqlConnection connection, string sql, string name, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        command.Parameters.AddWithValue("name", name);
        return await command.ExecuteScalarAsync(cancellationToken) is not null;
    }

    private static async Task ExecuteAsync(NpgsqlConnection connection, string sql, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync(cancellationToken);
    }

    private static string Quoted(string name) => $"\"{name.Replace("\"", "\"\"", StringComparison.Ordinal)}\"";

    private static string Literal(string value) => $"'{value.Replace("'", "''", StringComparison.Ordinal)}'";
}
