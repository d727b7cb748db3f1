using Cloud.Protos.Api.V1;
using Cloud.Protos.DatabasePool.V1;
using Cloud.Protos.Supervision.V1;
using Cloud.ServiceDefaults.Hosting;
using Cloud.ServiceDefaults.Storage;
using Grpc.Core;

namespace Cloud.Installations.Tests.World;

/// <summary>The database-pool service's contract about logical databases.</summary>
internal sealed class DatabaseSide(OutsideWorld world) : LogicalDatabaseService.LogicalDatabaseServiceBase
{
    public override Task<LogicalDatabase> CreateLogicalDatabase(
        CreateLogicalDatabaseRequest request, ServerCallContext context)
    {
        var installation = request.LogicalDatabase.Installation;
        var epoch = CallEpoch.Databases(request.InstallationEpoch);
        return world.ServeAsync(nameof(CreateLogicalDatabase), installation, epoch, () =>
        {
            var made = world.Databases.Find(r => r.Installation == installation && !r.IsGone);
            if (made is not null)
            {
                return (Of(made), false);
            }

            if (world.Databases.Count(r => !r.IsGone) >= world.DatabaseRoom)
            {
                throw Problem
                    .Exhausted(ErrorReason.DatabaseServersFull, "databaseServers/d: all 300 databases are taken")
                    .ToRpcStatus().ToRpcException();
            }

            made = new Resource($"logicalDatabases/{ResourceId.New()}", installation, "creation-requested", "stable");
            world.Databases.Add(made);
            return (Of(made), true);
        });
    }

    public override Task<LogicalDatabase> GetLogicalDatabase(
        GetLogicalDatabaseRequest request, ServerCallContext context)
    {
        var made = Find(request.Name);
        return world.ServeAsync(nameof(GetLogicalDatabase), made.Installation, null, () => (Of(made), false));
    }

    public override Task<LogicalDatabase> DeleteLogicalDatabase(
        DeleteLogicalDatabaseRequest request, ServerCallContext context)
    {
        var made = Find(request.Name);
        var epoch = CallEpoch.Databases(request.InstallationEpoch);
        return world.ServeAsync(nameof(DeleteLogicalDatabase), made.Installation, epoch, () =>
        {
            if (made.IsGone || made.State == "deletion-requested")
            {
                return (Of(made), false);
            }

            made.Begin("deletion-requested", "deleted");
            return (Of(made), true);
        });
    }

    public override Task<ReleaseRoomResponse> ReleaseRoom(ReleaseRoomRequest request, ServerCallContext context) =>
        world.ServeAsync(
            nameof(ReleaseRoom), request.Installation, CallEpoch.Databases(request.InstallationEpoch),
            () => (new ReleaseRoomResponse(), false));

    public override Task<ListLogicalDatabasesResponse> ListLogicalDatabases(
        ListLogicalDatabasesRequest request, ServerCallContext context) =>
        world.ServeAsync(nameof(ListLogicalDatabases), request.Installation, null, () => (
            new ListLogicalDatabasesResponse
            {
                LogicalDatabases =
                {
                    world.Databases.Where(r => r.Installation == request.Installation && !r.IsGone).Select(Of),
                },
            },
            false));

    public override Task<WhyLogicalDatabaseResponse> WhyLogicalDatabase(
        WhyLogicalDatabaseRequest request, ServerCallContext context)
    {
        var made = Find(request.Name);
        return world.ServeAsync(nameof(WhyLogicalDatabase), made.Installation, null, () => (
            new WhyLogicalDatabaseResponse
            {
                Chain =
                {
                    new Explanation
                    {
                        Resource = made.Name, Service = "database-pool", State = made.State, Summary = "SQL",
                    },
                },
            },
            false));
    }

    private Resource Find(string name) => world.Look(w => w.Databases.Find(r => r.Name == name))
        ?? throw Problem.NotFound(name).ToRpcStatus().ToRpcException();

    private static LogicalDatabase Of(Resource made) => new()
    {
        Name = made.Name, Installation = made.Installation, State = made.State, Progress = made.Progress,
    };
}
