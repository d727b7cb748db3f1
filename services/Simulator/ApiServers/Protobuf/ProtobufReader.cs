using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Cloud.Simulator.ApiServers.Protobuf;

/// <summary>
/// Reads built-in kinds as Go clients send them: <c>k8s\0</c>, an envelope that names the kind, and its message.
/// </summary>
/// <remarks>
/// Answers stay JSON, which every such client also takes. Zero values of fields that cannot be left out in Go are left
/// out here, as in Go's JSON.
/// </remarks>
public static class ProtobufReader
{
    /// <summary>The content type of such bodies.</summary>
    public const string ContentType = "application/vnd.kubernetes.protobuf";

    private static readonly byte[] Magic = "k8s\0"u8.ToArray();

    /// <summary>The object in a body. Throws <see cref="JsonException"/> when it cannot be read.</summary>
    public static JsonObject Read(ReadOnlySpan<byte> bytes)
    {
        if (!bytes.StartsWith(Magic))
            throw new JsonException("the body does not begin with the protobuf magic of Kubernetes");
        var (apiVersion, kind) = ("", "");
        ReadOnlySpan<byte> raw = [];
        var envelope = new Wire(bytes[Magic.Length..]);
        while (envelope.Next(out var field, out _, out var content))
        {
            if (field == 2) raw = content;
            if (field != 1) continue;
            var type = new Wire(content);
            while (type.Next(out var part, out _, out var text))
            {
                if (part == 1) apiVersion = Encoding.UTF8.GetString(text);
                if (part == 2) kind = Encoding.UTF8.GetString(text);
            }
        }
        var obj = new JsonObject { ["apiVersion"] = apiVersion, ["kind"] = kind };
        ReadInto(obj, Messages.NameOf(apiVersion, kind), raw);
        return obj;
    }

    private static void ReadInto(JsonObject obj, string message, ReadOnlySpan<byte> bytes)
    {
        var fields = Messages.Find(message) ?? throw new JsonException($"{message} cannot be read as protobuf");
        var wire = new Wire(bytes);
        while (wire.Next(out var number, out var value, out var content))
        {
            if (!fields.TryGetValue(number, out var field)) continue;
            if (field.IsInline) ReadInto(obj, field.Type, content);
            else if (field.IsMap) ReadEntry(obj, field, content);
            else if (field.IsList) ListOf(obj, field.Name).Add(ReadValue(field, value, content));
            else if (ReadValue(field, value, content) is { } single && (field.KeepsZero || !IsZero(single)))
                obj[field.Name] = single;
        }
    }

    private static void ReadEntry(JsonObject obj, MessageField field, ReadOnlySpan<byte> entry)
    {
        var key = "";
        JsonNode? item = null;
        var wire = new Wire(entry);
        while (wire.Next(out var number, out var value, out var content))
        {
            if (number == 1) key = Encoding.UTF8.GetString(content);
            if (number == 2) item = ReadValue(field, value, content);
        }
        if (obj[field.Name] is not JsonObject map) obj[field.Name] = map = [];
        map[key] = item ?? (field.Type.Contains('.', StringComparison.Ordinal) ? new JsonObject() : "");
    }

    private static JsonArray ListOf(JsonObject obj, string name)
    {
        if (obj[name] is not JsonArray list) obj[name] = list = [];
        return list;
    }

    private static JsonNode? ReadValue(MessageField field, ulong value, ReadOnlySpan<byte> content)
    {
        switch (field.Type)
        {
            case "string":
                return Encoding.UTF8.GetString(content);
            case "bytes":
                return Convert.ToBase64String(content);
            case "bool":
                return value != 0;
            case "int32":
                return (int)(long)value;
            case "int64" or "uint32" or "uint64":
                return (long)value;
            case "double":
                return BitConverter.UInt64BitsToDouble(value);
            case "resource.Quantity":
                return Text(content, 1);
            case "meta.v1.Time" or "meta.v1.MicroTime":
                return Time(content, field.Type.EndsWith("MicroTime", StringComparison.Ordinal));
            case "intstr.IntOrString":
                return IntOrString(content);
            case "meta.v1.FieldsV1" or "runtime.RawExtension":
                return JsonNode.Parse(Raw(content));
            default:
                var obj = new JsonObject();
                ReadInto(obj, field.Type, content);
                // Lists of strings that Go names as a type of their own are plain lists in JSON.
                if (!field.Type.EndsWith(".ExtraValue", StringComparison.Ordinal)) return obj;
                return obj.Remove("items", out var items) ? items : new JsonArray();
        }
    }

