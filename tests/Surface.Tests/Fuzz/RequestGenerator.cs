using System.Collections;
using Google.Protobuf;
using Google.Protobuf.Reflection;
using Google.Protobuf.WellKnownTypes;

namespace Cloud.Surface.Tests.Fuzz;

/// <summary>Makes requests out of descriptors: mostly of values that could be right, with anything in between. The same
/// random numbers make the same requests.</summary>
internal sealed class RequestGenerator(Vocabulary words, Random random)
{
    private const int DepthMax = 5;

    private static readonly long[] Numbers =
    [
        0, 1, 2, -1, 10, 50, 80, 100, 101, 1000, 1001, 5432, int.MaxValue, int.MinValue, long.MaxValue, long.MinValue,
    ];

    public IMessage RequestFor(Rpc rpc) => MessageOf(rpc.Method.InputType, 0);

    private IMessage MessageOf(MessageDescriptor type, int depth)
    {
        if (type.FullName == Timestamp.Descriptor.FullName)
        {
            return random.Next(2) == 0
                ? Timestamp.FromDateTimeOffset(DateTimeOffset.UnixEpoch.AddSeconds(random.Next()))
                : new Timestamp { Seconds = Number(), Nanos = unchecked((int)Number()) };
        }

        if (type.FullName == Duration.Descriptor.FullName)
        {
            return random.Next(2) == 0
                ? Duration.FromTimeSpan(TimeSpan.FromSeconds(random.Next(1000)))
                : new Duration { Seconds = Number(), Nanos = unchecked((int)Number()) };
        }

        var message = type.Parser.ParseFrom(ByteString.Empty);
        foreach (var field in type.Fields.InDeclarationOrder())
        {
            var chance = field.Name is "validate_only" or "request_id" ? 30
                : field.Name == "update_mask" || field.IsRepeated ? 60
                : 80;
            if (depth < DepthMax && random.Next(100) < chance)
            {
                Fill(message, field, depth);
            }
        }

        return message;
    }

    private void Fill(IMessage message, FieldDescriptor field, int depth)
    {
        if (field.IsMap)
        {
            var map = (IDictionary)field.Accessor.GetValue(message);
            foreach (var n in Enumerable.Range(0, Count()))
            {
                var key = field.MessageType.FindFieldByName("key");
                map[random.Next(3) == 0 ? Utf8(words.TextFor(key, random)) : $"KEY_{n}"] =
                    ValueOf(field.MessageType.FindFieldByName("value"), field, depth);
            }
        }
        else if (field.IsRepeated)
        {
            var list = (IList)field.Accessor.GetValue(message);
            foreach (var _ in Enumerable.Range(0, Count()))
            {
                list.Add(ValueOf(field, field, depth));
            }
        }
        else
        {
            field.Accessor.SetValue(message, ValueOf(field, field, depth));
        }
    }

    private object ValueOf(FieldDescriptor field, FieldDescriptor named, int depth) => field.FieldType switch
    {
        FieldType.String => named.Name == "request_id"
            ? $"r-{random.Next(400)}" : Utf8(words.TextFor(named, random)),
        FieldType.Bool => random.Next(2) == 0,
        FieldType.Int32 => unchecked((int)(named.Name == "page_size" && random.Next(2) == 0 ? 2 : Number())),
        FieldType.Int64 => named.Name.EndsWith("epoch", StringComparison.Ordinal) && random.Next(10) > 0
            ? random.Next(3) : Number(),
        FieldType.Enum => random.Next(-1, 9),
        FieldType.Double => random.NextDouble() * 1e9,
        FieldType.Message => MessageOf(field.MessageType, depth + 1),
        _ => throw new NotSupportedException($"{field.FullName} is of a type that the API has not used so far."),
    };

    private long Number() => random.Next(4) == 0 ? random.NextInt64() : Numbers[random.Next(Numbers.Length)];

    private int Count() => random.Next(60) == 0 ? 1001 : random.Next(4);

    /// <summary>Half a character cannot be sent: it becomes a replacement character here as on the wire.</summary>
    private static string Utf8(string text) =>
        System.Text.Encoding.UTF8.GetString(System.Text.Encoding.UTF8.GetBytes(text));
}
