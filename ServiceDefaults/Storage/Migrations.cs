using System.Reflection;
using DbUp;
using DbUp.Engine;
using DbUp.Engine.Output;
using DbUp.Postgresql;
using Npgsql;

namespace Cloud.ServiceDefaults.Storage;

/// <summary>Brings a service's schema up to date: first the tables every service has (outbox, request ledger), then the
/// service's own embedded <c>Migrations/*.sql</c>, each group in the order of its file names, each script once and in a
/// transaction of its own. Replicas that start together take turns on an advisory lock. There is no way back: a
/// migration must leave the running version working.</summary>
public static class Migrations
{
    private const string JournalTable = "schema_versions";

    /// <summary>How long one statement may take: a large table takes its time, and what is cut off begins again from
    /// nothing at the next try.</summary>
    private static readonly TimeSpan StatementWithin = TimeSpan.FromHours(1);

    /// <summary>The one file of a service's <c>Migrations</c> folder that is documentation: the whole schema in one
    /// read.</summary>
    private const string SchemaDocument = ".schema.sql";

    /// <summary>Runs what has not run yet. Unqualified names resolve through the connection's search path.</summary>
    /// <exception cref="InvalidOperationException">A script failed; the inner exception says why.</exception>
    public static async Task RunAsync(NpgsqlDataSource source, Assembly withEmbeddedSql, CancellationToken ct)
    {
        await using var turn = await AdvisoryTurn.TakeAsync(source, "migrations", ct);
        await using var where = source.CreateCommand("SELECT current_schema()");
        var schema = await where.ExecuteScalarAsync(ct) as string
            ?? throw new InvalidOperationException("The role's search_path names no schema that exists.");
        var result = await Task.Run(() => Upgrade(source, schema, withEmbeddedSql), ct);
        if (!result.Successful)
        {
            throw new InvalidOperationException(
                $"Migration {result.ErrorScript?.Name} failed: {DatabaseTrouble.Words(result.Error)}", result.Error);
        }
    }

    private static DatabaseUpgradeResult Upgrade(NpgsqlDataSource source, string schema, Assembly service) =>
        DeployChanges.To
            .PostgresqlDatabase(new PostgresqlConnectionManager(source))
            .JournalToPostgresqlTable(schema, JournalTable)
            .WithScripts([.. ScriptsOf(typeof(Migrations).Assembly, "shared"), .. ScriptsOf(service, "service")])
            .WithScriptNameComparer(new InOrderGiven())
            .WithTransactionPerScript()
            .WithExecutionTimeout(StatementWithin)
            .WithVariablesDisabled()
            .LogTo(new NoUpgradeLog())
            .Build()
            .PerformUpgrade();

    private static IEnumerable<SqlScript> ScriptsOf(Assembly assembly, string group) =>
        assembly.GetManifestResourceNames()
            .Where(name => name.Contains(".Migrations.", StringComparison.Ordinal)
                && name.EndsWith(".sql", StringComparison.Ordinal)
                && !name.EndsWith(SchemaDocument, StringComparison.Ordinal))
            .Order(StringComparer.Ordinal)
            .Select(name =>
            {
                using var text = new StreamReader(assembly.GetManifestResourceStream(name)!);
                var file = name[(name.LastIndexOf(".Migrations.", StringComparison.Ordinal) + ".Migrations.".Length)..];
                return new SqlScript($"{group}/{file}", text.ReadToEnd());
            });

    /// <summary>"shared" before "service", then by file name.</summary>
    private sealed class InOrderGiven : IComparer<string>
    {
        public int Compare(string? x, string? y)
        {
            var group = IsShared(y).CompareTo(IsShared(x));
            return group != 0 ? group : string.CompareOrdinal(x, y);
        }

        private static bool IsShared(string? name) => name?.StartsWith("shared/", StringComparison.Ordinal) ?? false;
    }

    /// <summary>The result carries the error; DbUp's progress lines would be noise in every start.</summary>
    private sealed class NoUpgradeLog : IUpgradeLog
    {
        public void LogTrace(string format, params object[] args)
        {
        }

        public void LogDebug(string format, params object[] args)
        {
        }

        public void LogInformation(string format, params object[] args)
        {
        }

        public void LogWarning(string format, params object[] args)
        {
        }

        public void LogError(string format, params object[] args)
        {
        }

        public void LogError(Exception ex, string format, params object[] args)
        {
        }
    }
}
