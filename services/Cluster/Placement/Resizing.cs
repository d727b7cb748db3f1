using Cloud.Clusters;
using Cloud.ServiceDefaults.Hosting;

namespace Cloud.Placement;

/// <summary>
/// Changes how much room is kept for an installation: another size, nothing while it is hibernated, all of it when it
/// wakes up. What it needs more is decided as a placement is, under the same lock and in the transaction of the change,
/// so that a burst cannot take the same room twice. It may use what is beyond the threshold: that keeps new ones out so
/// that those inside can grow. Who finds no room is remembered and told when there is some; what is given back is told
/// to those who wait.
/// </summary>
public sealed class Resizing(Database database, Candidates candidates)
{
    private const ErrorReason NoRoomReason = ErrorReason.ClusterFull;

    /// <summary>Runs a change of an installation that resizes it; remembers whom it refuses.</summary>
    public async Task<T> RememberingAsync<T>(
        string installation, bool validateOnly, Func<Task<T>> change, CancellationToken ct)
    {
        try
        {
            return await change();
        }
        catch (ProblemException refused) when (refused.Reason == NoRoomReason && !validateOnly)
        {
            // The refused transaction is gone with all it wrote.
            await database.InTransactionAsync(
                (transaction, token) => PlacementStore.WaitAsync(transaction, installation, token), ct);
            throw;
        }
    }

    /// <summary>Keeps the room that an installation needs from now on, in the cluster where it is.</summary>
    /// <exception cref="ProblemException">Its cluster has no room for more.</exception>
    public async Task ResizeAsync(
        DatabaseTransaction transaction, string installation, string size, Room wanted, CancellationToken ct)
    {
        if (await PlacementStore.FindAsync(transaction, installation, ct) is not { } held) return;
        var growth = held.Room.Excess(wanted);
        if (growth != default)
        {
            await PlacementStore.LockAsync(transaction, ct);
            var here = (await candidates.OfAsync(transaction, ct)).Single(c => c.Id == held.ClusterId);
            if (Scoring.Lacking(here, growth) is { } lacking)
                throw Problem.Exhausted(
                    NoRoomReason,
                    $"{here.DisplayName} has no room for installations/{installation} as {size}: {lacking}.",
                    new Dictionary<string, string> { [Cluster.NameOf(here.Id)] = lacking });
        }
        await PlacementStore.ResizeAsync(transaction, installation, size, wanted, ct);
    }
}
