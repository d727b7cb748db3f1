using System.Collections.Concurrent;
using System.Reflection;
using System.Text.Json.Serialization;
using k8s.Models;

namespace Cloud.Simulator.ApiServers.Schemas;

/// <summary>
/// Shapes of the built-in kinds, read from the models of the official client library, which are generated from the
/// Kubernetes API; <see cref="ListMarks"/> adds what the models leave out (list keys and atomic fields).
/// </summary>
public static class BuiltInSchemas
{
    private static readonly ConcurrentDictionary<Type, Schema> Objects = new();

    /// <summary>The shape of a model type.</summary>
    public static Schema For(Type model) => Objects.GetOrAdd(model, static type =>
        new Schema(SchemaKind.Object, () => ReadProperties(type)) 
        {
            AtomicMap = ListMarks.IsAtomic(type.Name),
            TypeName = type.Name[(type.Name.IndexOf('1', StringComparison.Ordinal) + 1)..],
        });

    /// <summary>The shape of metadata, the same for every kind.</summary>
    public static Schema Metadata { get; } = For(typeof(V1ObjectMeta));

    private static Dictionary<string, Schema> ReadProperties(Type type)
    {
        var properties = new Dictionary<string, Schema>(StringComparer.Ordinal);
        foreach (var property in type.GetProperties(BindingFlags.Public | BindingFlags.Instance))
        {
            var name = property.GetCustomAttribute<JsonPropertyNameAttribute>()?.Name;
            if (name is not null) properties[name] = ReadField($"{type.Name}.{name}", property.PropertyType);
        }
        return properties;
    }

    private static Schema ReadField(string field, Type type)
    {
        type = Nullable.GetUnderlyingType(type) ?? type;
        if (ScalarKind(type) is { } scalar)
            return new Schema(scalar) { TypeName = type == typeof(long) ? "int64" : "int32" };
        if (type == typeof(object)) return Schema.Anything;
        if (type.IsGenericType)
        {
            var arguments = type.GetGenericArguments();
            if (arguments.Length == 2)
            {
                return new Schema(SchemaKind.Map)
                {
                    Items = ReadField(field + "{}", arguments[1]),
                    AtomicMap = ListMarks.IsAtomic(field),
                };
            }
            return ListMarks.List(field, ReadField(field + "[]", arguments[0]));
        }
        return For(type);
    }

    private static SchemaKind? ScalarKind(Type type) => type switch
    {
        _ when type == typeof(string) => SchemaKind.Text,
        _ when type == typeof(bool) => SchemaKind.Boolean,
        _ when type == typeof(int) || type == typeof(long) => SchemaKind.Integer,
        _ when type == typeof(double) || type == typeof(float) => SchemaKind.Number,
        _ when type == typeof(byte[]) => SchemaKind.Bytes,
        _ when type == typeof(DateTime) => SchemaKind.Time,
        _ when type == typeof(IntOrString) => SchemaKind.IntOrString,
        _ when type == typeof(ResourceQuantity) => SchemaKind.Quantity,
        _ => null,
    };
}
