using k8s;
using k8s.Models;
using Microsoft.Extensions.Logging;

namespace Cloud.Watching;

/// <summary>What a reflector covers and how patient it is.</summary>
public sealed record ReflectorOptions
{
    /// <summary>Which objects. Default: all of the kind in all namespaces.</summary>
    public Selection Selection { get; init; } = new();

    /// <summary>Shortest watch the server is asked for; each one is up to twice as long, so that they spread.</summary>
    public TimeSpan WatchDuration { get; init; } = TimeSpan.FromMinutes(4);

    /// <summary>Waits after failures in a row.</summary>
    public Backoff Backoff { get; init; } = new(TimeSpan.FromSeconds(0.8), TimeSpan.FromSeconds(30));

    /// <summary>Failures in a row after which the list is read again instead of resuming the watch.</summary>
    public int FailuresBeforeRelist { get; init; } = 3;
}

/// <summary>How a reflector is doing.</summary>
/// <param name="Synced">The cache has held a complete list at least once.</param>
/// <param name="Failures">Failures in a row; 0 when the last exchange with the server was good.</param>
/// <param name="LastError">The last of those failures; null when there are none.</param>
/// <param name="LastContact">When the server was last heard of; null before the first time.</param>
public sealed record ReflectorStatus(
    bool Synced, int Failures, KubernetesApiException? LastError, DateTimeOffset? LastContact);

