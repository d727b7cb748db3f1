using System.Globalization;
using Cloud.Operator.Mattermosts;
using Cloud.Watching;
using k8s.Models;

namespace Cloud.Operator.Reconciling;

/// <summary>
/// Tells people what happens to a resource: <c>kubectl describe</c> shows it. Events are a courtesy: one that cannot be
/// written is logged and lost, and never fails a pass.
/// </summary>
public sealed class EventRecorder(KubernetesApi api, string instance, TimeProvider time, ILogger<EventRecorder> log)
{
    /// <summary>In UTF-8, as API servers count.</summary>
    private const int NoteBytesMax = 1024;

    public Task Normal(Mattermost mattermost, string reason, string note, CancellationToken cancellation) =>
        Write(mattermost, "Normal", reason, note, cancellation);

    public Task Warning(Mattermost mattermost, string reason, string note, CancellationToken cancellation) =>
        Write(mattermost, "Warning", reason, note, cancellation);

    private async Task Write(
        Mattermost mattermost, string type, string reason, string note, CancellationToken cancellation)
    {
        var now = time.GetUtcNow();
        var item = new Eventsv1Event
        {
            Metadata = new V1ObjectMeta
            {
                Name = $"{mattermost.Name}.{now.Ticks.ToString("x", CultureInfo.InvariantCulture)}",
                NamespaceProperty = mattermost.Namespace,
            },
            EventTime = now.UtcDateTime,
            Type = type,
            Reason = reason,
            Note = Shorten(note),
            Action = "Reconcile",
            ReportingController = "mattermost.com/cloud-operator",
            ReportingInstance = instance,
            Regarding = new V1ObjectReference
            {
                ApiVersion = Mattermost.ResourceKind.ApiVersion,
                Kind = Mattermost.ResourceKind.Kind,
                Name = mattermost.Name,
                NamespaceProperty = mattermost.Namespace,
                Uid = mattermost.Metadata.Uid,
            },
        };
        try
        {
            await api.Create(ResourceKinds.Events, item, Children.FieldManager, cancellation);
        }
        catch (KubernetesApiException e)
        {
            log.LogWarning("Losing the event {Reason} of {Mattermost}: {Message}", reason, mattermost.Key, e.Message);
        }
    }

    private static string Shorten(string note)
    {
        var (bytes, kept) = (0, 0);
        foreach (var rune in note.EnumerateRunes())
        {
            bytes += rune.Utf8SequenceLength;
            if (bytes > NoteBytesMax)
            {
                break;
            }

            kept += rune.Utf16SequenceLength;
        }

        return note[..kept];
    }
}
