using Cloud.Installations;
using Cloud.Protos.Cluster.V1;
using Grpc.Core;

namespace Cloud.Providers;

/// <summary>What journeys ask of the cluster service about room: all of it can be asked again.</summary>
public sealed class Placements(PlacementService.PlacementServiceClient client)
{
    private const ErrorReason NoRoom = ErrorReason.ClustersFull;

    /// <summary>Room in a cluster, kept for this installation from then on.</summary>
    public async Task<Room<Placement>> PlaceAsync(Installation row, CancellationToken ct)
    {
        var request = new PlaceInstallationRequest
        {
            Installation = row.Name, Size = row.Size, Affinity = row.Affinity, InstallationEpoch = row.Epoch,
        };
        try
        {
            return new(await client.PlaceInstallationAsync(request, cancellationToken: ct), "");
        }
        catch (RpcException e) when (ErrorReasons.Of(PeerErrors.ReasonOf(e)) == NoRoom)
        {
            return new(null, PeerErrors.WhyNot(e));
        }
        catch (RpcException e) when (!ct.IsCancellationRequested)
        {
            throw PeerErrors.From("cluster", $"to place {row.Name}", e);
        }
    }

    /// <summary>Gives the room back: a creation that was cut is refused from then on.</summary>
    public async Task ReleaseAsync(Installation row, CancellationToken ct)
    {
        var request = new ReleasePlacementRequest { Installation = row.Name, InstallationEpoch = row.Epoch };
        try
        {
            await client.ReleasePlacementAsync(request, cancellationToken: ct);
        }
        catch (RpcException e) when (!ct.IsCancellationRequested)
        {
            throw PeerErrors.From("cluster", $"to give back the room of {row.Name}", e);
        }
    }
}
