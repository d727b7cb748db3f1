using Cloud.Operator.Leading;
using Cloud.Operator.Mattermosts;
using Cloud.Watching;

namespace Cloud.Operator.Reconciling;

/// <summary>
/// Runs the operator: follows the cluster, and while this copy leads, has workers make passes over what changed.
/// </summary>
/// <remarks>
/// Guarantees: no pass starts before every cache has been listed once, nor before this copy leads; a change is worked
/// on within milliseconds; at most one pass per resource at a time. Nothing runs on a timer but what waits.
/// Failures: a bug in a pass is logged with its stack and retried like any failure, so one resource cannot stop the
/// others; a lost Lease cancels the passes under way, and all resources are looked at again once this copy leads again.
/// </remarks>
public sealed class Controller(
    ClusterView view, Reconciler reconciler, NetworkPhases network, Slots slots, Elector elector, Measures measures,
    OperatorOptions options, TimeProvider time, ILogger<Controller> log)
    : BackgroundService
{
    /// <summary>Caches are listed and, if there is an election, it does not matter whether it is won.</summary>
    public bool IsReady { get; private set; }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var queue = new WorkQueue<ObjectKey>(time);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(stoppingToken);
        measures.Observe(queue, slots, view);
        slots.Called += queue.Add;
        view.OnChange(queue.Add);
        view.Mattermosts.Changed += change => Note(change);
        var watching = view.Run(stop.Token);
        var working = Work(queue, stop.Token);
        try
        {
            // Whichever ends first ends both: by shutdown, or by a bug.
            await await Task.WhenAny(watching, working);
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            log.LogInformation("Stopping");
        }
        finally
        {
            await stop.CancelAsync();
            await Task.WhenAll(watching, working).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task Work(WorkQueue<ObjectKey> queue, CancellationToken cancellation)
    {
        await view.WhenSynced(cancellation);
        IsReady = true;
        log.LogInformation("Following {Count} resources", view.Mattermosts.Count);
        await elector.Lead(
            async leading =>
            {
                QueueAll(queue);
                await Task.WhenAll(
                    Enumerable.Range(0, options.MaxReconcileConcurrency).Select(_ => WorkOne(queue, leading)));
            },
            cancellation);
    }

    /// <summary>What another copy, or a term of this one that was cut, left unfinished is found by looking at
    /// all.</summary>
    private void QueueAll(WorkQueue<ObjectKey> queue)
    {
        foreach (var mattermost in view.Mattermosts.All())
        {
            queue.Add(ObjectKey.Of(mattermost));
        }
    }

    private async Task WorkOne(WorkQueue<ObjectKey> queue, CancellationToken cancellation)
    {
        while (!cancellation.IsCancellationRequested)
        {
            var key = await queue.Take(cancellation);
            try
            {
                await Pass(queue, key, cancellation);
            }
            finally
            {
                queue.Done(key);
            }
        }
    }

    private async Task Pass(WorkQueue<ObjectKey> queue, ObjectKey key, CancellationToken cancellation)
    {
        var started = time.GetTimestamp();
        PassResult result;
        try
        {
            result = await reconciler.Reconcile(key, cancellation);
        }
        catch (KubernetesApiException e)
        {
            log.LogWarning("Failing at {Mattermost}: {Message}", key, e.Message);
            result = new PassResult(PassEnd.Failed, e.RetryAfter);
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            log.LogError(e, "Failing at {Mattermost} by a defect of the operator", key);
            result = new PassResult(PassEnd.Failed);
        }

        measures.Passed(result.End, time.GetElapsedTime(started));
        switch (result.End)
        {
            case PassEnd.Failed:
                queue.Retry(key, result.After);
                break;
            case PassEnd.Waiting:
            case PassEnd.TurnedAway:
                queue.Forget(key);
                queue.AddAfter(key, result.After ?? TimeSpan.Zero);
                break;
            case PassEnd.Settled:
                queue.Forget(key);
                break;
        }
    }

    /// <summary>
    /// Keeps the places of the gate true to what the cluster shows, also for resources of a former leader.
    /// </summary>
    private void Note(ObjectChange<Mattermost> change)
    {
        if (change.After is { } after)
        {
            if (MattermostState.IsInProgress(after.Status?.State))
            {
                slots.Note(change.Key, true);
            }

            return;
        }

        slots.Forget(change.Key);
        if (change.Before?.Spec.AwsLoadBalancerController?.Enabled == true && elector.IsLeading)
        {
            _ = DeleteClass(change.Key);
        }
    }

    private async Task DeleteClass(ObjectKey key)
    {
        using var deadline = new CancellationTokenSource(KubernetesApi.RequestTimeout, time);
        try
        {
            await network.DeleteClass(key, deadline.Token);
        }
        catch (Exception e) when (e is KubernetesApiException or OperationCanceledException)
        {
            log.LogWarning("Leaving the IngressClass of {Mattermost} behind: {Message}", key, e.Message);
        }
    }
}
