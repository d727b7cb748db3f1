using System.Data.Common;
using System.Linq.Expressions;
using System.Reflection;
using System.Text.Json;
using System.Text.Json.Serialization;
using Dapper;
using Npgsql;
using NpgsqlTypes;

namespace Cloud.ServiceDefaults.Storage;

/// <summary>A property that is no column of the record's table.</summary>
[AttributeUsage(AttributeTargets.Property)]
public sealed class NotStoredAttribute : Attribute;

/// <summary>
/// How a record is a row: every public property with a setter is a column of the same name in snake_case. The record is
/// the list of columns; nothing is written twice, and a property without its column fails the first query.
/// <list type="bullet">
/// <item>text, numbers, booleans, <c>byte[]</c> (bytea), <see cref="DateTimeOffset"/> (timestamptz),
/// <see cref="TimeSpan"/> (interval) and <c>string[]</c> (text[]) are stored as themselves;</item>
/// <item>enums are stored as text by their kebab-case names (<see cref="StateNames{TState}"/>);</item>
/// <item>everything else, such as records, lists and dictionaries, is a <c>jsonb</c> column.</item>
/// </list>
/// <code>
/// public sealed record Cluster : SupervisedRow&lt;ClusterState&gt;
/// {
///     public required string Name { get; init; }                                    // name text NOT NULL
///     public IReadOnlyDictionary&lt;string, string&gt; Labels { get; init; } = ...;  // labels jsonb NOT NULL
///     [NotStored] public string Context { get; init; } = "";
/// }
/// </code>
/// Reading and writing are compiled once per record type; there is no reflection per row.
/// </summary>
public static class RowMap<TRow>
    where TRow : class
{
    private static readonly IReadOnlyList<PropertyInfo> Properties = FindProperties();

    private static readonly IReadOnlyList<Func<TRow, NpgsqlParameter>> Parameters =
        [.. Properties.Select(ColumnValues.ParameterOf<TRow>)];

    private static readonly Func<DbDataReader, TRow> Reader = CompileReader();

    /// <summary>Every column, in the order in which <see cref="Read"/> expects them.</summary>
    public static IReadOnlyList<string> Columns { get; } = [.. Properties.Select(p => ColumnValues.NameOf(p.Name))];

    /// <summary><see cref="Columns"/> as the list of a SELECT or RETURNING.</summary>
    public static string ColumnList { get; } = string.Join(", ", Columns);

    /// <summary>Reads the current row of a result that selected <see cref="ColumnList"/>.</summary>
    public static TRow Read(DbDataReader reader) => Reader(reader);

    /// <summary>The value of a column, typed, as a positional parameter.</summary>
    public static NpgsqlParameter Parameter(TRow row, int column) => Parameters[column](row);

    /// <summary>Reads all rows of a result that selected <see cref="ColumnList"/>.</summary>
    public static async Task<IReadOnlyList<TRow>> ReadAllAsync(DbDataReader reader, CancellationToken ct)
    {
        // Dapper's wrapper would pass on each call for each value, which shows in pages of hundreds of rows.
        var plain = reader is IWrappedDataReader { Reader: DbDataReader wrapped } ? wrapped : reader;
        var rows = new List<TRow>();
        while (await plain.ReadAsync(ct))
        {
            rows.Add(Reader(plain));
        }

        return rows;
    }

    private static List<PropertyInfo> FindProperties() =>
    [
        .. typeof(TRow).GetProperties(BindingFlags.Instance | BindingFlags.Public)
            .Where(p => p is { CanRead: true, CanWrite: true } && p.GetIndexParameters().Length == 0)
            .Where(p => p.GetCustomAttribute<NotStoredAttribute>() is null)
            .OrderBy(p => p.DeclaringType == typeof(TRow) ? 1 : 0),
    ];

    private static Func<DbDataReader, TRow> CompileReader()
    {
        var constructor = typeof(TRow).GetConstructor(Type.EmptyTypes)
            ?? throw new InvalidOperationException(
                $"{typeof(TRow).Name} needs properties, not constructor parameters.");
        var reader = Expression.Parameter(typeof(DbDataReader));
        var bindings = Properties.Select((property, ordinal) =>
            Expression.Bind(property, ColumnValues.ReadExpression(reader, ordinal, property)));
        return Expression.Lambda<Func<DbDataReader, TRow>>(
            Expression.MemberInit(Expression.New(constructor), bindings), reader).Compile();
    }
}

