using System.Collections.Concurrent;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Cloud.TestHost;

/// <summary>
/// The plan of every statement that a service really sends, as PostgreSQL executed it: the database is told to explain
/// what it did (<c>auto_explain</c>, part of every distribution) in a notice to whoever asked, and the driver logs
/// notices. A plan is here before the call that sent the statement returns.
/// </summary>
public sealed class QueryPlans : ILoggerProvider
{
    private readonly ConcurrentQueue<QueryPlan> _plans = new();

    /// <summary>Makes a database explain itself to those who connect from now on.</summary>
    public static async Task ExplainAsync(TestDatabase database, CancellationToken ct)
    {
        string[] settings =
        [
            "session_preload_libraries = 'auto_explain'", "auto_explain.log_min_duration = 0",
            "auto_explain.log_analyze = on", "auto_explain.log_timing = off", "auto_explain.log_format = 'json'",
            "auto_explain.log_level = 'notice'", "auto_explain.log_nested_statements = on",
        ];
        foreach (var setting in settings)
        {
            await PostgresServer.ExecuteAsync(
                database.AdminConnectionString, $"ALTER DATABASE {database.Name} SET {setting}", ct);
        }
    }

    /// <summary>Lets the notices of a service come here, and nowhere else.</summary>
    public void Hear(IServiceCollection services) => services.AddLogging(logging =>
        logging.AddProvider(this).AddFilter<QueryPlans>("Npgsql.Connection", LogLevel.Debug));

    /// <summary>What is being called now: statements are noted under it. Null: nothing that is looked at.</summary>
    public string? Caller { get; set; }

    /// <summary>What callers had executed.</summary>
    public IReadOnlyCollection<QueryPlan> All => _plans;

    ILogger ILoggerProvider.CreateLogger(string categoryName) => new Notices(this);

    void IDisposable.Dispose()
    {
        // It outlives the services that write into it.
    }

    private sealed class Notices(QueryPlans plans) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception,
            Func<TState, Exception?, string> formatter)
        {
            if (plans.Caller is { } caller
                && state is IReadOnlyList<KeyValuePair<string, object?>> values
                && values.FirstOrDefault(value => value.Key == "NoticeText").Value is string notice
                && notice.StartsWith("duration: ", StringComparison.Ordinal))
            {
                plans._plans.Enqueue(
                    QueryPlan.Parse(caller, notice[notice.IndexOf('{', StringComparison.Ordinal)..]));
            }
        }
    }
}

/// <summary>A statement and how it was executed.</summary>
/// <param name="Caller">Who sent it.</param>
/// <param name="Sql">As PostgreSQL got it.</param>
/// <param name="Answered">Rows that it answered.</param>
/// <param name="Reads">The parts that read a table.</param>
public sealed record QueryPlan(string Caller, string Sql, double Answered, IReadOnlyList<PlanNode> Reads)
{
    /// <summary>Reads what <c>auto_explain</c> writes.</summary>
    public static QueryPlan Parse(string caller, string json)
    {
        using var document = JsonDocument.Parse(json);
        var plan = document.RootElement.GetProperty("Plan");
        var reads = new List<PlanNode>();
        Add(plan, reads);
        return new QueryPlan(
            caller,
            document.RootElement.GetProperty("Query Text").GetString()!,
            plan.GetProperty("Actual Rows").GetDouble(),
            reads);
    }

    private static void Add(JsonElement node, List<PlanNode> reads)
    {
        if (PlanNode.Of(node) is { Table.Length: > 0 } read)
        {
            reads.Add(read);
        }

        if (node.TryGetProperty("Plans", out var children))
        {
            foreach (var child in children.EnumerateArray())
            {
                Add(child, reads);
            }
        }
    }
}

/// <summary>A part of a plan.</summary>
/// <param name="Table">The table it reads; empty when it reads none.</param>
/// <param name="How">The kind of reading, and by which index.</param>
/// <param name="Rows">Rows it looked at, those it threw away included.</param>
public sealed record PlanNode(string Table, string How, double Rows)
{
    internal static PlanNode Of(JsonElement node)
    {
        var kind = Text(node, "Node Type");
        var isRead = kind.EndsWith("Scan", StringComparison.Ordinal);
        var looked = Number(node, "Actual Rows") + Number(node, "Rows Removed by Filter")
            + Number(node, "Rows Removed by Index Recheck");
        var index = Text(node, "Index Name");
        return new PlanNode(
            isRead ? Text(node, "Relation Name") : "",
            index.Length > 0 ? $"{kind} by {index}" : kind,
            looked * Number(node, "Actual Loops"));
    }

    private static string Text(JsonElement node, string name) =>
        node.TryGetProperty(name, out var value) ? value.GetString()! : "";

    private static double Number(JsonElement node, string name) =>
        node.TryGetProperty(name, out var value) ? value.GetDouble() : 0;
}
