using Cloud.Installations;
using Cloud.Protos.DatabasePool.V1;
using Grpc.Core;

namespace Cloud.Providers;

/// <summary>What journeys ask of the database-pool service: all of it can be asked again.</summary>
public sealed class LogicalDatabases(LogicalDatabaseService.LogicalDatabaseServiceClient client)
{
    private const string Service = "database-pool";
    private const ErrorReason NoRoom = ErrorReason.DatabaseServersFull;

    /// <summary>A database and a role for this installation. The one that the row knows is only looked at: asking for
    /// it again would start anew what has failed.</summary>
    public async Task<Room<LogicalDatabase>> EnsureAsync(Installation row, CancellationToken ct)
    {
        if (row.LogicalDatabase is { } known)
        {
            return new(await GetAsync(known, ct), "");
        }

        var request = new CreateLogicalDatabaseRequest
        {
            LogicalDatabase = new LogicalDatabase { Installation = row.Name }, InstallationEpoch = row.Epoch,
        };
        try
        {
            return new(await client.CreateLogicalDatabaseAsync(request, cancellationToken: ct), "");
        }
        catch (RpcException e) when (ErrorReasons.Of(PeerErrors.ReasonOf(e)) == NoRoom)
        {
            return new(null, PeerErrors.WhyNot(e));
        }
        catch (RpcException e) when (!ct.IsCancellationRequested)
        {
            throw PeerErrors.From(Service, $"to create a logical database for {row.Name}", e);
        }
    }

    /// <summary>Drops one.</summary>
    public async Task<LogicalDatabase> RemoveAsync(string name, Installation row, CancellationToken ct)
    {
        var request = new DeleteLogicalDatabaseRequest { Name = name, InstallationEpoch = row.Epoch };
        try
        {
            return await client.DeleteLogicalDatabaseAsync(request, cancellationToken: ct);
        }
        catch (RpcException e) when (!ct.IsCancellationRequested)
        {
            throw PeerErrors.From(Service, $"to drop {name}", e);
        }
    }

    /// <summary>Gives the room back, if it waited for any: a creation that was cut is refused from then on.</summary>
    public async Task ReleaseAsync(Installation row, CancellationToken ct)
    {
        var request = new ReleaseRoomRequest { Installation = row.Name, InstallationEpoch = row.Epoch };
        try
        {
            await client.ReleaseRoomAsync(request, cancellationToken: ct);
        }
        catch (RpcException e) when (!ct.IsCancellationRequested)
        {
            throw PeerErrors.From(Service, $"to give back the room of {row.Name}", e);
        }
    }

    /// <summary>Those of an installation that are not dropped, known to its row or not.</summary>
    public async Task<IReadOnlyList<LogicalDatabase>> OfAsync(Installation row, CancellationToken ct)
    {
        var request = new ListLogicalDatabasesRequest { Installation = row.Name };
        try
        {
            return (await client.ListLogicalDatabasesAsync(request, cancellationToken: ct)).LogicalDatabases;
        }
        catch (RpcException e) when (!ct.IsCancellationRequested)
        {
            throw PeerErrors.From(Service, $"for the logical databases of {row.Name}", e);
        }
    }

    private async Task<LogicalDatabase> GetAsync(string name, CancellationToken ct)
    {
        try
        {
            return await client.GetLogicalDatabaseAsync(
                new GetLogicalDatabaseRequest { Name = name }, cancellationToken: ct);
        }
        catch (RpcException e) when (!ct.IsCancellationRequested)
        {
            throw PeerErrors.From(Service, $"for {name}", e);
        }
    }
}