    private static bool IsZero(JsonNode value) => value.GetValueKind() switch
    {
        JsonValueKind.String => value.GetValue<string>().Length == 0,
        JsonValueKind.False => true,
        JsonValueKind.Number => value.ToJsonString() == "0",
        _ => false,
    };

    private static string Text(ReadOnlySpan<byte> message, int field)
    {
        var wire = new Wire(message);
        while (wire.Next(out var number, out _, out var content))
        {
            if (number == field) return Encoding.UTF8.GetString(content);
        }
        return "";
    }

    private static byte[] Raw(ReadOnlySpan<byte> message)
    {
        var wire = new Wire(message);
        return wire.Next(out _, out _, out var content) ? content.ToArray() : "null"u8.ToArray();
    }

    private static JsonNode? Time(ReadOnlySpan<byte> message, bool micro)
    {
        if (message.IsEmpty) return null;
        var (seconds, nanos) = (0L, 0L);
        var wire = new Wire(message);
        while (wire.Next(out var number, out var value, out _))
        {
            if (number == 1) seconds = (long)value;
            if (number == 2) nanos = (long)value;
        }
        var moment = DateTimeOffset.FromUnixTimeSeconds(seconds).AddTicks(nanos / TimeSpan.NanosecondsPerTick);
        var format = micro ? "yyyy-MM-ddTHH:mm:ss.ffffffZ" : "yyyy-MM-ddTHH:mm:ssZ";
        return moment.UtcDateTime.ToString(format, CultureInfo.InvariantCulture);
    }

    private static JsonNode IntOrString(ReadOnlySpan<byte> message)
    {
        var (isText, number, text) = (false, 0, "");
        var wire = new Wire(message);
        while (wire.Next(out var field, out var value, out var content))
        {
            if (field == 1) isText = value == 1;
            if (field == 2) number = (int)(long)value;
            if (field == 3) text = Encoding.UTF8.GetString(content);
        }
        return isText ? text : number;
    }

    /// <summary>The fields of one message, one after the other.</summary>
    private ref struct Wire(ReadOnlySpan<byte> bytes)
    {
        private ReadOnlySpan<byte> _left = bytes;

        public bool Next(out int field, out ulong value, out ReadOnlySpan<byte> content)
        {
            (field, value) = (0, 0);
            content = [];
            if (_left.IsEmpty) return false;
            var tag = Varint();
            field = (int)(tag >> 3);
            switch (tag & 7)
            {
                case 0:
                    value = Varint();
                    return true;
                case 1:
                    value = BinaryPrimitives.ReadUInt64LittleEndian(Take(sizeof(ulong)));
                    return true;
                case 2:
                    content = Take(checked((int)Varint()));
                    return true;
                case 5:
                    value = BinaryPrimitives.ReadUInt32LittleEndian(Take(sizeof(uint)));
                    return true;
                default:
                    throw new JsonException("a protobuf field has an unknown wire type");
            }
        }

        private ReadOnlySpan<byte> Take(int count)
        {
            if (count > _left.Length) throw new JsonException("the protobuf body ends early");
            var taken = _left[..count];
            _left = _left[count..];
            return taken;
        }

        private ulong Varint()
        {
            ulong value = 0;
            for (var shift = 0; shift < 64; shift += 7)
            {
                var next = Take(1)[0];
                value |= (ulong)(next & 0x7F) << shift;
                if (next < 0x80) return value;
            }
            throw new JsonException("a protobuf number is too long");
        }
    }
}
