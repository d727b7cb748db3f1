namespace Cloud.ServiceDefaults.Supervision;

/// <summary>The columns every supervised table has. A noun's record derives from it and adds its own; see
/// <see cref="SupervisedStore{TRow,TState}"/> for the SQL to copy into the migration.</summary>
public abstract record SupervisedRow<TState> : StoredRow
    where TState : struct, Enum
{
    /// <summary>The program counter of the resource's life.</summary>
    public required TState State { get; init; }

    /// <summary>Grows with every claim by a worker; written into every outside object.</summary>
    public long Epoch { get; init; }

    /// <summary>Failed tries of the current step in a row.</summary>
    public int Attempts { get; init; }

    /// <summary>When the step is looked at next without a nudge; null at rest.</summary>
    public DateTimeOffset? NextAttemptAt { get; init; }

    /// <summary>Until when a worker has announced to be busy with the row; null when nobody is. Counts only while Redis
    /// is away, as the lease then.</summary>
    public DateTimeOffset? ClaimedUntil { get; init; }

    /// <summary>The worker (service, machine and process) that announced it; null when nobody is busy with the
    /// row.</summary>
    public string? ClaimedBy { get; init; }

    /// <summary>When a worker last began to look at the row: a nudge heard before that is served.</summary>
    public DateTimeOffset? LookedAt { get; init; }

    /// <summary>The request that the row's wish came with, if one did.</summary>
    public string? CauseRequestId { get; init; }

    /// <summary>The W3C trace context that the wish came with: steps are part of that trace.</summary>
    public string? CauseTraceparent { get; init; }

    /// <summary>When the current state was entered.</summary>
    public DateTimeOffset StateSince { get; init; }

    /// <summary>What the current state waits for, in words.</summary>
    public string? WaitingFor { get; init; }

    /// <summary>Code of the last failure; null once a step succeeded. A failed state keeps what led to it.</summary>
    public string? LastErrorCode { get; init; }

    /// <summary>The last failure in words.</summary>
    public string? LastError { get; init; }

    /// <summary>Who can end the last failure.</summary>
    public Fault? LastErrorFault { get; init; }
}
