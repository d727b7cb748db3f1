using System.Globalization;
using Dapper;

namespace Cloud.ServiceDefaults.Storage;

/// <summary>The conditions of a query, of those restrictions only that were asked for: a statement that carries every
/// possible one (<c>@x = '' OR column = @x</c>) is planned once for all of them, and then reads the whole
/// table.</summary>
public sealed class Conditions
{
    private readonly List<string> _sql = [];

    private string _page = "";

    /// <summary>What follows WHERE.</summary>
    public string Sql => (_sql.Count == 0 ? "true" : string.Join(" AND ", _sql)) + _page;

    /// <summary>The values its names stand for.</summary>
    public DynamicParameters Values { get; } = new();

    /// <summary>A condition without a value.</summary>
    public Conditions Add(string sql)
    {
        _sql.Add(sql);
        return this;
    }

    /// <summary>A condition with a value, by its name in the condition; none when the value is null.</summary>
    public Conditions Add(string sql, string name, object? value)
    {
        if (value is not null)
        {
            _sql.Add(sql);
            Values.Add(name, value);
        }

        return this;
    }

    /// <summary>A condition without a value, left out when something else was asked for.</summary>
    public Conditions AddUnless(bool unless, string sql) => unless ? this : Add(sql);

    /// <summary>The column has that value; no restriction when it is null or empty.</summary>
    public Conditions Equal(string column, string? value) =>
        Add($"{column} = @{column}", column, string.IsNullOrEmpty(value) ? null : value);

    /// <summary>The column has one of these values; no restriction when there are none.</summary>
    public Conditions AnyOf(string column, IReadOnlyCollection<string> values) =>
        Add($"{column} = ANY (@any_{column})", $"any_{column}", values.Count == 0 ? null : values.ToArray());

    /// <summary>The row is in one of these states; no restriction when there are none. They are written out, so that
    /// each choice of states is planned for itself: there may be few in them or nearly all.</summary>
    /// <exception cref="ArgumentException">Something else than the name of a state.</exception>
    public Conditions InStates(IReadOnlyCollection<string> names)
    {
        if (names.FirstOrDefault(name => name.Any(c => !char.IsAsciiLetterLower(c) && c != '-')) is { } odd)
        {
            throw new ArgumentException($"'{odd}' is no name of a state.", nameof(names));
        }

        return AddUnless(names.Count == 0, $"state IN ('{string.Join("', '", names)}')");
    }

    /// <summary>A page of a list by age, oldest first; the last to be called.</summary>
    /// <param name="after">Where the page before ended; null for the first.</param>
    /// <param name="limit">Rows at most.</param>
    /// <param name="idColumn">Column of the id.</param>
    public Conditions Page(PageKey? after, int limit, string idColumn = "id")
    {
        // Of a limit that is a parameter PostgreSQL assumes a tenth of the table, finds planning for the known one
        // cheaper every time, and so plans every page anew. For a page of everything that is waste. For one of a value
        // it is wanted: a plan for any value may read the whole table for a rare one.
        var rows = limit.ToString(CultureInfo.InvariantCulture);
        if (Values.ParameterNames.Any())
        {
            rows = "@page_limit";
            Values.Add("page_limit", limit);
        }

        if (after is not null)
        {
            Add($"(create_time, {idColumn}) > (@after_time, @after_id)");
            Values.Add("after_time", after.CreateTime.UtcDateTime);
            Values.Add("after_id", after.Id);
        }

        _page = $" ORDER BY create_time, {idColumn} LIMIT {rows}";
        return this;
    }
}
