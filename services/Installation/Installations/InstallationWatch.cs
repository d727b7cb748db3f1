using System.Globalization;
using Cloud.Protos.Installation.V1;
using Cloud.Protos.Supervision.V1;
using Proto = Cloud.Protos.Installation.V1;

namespace Cloud.Installations;

/// <summary>
/// Serves WatchInstallations: a snapshot, SNAPSHOT_END, then every change in order. The position in the feed is taken
/// before the snapshot, so nothing is missed; a change that the snapshot had already is left out by its version. A
/// resource that stops matching the filter is sent once more, so that the client sees it leave.
/// </summary>
/// <remarks>Resume tokens are the feed's positions, bound to the filter; the snapshot carries none, because half of
/// one is nothing to resume from. When the service stops, streams end with UNAVAILABLE and the client resumes
/// elsewhere.</remarks>
public sealed class InstallationWatch(
    InstallationStore store,
    InstallationMessages messages,
    ChangeFeed feed,
    IHostApplicationLifetime lifetime)
{
    private const int SnapshotPageSize = 500;

    private static readonly TimeSpan RetryAfterStop = TimeSpan.FromSeconds(1);

    /// <summary>Streams until the client or the service stops.</summary>
    public async Task StreamAsync(
        WatchInstallationsRequest request,
        Func<WatchInstallationsResponse, CancellationToken, Task> send,
        CancellationToken ct)
    {
        var problems = new FieldProblems();
        var filter = InstallationFilter.Of(request.Filter, problems);
        var resumed = PositionOf(request.ResumeToken, filter, problems);
        problems.ThrowIfAny();

        using var either = CancellationTokenSource.CreateLinkedTokenSource(ct, lifetime.ApplicationStopping);
        try
        {
            var known = new Dictionary<string, long>(StringComparer.Ordinal);
            var position = resumed ?? await SendSnapshotAsync(filter, known, send, either.Token);
            await SendChangesAsync(filter, position, known, send, either.Token);
        }
        catch (OperationCanceledException) when (lifetime.ApplicationStopping.IsCancellationRequested)
        {
            throw Problem.Unavailable("STOPPING", "This replica stops: resume with the newest token.", RetryAfterStop);
        }
    }

    private async Task<long> SendSnapshotAsync(
        InstallationFilter filter,
        Dictionary<string, long> known,
        Func<WatchInstallationsResponse, CancellationToken, Task> send,
        CancellationToken ct)
    {
        var position = await feed.PositionAsync(ct);
        PageEnd? after = null;
        IReadOnlyList<Installation> page;
        do
        {
            page = await store.ListAsync(filter, after, SnapshotPageSize, ct);
            foreach (var row in page)
            {
                known[row.Name] = row.Version;
                await send(new() { Kind = WatchKind.Snapshot, Installation = messages.Of(row) }, ct);
                after = new PageEnd(row.CreateTime, row.Id);
            }
        }
        while (page.Count == SnapshotPageSize);

        await send(new() { Kind = WatchKind.SnapshotEnd, ResumeToken = TokenOf(filter, position) }, ct);
        return position;
    }

    private async Task SendChangesAsync(
        InstallationFilter filter,
        long position,
        Dictionary<string, long> known,
        Func<WatchInstallationsResponse, CancellationToken, Task> send,
        CancellationToken ct)
    {
        await foreach (var entry in feed.ReadAsync(Installation.Noun, position, ct))
        {
            var message = entry.Event is { } e
                ? ChangeOf(e, filter, known)
                : new WatchInstallationsResponse { Kind = WatchKind.Bookmark };
            if (message is not null)
            {
                message.ResumeToken = TokenOf(filter, entry.Sequence);
                await send(message, ct);
            }
        }
    }

    /// <summary>The message about an event; null when the client did not ask for it or has it already.</summary>
    private static WatchInstallationsResponse? ChangeOf(
        ResourceEvent e, InstallationFilter filter, Dictionary<string, long> known)
    {
        if (known.TryGetValue(e.Resource, out var version))
        {
            if (e.ResourceVersion <= version)
            {
                return null;
            }

            known.Remove(e.Resource);
        }

        var installation = Proto.Installation.Parser.ParseFrom(e.Snapshot);
        return filter.Matches(installation, installation.State)
            || (e.OldState is { } old && filter.Matches(installation, old))
            ? new()
            {
                Kind = WatchKind.Change,
                Installation = installation,
                PreviousState = e.OldState ?? "",
                Reason = e.Reason ?? "",
            }
            : null;
    }

    private static string TokenOf(InstallationFilter filter, long position) =>
        PageToken.Encode(filter.Hash, position.ToString(CultureInfo.InvariantCulture));

    private static long? PositionOf(string token, InstallationFilter filter, FieldProblems problems)
    {
        if (token.Length == 0)
        {
            return null;
        }

        if (PageToken.TryDecode(token, filter.Hash, out var key)
            && long.TryParse(key, NumberStyles.None, CultureInfo.InvariantCulture, out var position))
        {
            return position;
        }

        problems.Add(
            "resume_token", "It is not a token of such a stream with this filter; start without one.",
            "RESUME_TOKEN_INVALID");
        return null;
    }
}
