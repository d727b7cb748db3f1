namespace Cloud.ServiceDefaults.Supervision;

/// <summary>Tells the end of a loop from a failure in it.</summary>
public static class LoopEnd
{
    /// <summary>Whether a loop ends by this, because its service stops. Anything else is a failure, also while the
    /// service stops: a store may go away in the same moment, and what escapes a loop then counts as a
    /// crash.</summary>
    public static bool IsStop(this Exception e, CancellationToken stopping) =>
        e is OperationCanceledException && stopping.IsCancellationRequested;
}
