using static Cloud.Installations.InstallationState;

namespace Cloud.Installations;

/// <summary>A request that moves an existing installation.</summary>
/// <param name="Word">As people say it: "hibernate".</param>
/// <param name="Moves">From which state to which. A state that moves to itself has what was asked under way already:
/// only what the request brings along is written, if anything. A state that is missing refuses the verb.</param>
public sealed record InstallationVerb(string Word, IReadOnlyDictionary<InstallationState, InstallationState> Moves)
{
    /// <summary>The public names of the states in which it is allowed.</summary>
    public IEnumerable<string> Allowed => Moves.Keys.Order().Select(StateNames<InstallationState>.Of);
}

/// <summary>The second table: which request is allowed in which state, and where it leads.</summary>
public static class InstallationVerbs
{
    /// <summary>Change what is wanted. A repeat while the first is still only requested joins it.</summary>
    public static readonly InstallationVerb Update =
        Verb("update", To(UpdateRequested, Stable, UpdateRequested, UpdateFailed));

    /// <summary>Stop the pods, keep everything else.</summary>
    public static readonly InstallationVerb Hibernate = Verb("hibernate", To(HibernationRequested, Stable));

    /// <summary>Start a hibernated one.</summary>
    public static readonly InstallationVerb WakeUp = Verb("wake up", To(WakeUpRequested, Hibernating));

    /// <summary>Delete: after a time in which it can be taken back, where there is something to lose.</summary>
    public static readonly InstallationVerb Delete =
        Verb("delete", StartedCreation, RunningOrStopped, Stopping, Removing);

    /// <summary>Delete, not waiting for the end of a pending time.</summary>
    public static readonly InstallationVerb DeleteNow = Verb(
        "delete", StartedCreation, RunningOrStopped, Removing,
        To(DeletionRequested, DeletionPendingRequested, DeletionPendingInProgress, DeletionPending));

    /// <summary>Give a deletion that is pending another time to wait.</summary>
    public static readonly InstallationVerb PostponeDeletion = Verb(
        "delete with another pending time", StartedCreation, RunningOrStopped, Stopping, Removing,
        To(DeletionPending, DeletionPending));

    /// <summary>Take a pending deletion back.</summary>
    public static readonly InstallationVerb CancelDeletion =
        Verb("cancel the deletion of", To(DeletionCancellationRequested, DeletionPending));

    /// <summary>Try again what failed, or what waits for room.</summary>
    public static readonly InstallationVerb Retry = Verb(
        "retry", To(CreationRequested, CreationFailed, CreationNoCompatibleClusters), To(UpdateRequested, UpdateFailed),
        To(DeletionRequested, DeletionFailed));

    /// <summary>All of them.</summary>
    public static IReadOnlyList<InstallationVerb> All =>
        [Update, Hibernate, WakeUp, Delete, DeleteNow, PostponeDeletion, CancelDeletion, Retry];

    // Never stable, so no customer has anything in it.
    private static Dictionary<InstallationState, InstallationState> StartedCreation => To(
        DeletionRequested, CreationRequested, CreationNoCompatibleClusters, CreationPreProvisioning, CreationInProgress,
        CreationConfiguringDns, CreationFinalTasks, CreationFailed);

    private static Dictionary<InstallationState, InstallationState> RunningOrStopped => To(
        DeletionPendingRequested, Stable, UpdateRequested, UpdateInProgress, UpdateFailed, HibernationRequested,
        HibernationInProgress, Hibernating, WakeUpRequested, DeletionCancellationRequested);

    private static Dictionary<InstallationState, InstallationState> Stopping => Staying(
        DeletionPendingRequested, DeletionPendingInProgress);

    private static Dictionary<InstallationState, InstallationState> Removing => Merge(
        Staying(DeletionRequested, DeletionInProgress, DeletionFinalCleanup), To(DeletionRequested, DeletionFailed));

    private static InstallationVerb Verb(
        string word, params Dictionary<InstallationState, InstallationState>[] moves) => new(word, Merge(moves));

    private static Dictionary<InstallationState, InstallationState> Merge(
        params Dictionary<InstallationState, InstallationState>[] moves) =>
        moves.SelectMany(some => some).ToDictionary(move => move.Key, move => move.Value);

    private static Dictionary<InstallationState, InstallationState> Staying(params InstallationState[] states) =>
        states.ToDictionary(state => state, state => state);

    private static Dictionary<InstallationState, InstallationState> To(
        InstallationState target, params InstallationState[] from) => from.ToDictionary(state => state, _ => target);
}
