using System.Globalization;
using System.Text.Json;
using Cloud.Protos.Api.V1;
using Cloud.ServiceDefaults.Supervision;
using Npgsql;

namespace Cloud.Providers;

/// <summary>
/// The statements that make and remove one installation's database and role. Each looks first and does what is missing,
/// so that any of them can be cut anywhere and run again. Called under <see cref="PostgresServers.ActAsync"/>.
/// <para>
/// The comment on the database says whose it is and by which claim it was made. What carries another installation's
/// name is never touched; what carries a higher epoch is left to the worker that holds it.
/// </para>
/// </summary>
public static class CustomerDatabase
{
    /// <summary>Characters of a password: 40 of 62 kinds, about 238 bits, safe in a URL as they are.</summary>
    public const int PasswordLength = 40;

    /// <summary>CREATE DATABASE takes a strategy from here on; before, copying files was the only one.</summary>
    private const int StrategyVersion = 15;

    private const string RoleSql = """
        SELECT pg_has_role(current_user, oid, 'USAGE') FROM pg_roles WHERE rolname = $1
        """;

    private const string DatabaseSql = """
        SELECT pg_get_userbyid(datdba), shobj_description(oid, 'pg_database'), datconnlimit
          FROM pg_database WHERE datname = $1
        """;

    /// <summary>Who is connected to a database and is none of those whom our role may act for.</summary>
    private const string OthersSql = """
        SELECT usename, pid FROM pg_stat_activity
         WHERE datname = $1 AND NOT pg_has_role(current_user, usesysid, 'USAGE') ORDER BY pid
        """;

    /// <summary>
    /// What PostgreSQL writes as connection limit of a database whose DROP was cut: only dropping helps.
    /// </summary>
    private const int InvalidDatabase = -2;

    /// <summary>
    /// Ensures the role (nobody knows its password until one is issued), the database it owns, that nobody else may
    /// connect, and the comment.
    /// </summary>
    public static async Task EnsureAsync(ServerSession session, DatabaseSpec spec, CancellationToken ct)
    {
        var role = Quote(spec.RoleName);
        var database = Quote(spec.DatabaseName);
        await EnsureRoleAsync(session, spec, ct);

        var found = await FindAsync(session, spec, ct);
        if (found is { IsInvalid: true })
        {
            await DropAsync(session, spec, ct);
            found = null;
        }

        if (found is null)
        {
            var strategy = session.MajorVersion >= StrategyVersion ? " STRATEGY wal_log" : "";
            // template0: nobody can be connected to it, so that many can be made at once.
            await session.ExecuteAsync(
                $"CREATE DATABASE {database} OWNER {role} TEMPLATE template0 ENCODING 'UTF8'{strategy}",
                ct);
        }

        await session.ExecuteAsync(
            $"REVOKE ALL ON DATABASE {database} FROM PUBLIC; COMMENT ON DATABASE {database} IS {Comment(spec)}",
            ct);
    }

    /// <summary>
    /// Ensures that neither database nor role is left, whoever is connected. The role loses its login first, so that an
    /// application that keeps trying does not come back in between.
    /// </summary>
    public static async Task EnsureGoneAsync(ServerSession session, DatabaseSpec spec, CancellationToken ct)
    {
        var role = Quote(spec.RoleName);
        var found = await FindAsync(session, spec, ct);
        var hasRole = await HasRoleAsync(session, spec.RoleName, ct) is not null;
        if (hasRole)
        {
            await EnsureMembershipAsync(session, spec.RoleName, ct);
            await session.ExecuteAsync($"ALTER ROLE {role} NOLOGIN", ct);
        }

        if (found is not null)
        {
            await DropAsync(session, spec, ct);
        }

        if (hasRole)
        {
            await session.ExecuteAsync($"DROP ROLE {role}", ct);
        }
    }

    /// <summary>Gives the role a new password; the former is invalid from here on. Open connections stay.</summary>
    public static async Task SetPasswordAsync(
        ServerSession session, string roleName, string password, CancellationToken ct) =>
        await session.ExecuteAsync(
            $"ALTER ROLE {Quote(roleName)} PASSWORD {Literal(ScramVerifier.Of(password))}", ct);

