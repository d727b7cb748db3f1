using Cloud.ServiceDefaults.Supervision;
using static Cloud.LogicalDatabases.LogicalDatabaseState;
using Rule = Cloud.ServiceDefaults.Supervision.Rule<
    Cloud.LogicalDatabases.LogicalDatabase, Cloud.LogicalDatabases.LogicalDatabaseState>;

namespace Cloud.LogicalDatabases;

/// <summary>The life of a logical database, on one screen.</summary>
public sealed class LogicalDatabaseRules(Creation creation, Deletion deletion)
    : IRules<LogicalDatabase, LogicalDatabaseState>
{
    /// <summary>Deletion frees room, and is short.</summary>
    private const int DeletionPriority = 1;

    /// <inheritdoc/>
    public Rule For(LogicalDatabaseState state) => state switch
    {
        CreationRequested => new(creation.MakeAsync, Stable) { OnFailure = CreationFailed },
        DeletionRequested => new(deletion.DropAsync, Deleted)
        {
            OnFailure = DeletionFailed, Priority = DeletionPriority,
        },
        Stable or CreationFailed or DeletionFailed or Deleted => new(null),
    };
}
