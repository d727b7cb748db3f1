using System.Globalization;
using System.Text.Json;
using Cloud.Events;
using Google.Protobuf;

namespace Cloud.Webhooks;

/// <summary>Bodies in the recommended form of Standard Webhooks: type, timestamp, data.</summary>
internal static class Payload
{
    /// <summary>Longest reason that is sent, in characters; the feed has the whole one. Nothing else in an event is
    /// long, so bodies stay small.</summary>
    private const int ReasonLengthMax = 2000;

    private static readonly JsonFormatter Json = new(JsonFormatter.Settings.Default.WithFormatDefaultValues(true));

    /// <summary><c>installation.state_changed</c>: noun and type of an event.</summary>
    public static string TypeOf(RecordedEvent e) => $"{e.ResourceType}.{e.Type}".Replace('-', '_');

    /// <summary>The body for an event: the same bytes for every attempt.</summary>
    public static byte[] Of(RecordedEvent e)
    {
        var message = e.ToProto();
        if (message.Reason.Length > ReasonLengthMax)
        {
            // Not between the halves of one character, which no JSON can hold.
            var length = ReasonLengthMax - (char.IsHighSurrogate(message.Reason[ReasonLengthMax - 1]) ? 1 : 0);
            message.Reason = message.Reason[..length] + "...";
        }

        return Write(TypeOf(e), e.OccurredAt, Json.Format(message));
    }

    /// <summary>The body of a ping.</summary>
    public static byte[] OfPing(Webhook webhook, DateTimeOffset now) => Write(
        WebhookDelivery.PingType,
        now,
        JsonSerializer.Serialize(new { webhook = webhook.Name, displayName = webhook.DisplayName }));

    private static byte[] Write(string type, DateTimeOffset time, string data)
    {
        var timestamp = time.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.ffffff'Z'", CultureInfo.InvariantCulture);
        using var bytes = new MemoryStream();
        using (var json = new Utf8JsonWriter(bytes))
        {
            json.WriteStartObject();
            json.WriteString("type", type);
            json.WriteString("timestamp", timestamp);
            json.WritePropertyName("data");
            json.WriteRawValue(data);
            json.WriteEndObject();
        }

        return bytes.ToArray();
    }
}
