using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Cloud.Simulator.ApiServers.Objects;
using Cloud.Simulator.ApiServers.Selectors;
using Cloud.Simulator.ApiServers.Storage;
using Cloud.Simulator.ApiServers.Tables;
using Cloud.Simulator.ApiServers.Validation;
using Cloud.Simulator.ApiServers.Writes;

namespace Cloud.Simulator.ApiServers.Requests;

/// <summary>
/// Watches over HTTP: one JSON object per line, from a revision on or from the present objects on, until the time-out.
/// </summary>
/// <remarks>
/// Every change of a selected object is sent once, in order. An object that stops matching the selector is told as
/// DELETED, one that begins to match as ADDED. A revision older than the history kept is answered by an ERROR event
/// with a Status of 410, as a real server does; the stream then ends. It also ends when the client falls too far
/// behind.
/// </remarks>
public static class WatchRequests
{
    /// <summary>How often an idle watch that asked for bookmarks gets one.</summary>
    private static readonly TimeSpan BookmarkInterval = TimeSpan.FromMinutes(1);

    /// <summary>How long a watch lasts when the client does not say; a real server picks up to twice this.</summary>
    private static readonly TimeSpan UsualTimeout = TimeSpan.FromMinutes(30);

    public static async Task WatchAsync(ResourceRequest request, CancellationToken ct)
    {
        CheckOptions(request);
        var form = Format.Choose(request.Request);
        var selection = request.Selection();
        var timeout = request.Number("timeoutSeconds") is > 0 and { } seconds
            ? TimeSpan.FromSeconds(seconds)
            : UsualTimeout * (1 + Random.Shared.NextDouble());
        using var ended = new CancellationTokenSource(timeout, request.Server.Clock);
        // Open watches would hold up the end of the process.
        var stopping = request.Http.RequestServices.GetRequiredService<IHostApplicationLifetime>().ApplicationStopping;
        using var either = CancellationTokenSource.CreateLinkedTokenSource(ct, ended.Token, stopping);
        var stream = new Stream(request, selection, form);
        try
        {
            await stream.RunAsync(either.Token);
        }
        catch (OperationCanceledException) when (either.IsCancellationRequested && !ct.IsCancellationRequested)
        {
            await stream.SendBookmarkAsync(ct);
        }
        catch (FollowerCutException)
        {
            request.Http.Abort();
        }
    }

    private static void CheckOptions(ResourceRequest request)
    {
        var (match, initial) = (request.Query("resourceVersionMatch"), request.Query("sendInitialEvents"));
        FieldError? error = null;
        if (initial.Length > 0 && match.Length == 0)
        {
            error = FieldError.Forbidden("resourceVersionMatch",
                "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan");
        }
        else if (initial.Length > 0 && match != "NotOlderThan")
            error = FieldError.NotSupported("resourceVersionMatch", match, ["NotOlderThan"]);
        else if (initial.Length == 0 && match.Length > 0)
        {
            error = FieldError.Forbidden("resourceVersionMatch",
                "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided");
        }
        if (error is not null)
            throw ApiErrors.Invalid("ListOptions.meta.k8s.io", "meta.k8s.io", "ListOptions", "", [error]);
    }

    private sealed class Stream(ResourceRequest request, Selection selection, Form form)
    {
        private readonly byte[] _head = Answers.HeadOf(request.Type);
        private readonly bool _bookmarks = request.Flag("allowWatchBookmarks");
        private long _revision;

        public async Task RunAsync(CancellationToken ct)
        {
            var revision = request.Number("resourceVersion") ?? 0;
            var initial = request.Query("sendInitialEvents").Length > 0 ? request.Flag("sendInitialEvents")
                : revision == 0;
            var to = Answers.Begin(request.Http);
            await request.Http.Response.StartAsync(ct);
            if (initial) await FromPresentAsync(to, revision, ct);
            else await FromRevisionAsync(to, revision, ct);
        }

        /// <summary>Tells how far this watch has come, when the client wants to know.</summary>
        public async Task SendBookmarkAsync(CancellationToken ct)
        {
            if (!_bookmarks || _revision == 0) return;
            WriteBookmark(request.Http.Response.BodyWriter, endOfInitial: false);
            await request.Http.Response.BodyWriter.FlushAsync(ct);
        }

        private async Task FromPresentAsync(IBufferWriter<byte> to, long atLeast, CancellationToken ct)
        {
            var store = request.Server.Store;
            var (follower, view) = store.Follow(request.Type.StorageKey, selection.Namespace);
            using (follower)
            {
                if (atLeast > view.Revision)
                {
                    await FailAsync(to, ApiErrors.TooLarge(atLeast, view.Revision), ct);
                    return;
                }
                foreach (var obj in view.From(selection.Namespace).Where(selection.Matches))
                    WriteEvent(to, "ADDED", obj);
                _revision = view.Revision;
                if (request.Flag("sendInitialEvents") && _bookmarks) WriteBookmark(to, endOfInitial: true);
                await request.Http.Response.BodyWriter.FlushAsync(ct);
                await FollowAsync(to, follower, ct);
            }
        }