/// <summary>
/// Keeps an <see cref="ObjectCache{T}"/> equal to what an API server holds: reads the list in chunks, then watches
/// from there, for as long as it runs.
/// </summary>
/// <remarks>
/// Guarantees. Every change reaches the cache, in order per object; a removal that happened while nobody watched is
/// found by comparing the next list. Idle costs one request per few minutes. <see cref="Run"/> returns only when
/// cancelled, and throws only for a bug (a subscriber that throws).
///
/// Failures, and what each costs:
/// - The server ends the watch, with or without an event in it: resumed at once from the last version or bookmark.
///   Ends that come at once and empty, again and again, are how some servers say "too old": list again.
/// - The version is too old, as an answer (410) or inside the stream: list again.
/// - An event cannot be read: the cache may be wrong about one object, so list again. An object that cannot be read in
///   the list keeps its last known form (or is missing), is logged and announced; the others are not held up.
/// - The connection is cut, refused or silent beyond the watch's own end: back-off with jitter, then resumed; listed
///   again after some failures, because by then the version may be gone.
/// - A server that grants everything and then breaks every watch at once, be it with "too old": the same back-off,
///   because only a watch that brought something or lasted ends a row of failures.
/// - The kind does not exist (404), rights are missing (401, 403), the server is overloaded (429, Retry-After): the
///   same back-off, never the end; <see cref="Status"/> says so, and the cache keeps what it last knew.
/// </remarks>
public sealed class Reflector<T>
    where T : class, IKubernetesObject<V1ObjectMeta>
{
    /// <summary>A watch that ends sooner than this without an event is suspect.</summary>
    private static readonly TimeSpan HastyEnd = TimeSpan.FromSeconds(1);

    private readonly KubernetesApi _api;
    private readonly ResourceKind<T> _kind;
    private readonly ReflectorOptions _options;
    private readonly Func<T, T> _trim;
    private readonly TimeProvider _time;
    private readonly ILogger _log;
    /// <summary>
    /// Failures since a watch last worked, other than <see cref="ReflectorStatus.Failures"/>, which ends with any good
    /// answer: a list that was read and a watch that was granted say nothing about how it goes on.
    /// </summary>
    private int _setbacks;

    private readonly TaskCompletionSource _synced = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <param name="trim">
    /// Drops what nobody reads before an object is cached; default drops managedFields, often half of an object.
    /// </param>
    public Reflector(
        KubernetesApi api, ResourceKind<T> kind, ReflectorOptions options, TimeProvider time, ILogger log,
        Func<T, T>? trim = null)
    {
        _api = api;
        _kind = kind;
        _options = options;
        _time = time;
        _log = log;
        _trim = trim ?? WithoutManagedFields;
        Status = new ReflectorStatus(false, 0, null, null);
    }

    /// <summary>What this reflector fills.</summary>
    public ObjectCache<T> Cache { get; } = new();

    /// <summary>Waits until the cache holds its first complete list.</summary>
    public Task WhenSynced(CancellationToken cancellation) => _synced.Task.WaitAsync(cancellation);

    /// <summary>How it goes at this moment.</summary>
    public ReflectorStatus Status { get; private set; }

    /// <summary>Announces the first list, the first failure after good times, and the recovery from it.</summary>
    public event Action<ReflectorStatus>? StatusChanged;

    /// <summary>Announces with every list the objects in it that could not be read; none, as a rule.</summary>
    public event Action<IReadOnlyList<UndecodableObject>>? UndecodableListed;

    /// <summary>Times the list was read, for metrics.</summary>
    public long Lists { get; private set; }

    /// <summary>Times a watch was opened, for metrics.</summary>
    public long Watches { get; private set; }

    /// <summary>Runs until cancelled. Call once.</summary>
    public async Task Run(CancellationToken cancellation)
    {
        string? version = null;
        var hastyEnds = 0;
        while (!cancellation.IsCancellationRequested)
        {
            try
            {
                version ??= await ReadList(cancellation);
                var started = _time.GetTimestamp();
                var resumed = await Follow(version, cancellation);
                var hasty = resumed == version && _time.GetElapsedTime(started) < HastyEnd;
                hastyEnds = hasty ? hastyEnds + 1 : 0;
                version = hastyEnds >= _options.FailuresBeforeRelist ? null : resumed;
                if (hasty)
                {
                    await Pause(_options.Backoff.After(hastyEnds), cancellation);
                }
            }
            catch (OperationCanceledException) when (cancellation.IsCancellationRequested)
            {
                return;
            }
            catch (UndecodableObjectException e)
            {
                _log.LogError(e, "Listing {Kind} again: an event could not be read", _kind);
                version = null;
                var error = new KubernetesApiException(KubernetesErrorKind.ServerFault, e.Message, inner: e);
                await Fail(error, cancellation);
            }
            catch (StreamFailedException e)
            {
                version = e.Error.Kind == KubernetesErrorKind.Gone
                    || _setbacks + 1 >= _options.FailuresBeforeRelist ? null : e.ResumeFrom;
                await Fail(e.Error, cancellation);
            }
            catch (KubernetesApiException e)
            {
                version = null;
                await Fail(e, cancellation);
            }
        }
    }

    /// <summary>Reads the whole list into the cache and answers the version to watch from.</summary>
    private async Task<string> ReadList(CancellationToken cancellation)
    {
        var items = new List<T>();
        var undecodable = new List<UndecodableObject>();
        int? limit = KubernetesApi.PageSize;
        string? next = null;
        ObjectPage<T> page;
        do
        {
            try
            {
                page = await _api.ListPage(_kind, _options.Selection, limit, next, cancellation);
            }
            catch (KubernetesApiException e) when (e.Kind == KubernetesErrorKind.Gone && next is not null)
            {
                // The list grew old between two chunks: read it whole, which cannot.
                (limit, next) = (null, null);
                items.Clear();
                undecodable.Clear();
                page = await _api.ListPage(_kind, _options.Selection, limit, next, cancellation);
            }

            items.AddRange(page.Items.Select(_trim));
            undecodable.AddRange(page.Undecodable);
            next = page.Continue;
        }
        while (next is not null);

        foreach (var bad in undecodable)
        {
            _log.LogError("Keeping the last known form of {Kind} {Key}: {Reason}", _kind, bad.Key, bad.Reason);
        }

        Lists++;
        Cache.Replace(items, [.. undecodable.Select(bad => bad.Key)]);
        UndecodableListed?.Invoke(undecodable);
        Succeed(synced: true);
        _synced.TrySetResult();
        return page.ResourceVersion;
    }

    /// <summary>Watches until the server ends it, and answers the version to go on from.</summary>
    private async Task<string> Follow(string version, CancellationToken cancellation)
    {
#pragma warning disable CA5394 // Spreading load needs no secrecy.
        var duration = _options.WatchDuration * (1 + Random.Shared.NextDouble());
#pragma warning restore CA5394
        Watches++;
        long? granted = null;
        var stream = _api.Watch(_kind, _options.Selection, version, duration, Granted, cancellation)
            .GetAsyncEnumerator(cancellation);
        await using (stream)
        {
            while (await Next())
            {
                var change = stream.Current;
                Take(change);
                version = change.ResourceVersion.Length > 0 ? change.ResourceVersion : version;
                _setbacks = 0;
                Succeed(synced: Status.Synced);
            }
        }

        _setbacks = 0;
        Succeed(synced: Status.Synced);
        return version;

        void Granted()
        {
            granted = _time.GetTimestamp();
            // The server answers again; where nothing changes it may be minutes until there is more to hear of it.
            Succeed(synced: Status.Synced);
        }

        // Only the reading of the stream is guarded: an exception of a subscriber must not look like its failure.
        async Task<bool> Next()
        {
            try
            {
                return await stream.MoveNextAsync();
            }
            catch (KubernetesApiException e)
            {
                if (granted is { } since && _time.GetElapsedTime(since) > _options.Backoff.Longest)
                {
                    _setbacks = 0;
                }

                throw new StreamFailedException(e, version);
            }
        }
    }

    private void Take(WatchEvent<T> change)
    {
        switch (change)
        {
            case { Kind: WatchEventKind.Deleted, Object: { } gone }:
                Cache.Remove(ObjectKey.Of(gone), gone.Metadata.Uid);
                break;
            case { Kind: WatchEventKind.Added or WatchEventKind.Modified, Object: { } item }:
                Cache.Set(_trim(item));
                break;
        }
    }

    private void Succeed(bool synced)
    {
        var before = Status;
        Status = new ReflectorStatus(synced, 0, null, _time.GetUtcNow());
        if (before.Failures > 0 || before.Synced != synced)
        {
            StatusChanged?.Invoke(Status);
        }
    }

    private async Task Fail(KubernetesApiException error, CancellationToken cancellation)
    {
        var before = Status;
        Status = before with { Failures = before.Failures + 1, LastError = error };
        _setbacks++;
        if (before.Failures == 0)
        {
            StatusChanged?.Invoke(Status);
        }

        // An expired version is ordinary, and listing is the answer to it; only a row of them is worth a wait.
        var wait = error.Kind == KubernetesErrorKind.Gone && _setbacks == 1
            ? TimeSpan.Zero
            : _options.Backoff.After(_setbacks);
        wait = error.RetryAfter > wait ? error.RetryAfter.Value : wait;
        _log.Log(
            error.Kind == KubernetesErrorKind.Gone ? LogLevel.Information : LogLevel.Warning,
            "Watching {Kind} failed ({Error}: {Message}); trying again in {Wait}",
            _kind, error.Kind, error.Message, wait);
        await Pause(wait, cancellation);
    }

    private async Task Pause(TimeSpan wait, CancellationToken cancellation) =>
        await Task.Delay(wait, _time, cancellation).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);

    private static T WithoutManagedFields(T item)
    {
        item.Metadata.ManagedFields = null;
        return item;
    }

    /// <summary>The stream broke; carries the version up to which everything is in the cache.</summary>
    private sealed class StreamFailedException(KubernetesApiException error, string resumeFrom) : Exception
    {
        public KubernetesApiException Error { get; } = error;

        public string ResumeFrom { get; } = resumeFrom;
    }
}
