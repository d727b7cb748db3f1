using static Cloud.DatabaseServers.DatabaseServerState;
using static Cloud.ServiceDefaults.Supervision.Outcome;
using Answer = Cloud.ServiceDefaults.Supervision.Outcome<
    Cloud.DatabaseServers.DatabaseServer, Cloud.DatabaseServers.DatabaseServerState>;

namespace Cloud.DatabaseServers;

/// <summary>
/// deletion-requested -> deleted. Nothing is done on the server: the request was refused while databases lived there,
/// and the choice of a server locks its row, so none can have come since. Only the password is forgotten.
/// </summary>
public sealed class Deletion
{
    /// <summary>deletion-requested.</summary>
    public Task<Answer> LetGoAsync(DatabaseServer server, CancellationToken ct)
    {
        ct.ThrowIfCancellationRequested();
        return Task.FromResult(Go(
            Deleted,
            "no database lives on it; its password is forgotten",
            server with { AdminPassword = "", Reachable = false }));
    }
}
