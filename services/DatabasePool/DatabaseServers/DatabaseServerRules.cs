using Cloud.ServiceDefaults.Supervision;
using static Cloud.DatabaseServers.DatabaseServerState;
using Rule = Cloud.ServiceDefaults.Supervision.Rule<
    Cloud.DatabaseServers.DatabaseServer, Cloud.DatabaseServers.DatabaseServerState>;

namespace Cloud.DatabaseServers;

/// <summary>The life of a database server, on one screen.</summary>
public sealed class DatabaseServerRules(Registration registration, Deletion deletion)
    : IRules<DatabaseServer, DatabaseServerState>
{
    /// <inheritdoc/>
    public Rule For(DatabaseServerState state) => state switch
    {
        ProvisioningRequested => new(registration.CheckAsync, Stable) { OnFailure = ProvisioningFailed },
        ProvisioningFailed => new(registration.CheckAgainAsync, Stable),
        Stable => new(registration.LookAfterAsync) { OnFailure = ProvisioningFailed },
        DeletionRequested => new(deletion.LetGoAsync, Deleted),
        Deleted => new(null),
    };
}