        private async Task FromRevisionAsync(IBufferWriter<byte> to, long revision, CancellationToken ct)
        {
            var (follower, missed, floor) =
                request.Server.Store.FollowAfter(request.Type.StorageKey, selection.Namespace, revision);
            using (follower)
            {
                if (follower is null)
                {
                    await FailAsync(to, ApiErrors.Expired($"too old resource version: {revision} ({floor})"), ct);
                    return;
                }
                _revision = revision;
                foreach (var change in missed) WriteChange(to, change);
                await request.Http.Response.BodyWriter.FlushAsync(ct);
                await FollowAsync(to, follower, ct);
            }
        }

        private async Task FollowAsync(IBufferWriter<byte> to, Follower follower, CancellationToken ct)
        {
            var body = request.Http.Response.BodyWriter;
            while (await WaitAsync(to, follower, ct))
            {
                while (follower.Changes.TryRead(out var change)) WriteChange(to, change);
                await body.FlushAsync(ct);
            }
        }

        /// <summary>Waits for the next change, with a bookmark every so often; false when there will be none.</summary>
        private async Task<bool> WaitAsync(IBufferWriter<byte> to, Follower follower, CancellationToken ct)
        {
            if (!_bookmarks) return await follower.Changes.WaitToReadAsync(ct);
            var more = follower.Changes.WaitToReadAsync(ct).AsTask();
            while (!more.IsCompleted)
            {
                using var stop = CancellationTokenSource.CreateLinkedTokenSource(ct);
                var quiet = Task.Delay(BookmarkInterval, request.Server.Clock, stop.Token);
                if (await Task.WhenAny(more, quiet) == more)
                {
                    await stop.CancelAsync();
                    break;
                }
                if (ct.IsCancellationRequested) break;
                // Nothing waits for this reader, so it has seen all that there is: the present revision is its own.
                if (!follower.Changes.TryPeek(out _)) AdvanceWhileIdle(follower);
                WriteBookmark(to, endOfInitial: false);
                await request.Http.Response.BodyWriter.FlushAsync(ct);
            }
            return await more;
        }

        private void AdvanceWhileIdle(Follower follower)
        {
            lock (request.Server.Store.Gate)
            {
                if (!follower.Changes.TryPeek(out _)) _revision = Math.Max(_revision, request.Server.Store.Revision);
            }
        }

        private void WriteChange(IBufferWriter<byte> to, Change change)
        {
            if (change.Revision <= _revision) return;
            _revision = change.Revision;
            var matched = change.Before is { } before && selection.Matches(before);
            var matches = !change.Deleted && selection.Matches(change.After);
            if (matches) WriteEvent(to, matched ? "MODIFIED" : "ADDED", change.After);
            else if (matched) WriteEvent(to, "DELETED", change.After);
        }

        private void WriteEvent(IBufferWriter<byte> to, string type, StoredObject stored)
        {
            var obj = Representation.Of(request.Type, stored);
            Open(to, type);
            switch (form)
            {
                case Form.Table:
                    var metadata = new JsonObject { ["resourceVersion"] = Text(obj.Revision) };
                    Write(to, TableRendering.Render(
                        request.Type, [obj], metadata, request.Query("includeObject"), request.Now));
                    break;
                case Form.PartialMetadata:
                    Write(to, TableRendering.PartialMetadata(obj.ToJson()));
                    break;
                default:
                    Answers.WriteObject(to, _head, obj);
                    break;
            }
            to.Write("}\n"u8);
        }

        private void WriteBookmark(IBufferWriter<byte> to, bool endOfInitial)
        {
            var metadata = new JsonObject { ["resourceVersion"] = Text(_revision) };
            if (endOfInitial) metadata["annotations"] = new JsonObject { ["k8s.io/initial-events-end"] = "true" };
            var (kind, version) = form switch
            {
                Form.Table => ("Table", "meta.k8s.io/v1"),
                Form.PartialMetadata => ("PartialObjectMetadata", "meta.k8s.io/v1"),
                _ => (request.Type.Kind, request.Type.ApiVersion),
            };
            var bookmark = new JsonObject { ["kind"] = kind, ["apiVersion"] = version, ["metadata"] = metadata };
            if (form is Form.Table)
            {
                bookmark["columnDefinitions"] = new JsonArray();
                var about = TableRendering.PartialMetadata(bookmark);
                bookmark["rows"] = new JsonArray(new JsonObject { ["cells"] = new JsonArray(), ["object"] = about });
            }
            Open(to, "BOOKMARK");
            Write(to, bookmark);
            to.Write("}\n"u8);
        }

        private async Task FailAsync(IBufferWriter<byte> to, ApiException refusal, CancellationToken ct)
        {
            Open(to, "ERROR");
            Write(to, Answers.StatusOf(refusal));
            to.Write("}\n"u8);
            await request.Http.Response.BodyWriter.FlushAsync(ct);
        }

        private static string Text(long revision) => revision.ToString(CultureInfo.InvariantCulture);

        private static void Open(IBufferWriter<byte> to, string type) =>
            to.Write(Encoding.UTF8.GetBytes($"{{\"type\":\"{type}\",\"object\":"));

        private static void Write(IBufferWriter<byte> to, JsonObject json) =>
            to.Write(JsonSerializer.SerializeToUtf8Bytes(json, KubernetesJson.Options));
    }
}