    /// <summary>An identifier as SQL wants it.</summary>
    public static string Quote(string identifier) =>
        $"\"{identifier.Replace("\"", "\"\"", StringComparison.Ordinal)}\"";

    private static string Literal(string text) => $"'{text.Replace("'", "''", StringComparison.Ordinal)}'";

    private static async Task EnsureRoleAsync(ServerSession session, DatabaseSpec spec, CancellationToken ct)
    {
        var role = Quote(spec.RoleName);
        var limit = spec.ConnectionLimit.ToString(CultureInfo.InvariantCulture);
        if (await HasRoleAsync(session, spec.RoleName, ct) is null)
        {
            var nobodyKnows = Literal(ScramVerifier.Of(Passwords.New(PasswordLength)));
            await session.ExecuteAsync(
                $"CREATE ROLE {role} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE CONNECTION LIMIT {limit} "
                + $"PASSWORD {nobodyKnows}",
                ct);
        }
        else
        {
            await session.ExecuteAsync($"ALTER ROLE {role} LOGIN CONNECTION LIMIT {limit}", ct);
        }

        await EnsureMembershipAsync(session, spec.RoleName, ct);
    }

    /// <summary>Drops the database and cuts off who is connected to it, as far as our role may: a superuser who makes a
    /// backup it may not.</summary>
    /// <exception cref="StepException">Somebody is connected who may not be cut off.</exception>
    private static async Task DropAsync(ServerSession session, DatabaseSpec spec, CancellationToken ct)
    {
        try
        {
            await session.ExecuteAsync($"DROP DATABASE {Quote(spec.DatabaseName)} WITH (FORCE)", ct);
        }
        catch (PostgresException refused) when (refused.SqlState == PostgresErrorCodes.InsufficientPrivilege)
        {
            var others = await session.QueryAsync(
                OthersSql, spec.DatabaseName, row => $"\"{row.GetString(0)}\" (pid {row.GetInt32(1)})", ct);
            if (others.Count == 0)
            {
                throw;
            }

            throw new StepException(
                ErrorReason.DatabaseInUse,
                $"{spec.DatabaseName} cannot be dropped while {string.Join(", ", others)} is connected to it, whom our "
                + "role may not cut off.",
                refused);
        }
    }

    /// <summary>One who is not a superuser makes and drops a role's database only as a member of that role.</summary>
    private static async Task EnsureMembershipAsync(ServerSession session, string roleName, CancellationToken ct)
    {
        if (await HasRoleAsync(session, roleName, ct) is false)
        {
            await session.ExecuteAsync($"GRANT {Quote(roleName)} TO CURRENT_USER", ct);
        }
    }

    /// <summary>Null when there is no such role; else whether we may act as it.</summary>
    private static async Task<bool?> HasRoleAsync(ServerSession session, string roleName, CancellationToken ct) =>
        (await session.QueryAsync(RoleSql, roleName, row => (bool?)row.GetBoolean(0), ct)).SingleOrDefault();

    /// <summary>The database as it is there; null when there is none.</summary>
    /// <exception cref="StepException">It is another installation's, or belongs to a later claim.</exception>
    private static async Task<FoundDatabase?> FindAsync(
        ServerSession session, DatabaseSpec spec, CancellationToken ct)
    {
        var rows = await session.QueryAsync(DatabaseSql, spec.DatabaseName, FoundDatabase.Read, ct);
        if (rows.SingleOrDefault() is not { } found)
        {
            return null;
        }

        var (owner, mark, _) = found;
        // Without a mark it is ours if our role owns it: creation was cut before the comment.
        if (mark is null ? owner != spec.RoleName : mark.Installation != spec.InstallationId)
        {
            throw new StepException(
                ErrorReason.DatabaseNameTaken,
                $"A database {spec.DatabaseName} is there already and belongs to \"{owner}\", not to this "
                + "installation. Rename or remove it by hand.");
        }

        if (mark is not null && mark.Epoch > spec.Epoch)
        {
            throw new StepException(
                ErrorReason.DatabaseServerBusy,
                $"A later worker (epoch {mark.Epoch}) has taken {spec.DatabaseName} over.");
        }

        return found;
    }

    private static string Comment(DatabaseSpec spec) =>
        Literal(new DatabaseMark(spec.InstallationId, spec.Epoch).Write());

    private sealed record FoundDatabase(string Owner, DatabaseMark? Mark, bool IsInvalid)
    {
        public static FoundDatabase Read(NpgsqlDataReader row) => new(
            row.GetString(0),
            row.IsDBNull(1) ? null : DatabaseMark.Read(row.GetString(1)),
            row.GetInt32(2) == InvalidDatabase);
    }

    /// <summary>The comment on a database: <c>{"cloud":{"installation":"...","epoch":7}}</c>.</summary>
    private sealed record DatabaseMark(string Installation, long Epoch)
    {
        private const string Root = "cloud";

        public string Write() =>
            JsonSerializer.Serialize(new Dictionary<string, DatabaseMark> { [Root] = this }, JsonSerializerOptions.Web);

        /// <summary>Null when the comment is not one of ours.</summary>
        public static DatabaseMark? Read(string comment)
        {
            try
            {
                return JsonSerializer
                    .Deserialize<Dictionary<string, DatabaseMark>>(comment, JsonSerializerOptions.Web)
                    ?.GetValueOrDefault(Root);
            }
            catch (JsonException)
            {
                // Somebody's own words about the database.
                return null;
            }
        }
    }
}
