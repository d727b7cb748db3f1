using System.Globalization;
using Cloud.Protos.Installation.V1;
using Cloud.Protos.Supervision.V1;
using Grpc.Core;

namespace Cloud.Chaos.Customers;

/// <summary>
/// Follows WatchInstallations through everything that happens to the services, resuming by token, and keeps what it was
/// told: the newest state of each installation, and every version in the order in which it came.
/// </summary>
internal sealed class Watcher(InstallationService.InstallationServiceClient client, Timeline timeline)
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(200);

    private readonly Lock _gate = new();
    private readonly Dictionary<string, Installation> _newest = [];
    private readonly Dictionary<string, List<long>> _changes = [];
    private readonly TaskCompletionSource _begun = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private string _token = "";

    /// <summary>Completes when all there was at the beginning was told; from then on every change is.</summary>
    public Task Begun => _begun.Task;

    /// <summary>How often the stream broke and was resumed.</summary>
    public int Resumed { get; private set; }

    /// <summary>Times that the service told this client to begin anew, which no run is long enough for.</summary>
    public int StartedAnew { get; private set; }

    /// <summary>Follows until told to stop.</summary>
    public async Task RunAsync(CancellationToken stop)
    {
        while (!stop.IsCancellationRequested)
        {
            try
            {
                await FollowAsync(stop);
            }
            catch (RpcException e) when (e.StatusCode is StatusCode.OutOfRange)
            {
                timeline.Note("run", "", $"the watch must begin anew: {e.Status.Detail}");
                (_token, StartedAnew) = ("", StartedAnew + 1);
            }
            catch (RpcException e) when (!stop.IsCancellationRequested)
            {
                timeline.Note("run", "", $"the watch broke: {e.StatusCode}");
                Resumed++;
                await Task.Delay(Pause, TimeProvider.System, stop).ContinueWith(
                    _ => { }, default, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
            }
            catch (Exception e) when (e is RpcException or OperationCanceledException)
            {
                return;
            }
        }
    }

    /// <summary>The installation as last told; null when nothing was told yet.</summary>
    public Installation? Newest(string name)
    {
        lock (_gate)
        {
            return _newest.GetValueOrDefault(name);
        }
    }

    /// <summary>The versions told as changes of an installation, in their order.</summary>
    public IReadOnlyList<long> ChangesOf(string name)
    {
        lock (_gate)
        {
            return [.. _changes.GetValueOrDefault(name) ?? []];
        }
    }

    /// <summary>Waits for the next change of whatever installation, or for as long as said.</summary>
    public async Task ChangeAsync(TimeSpan most, CancellationToken ct)
    {
        Task changed;
        lock (_gate)
        {
            changed = _changed.Task;
        }

        try
        {
            await changed.WaitAsync(most, TimeProvider.System, ct);
        }
        catch (TimeoutException)
        {
            // Nothing changed; the caller looks for itself.
        }
    }

    private async Task FollowAsync(CancellationToken stop)
    {
        var filter = new InstallationFilter { ShowDeleted = true };
        using var stream = client.WatchInstallations(
            new() { Filter = filter, ResumeToken = _token }, cancellationToken: stop);
        await foreach (var message in stream.ResponseStream.ReadAllAsync(stop))
        {
            Take(message);
        }
    }

    private void Take(WatchInstallationsResponse message)
    {
        if (message.ResumeToken.Length > 0)
        {
            _token = message.ResumeToken;
        }

        if (message.Kind is WatchKind.SnapshotEnd)
        {
            _begun.TrySetResult();
        }

        if (message.Installation is not { } installation)
        {
            return;
        }

        var isChange = message.Kind is WatchKind.Change;
        if (isChange)
        {
            var from = message.PreviousState.Length == 0 ? "" : $"{message.PreviousState} -> ";
            timeline.Note(
                "event", installation.Name,
                $"{from}{installation.State} ({installation.Etag}): {message.Reason}");
        }

        TaskCompletionSource changed;
        lock (_gate)
        {
            _newest[installation.Name] = installation;
            if (isChange)
            {
                if (!_changes.TryGetValue(installation.Name, out var versions))
                {
                    _changes[installation.Name] = versions = [];
                }

                versions.Add(long.Parse(installation.Etag, CultureInfo.InvariantCulture));
            }

            changed = _changed;
            _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
        }

        changed.TrySetResult();
    }
}