/// <summary>One column's value, from and to PostgreSQL.</summary>
internal static class ColumnValues
{
    private static readonly JsonSerializerOptions Json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.KebabCaseLower) },
    };

    private static readonly Dictionary<Type, NpgsqlDbType> Native = new()
    {
        [typeof(string)] = NpgsqlDbType.Text,
        [typeof(int)] = NpgsqlDbType.Integer,
        [typeof(long)] = NpgsqlDbType.Bigint,
        [typeof(bool)] = NpgsqlDbType.Boolean,
        [typeof(double)] = NpgsqlDbType.Double,
        [typeof(decimal)] = NpgsqlDbType.Numeric,
        [typeof(byte[])] = NpgsqlDbType.Bytea,
        [typeof(DateTimeOffset)] = NpgsqlDbType.TimestampTz,
        [typeof(TimeSpan)] = NpgsqlDbType.Interval,
        [typeof(string[])] = NpgsqlDbType.Array | NpgsqlDbType.Text,
    };

    public static string NameOf(string property) => JsonNamingPolicy.SnakeCaseLower.ConvertName(property);

    public static Func<TRow, NpgsqlParameter> ParameterOf<TRow>(PropertyInfo property)
    {
        var type = Nullable.GetUnderlyingType(property.PropertyType) ?? property.PropertyType;
        var row = Expression.Parameter(typeof(TRow));
        var value = Expression.Lambda<Func<TRow, object?>>(
            Expression.Convert(Expression.Property(row, property), typeof(object)), row).Compile();
        if (type.IsEnum)
        {
            var names = NamesOf(type);
            return r => New(NpgsqlDbType.Text, value(r) is { } state ? names[state] : null);
        }

        return type == typeof(DateTimeOffset)
            ? r => New(NpgsqlDbType.TimestampTz, value(r) is DateTimeOffset at ? at.ToUniversalTime() : null)
            : Native.TryGetValue(type, out var native)
                ? r => New(native, value(r))
                : r => New(NpgsqlDbType.Jsonb, value(r) is { } it ? JsonSerializer.Serialize(it, type, Json) : null);
    }

    public static Expression ReadExpression(ParameterExpression reader, int ordinal, PropertyInfo property)
    {
        var type = Nullable.GetUnderlyingType(property.PropertyType) ?? property.PropertyType;
        var at = Expression.Constant(ordinal);
        var how = type.IsEnum ? nameof(ReadEnum) : Native.ContainsKey(type) ? nameof(ReadNative) : nameof(ReadJson);
        var read = type == typeof(string)
            ? Expression.Call(reader, nameof(DbDataReader.GetString), null, at)
            : Expression.Call(typeof(ColumnValues), how, [type], reader, at);
        return Expression.Condition(
            Expression.Call(reader, nameof(DbDataReader.IsDBNull), null, at),
            Expression.Default(property.PropertyType),
            Expression.Convert(read, property.PropertyType));
    }

    private static T ReadNative<T>(DbDataReader reader, int ordinal) => reader.GetFieldValue<T>(ordinal);

    private static T ReadEnum<T>(DbDataReader reader, int ordinal)
        where T : struct, Enum => StateNames<T>.Parse(reader.GetString(ordinal));

    private static T? ReadJson<T>(DbDataReader reader, int ordinal) =>
        JsonSerializer.Deserialize<T>(reader.GetString(ordinal), Json);

    private static NpgsqlParameter New(NpgsqlDbType type, object? value) =>
        new() { NpgsqlDbType = type, Value = value ?? DBNull.Value };

    private static Dictionary<object, string> NamesOf(Type enumType) =>
        Enum.GetValues(enumType).Cast<object>().ToDictionary(
            state => state, state => JsonNamingPolicy.KebabCaseLower.ConvertName(state.ToString()!));
}
