using Cloud.Protos.Api.V1;
using Cloud.Protos.Cluster.V1;
using Cloud.Protos.Supervision.V1;
using Cloud.ServiceDefaults.Hosting;
using Cloud.ServiceDefaults.Storage;
using Grpc.Core;

namespace Cloud.Installations.Tests.World;

/// <summary>The cluster service's contract about room.</summary>
internal sealed class PlacementSide(OutsideWorld world) : PlacementService.PlacementServiceBase
{
    public const string Cluster = "clusters/c0000000000000000000000000";

    public override Task<Placement> PlaceInstallation(PlaceInstallationRequest request, ServerCallContext context) =>
        world.ServeAsync(
            nameof(PlaceInstallation), request.Installation, CallEpoch.Cluster(request.InstallationEpoch), () =>
        {
            var kept = world.Placements.Find(p => p.Installation == request.Installation && !p.IsGone);
            if (kept is null)
            {
                if (world.WithoutRoom.Has(request.Installation)
                    || world.Placements.Count(p => !p.IsGone) >= world.ClusterRoom)
                {
                    var whyNot = new Dictionary<string, string> { [Cluster] = "100 % of its CPU is taken" };
                    throw Problem.Exhausted(ErrorReason.ClustersFull, "No cluster has room.", whyNot)
                        .ToRpcStatus().ToRpcException();
                }

                world.Placements.Add(
                    new Resource($"placement of {request.Installation}", request.Installation, "kept", null));
            }

            return (
                new Placement
                {
                    Installation = request.Installation,
                    Cluster = Cluster,
                    Size = request.Size,
                    Reason = "it has most room",
                },
                false);
        });

    public override Task<ReleasePlacementResponse> ReleasePlacement(
        ReleasePlacementRequest request, ServerCallContext context) =>
        world.ServeAsync(
            nameof(ReleasePlacement), request.Installation, CallEpoch.Cluster(request.InstallationEpoch), () =>
        {
            foreach (var kept in world.Placements.Where(p => p.Installation == request.Installation && !p.IsGone))
            {
                kept.Begin("kept", "deleted");
                kept.Settle(null);
            }

            return (new ReleasePlacementResponse(), false);
        });
}

/// <summary>The cluster service's contract about installations in clusters.</summary>
internal sealed class ClusterInstallationSide(OutsideWorld world)
    : ClusterInstallationService.ClusterInstallationServiceBase
{
    public override Task<ClusterInstallation> CreateClusterInstallation(
        CreateClusterInstallationRequest request, ServerCallContext context)
    {
        var asked = request.ClusterInstallation;
        return world.ServeAsync(
            nameof(CreateClusterInstallation), asked.Installation, CallEpoch.Cluster(request.InstallationEpoch), () =>
            {
                var made = world.ClusterInstallations.Find(r => r.Installation == asked.Installation && !r.IsGone);
                if (made is not null)
                {
                    return (Of(made), false);
                }

                made = new Resource(
                    $"clusterInstallations/{ResourceId.New()}", asked.Installation, "creation-requested", "stable")
                {
                    Spec = asked.Spec, Epoch = request.InstallationEpoch,
                };
                world.ClusterInstallations.Add(made);
                return (Of(made), true);
            });
    }

    public override Task<ClusterInstallation> GetClusterInstallation(
        GetClusterInstallationRequest request, ServerCallContext context)
    {
        var made = Find(request.Name);
        return world.ServeAsync(nameof(GetClusterInstallation), made.Installation, null, () => (Of(made), false));
    }

    public override Task<ClusterInstallation> UpdateClusterInstallation(
        UpdateClusterInstallationRequest request, ServerCallContext context)
    {
        var made = Find(request.ClusterInstallation.Name);
        return world.ServeAsync(
            nameof(UpdateClusterInstallation), made.Installation, CallEpoch.Cluster(request.InstallationEpoch), () =>
            {
                if (made.IsGone)
                {
                    throw Problem.NotFound(made.Name).ToRpcStatus().ToRpcException();
                }

                if (world.WithRefusedUpdates.Has(made.Installation))
                {
                    const string field = "cluster_installation.spec.image";
                    throw Problem.Invalid(new FieldProblem(field, "unknown", ErrorReason.ImageInvalid))
                        .ToRpcStatus().ToRpcException();
                }

                if (made.Spec!.Equals(request.ClusterInstallation.Spec))
                {
                    return (Of(made), false);
                }

                made.Spec = request.ClusterInstallation.Spec;
                made.Begin("reconciling", "stable");
                return (Of(made), true);
            });
    }

    public override Task<ClusterInstallation> DeleteClusterInstallation(
        DeleteClusterInstallationRequest request, ServerCallContext context)
    {
        var made = Find(request.Name);
        return world.ServeAsync(
            nameof(DeleteClusterInstallation), made.Installation, CallEpoch.Cluster(request.InstallationEpoch), () =>
            {
                if (made.IsGone || made.State == "deletion-requested")
                {
                    return (Of(made), false);
                }

                made.Begin("deletion-requested", "deleted");
                return (Of(made), true);
            });
    }

    public override Task<ListClusterInstallationsResponse> ListClusterInstallations(
        ListClusterInstallationsRequest request, ServerCallContext context) =>
        world.ServeAsync(nameof(ListClusterInstallations), request.Installation, null, () => (
            new ListClusterInstallationsResponse
            {
                ClusterInstallations =
                {
                    world.ClusterInstallations
                        .Where(r => r.Installation == request.Installation && !r.IsGone).Select(Of),
                },
            },
            false));

    public override Task<WhyClusterInstallationResponse> WhyClusterInstallation(
        WhyClusterInstallationRequest request, ServerCallContext context)
    {
        var made = Find(request.Name);
        return world.ServeAsync(nameof(WhyClusterInstallation), made.Installation, null, () => (
            new WhyClusterInstallationResponse
            {
                Chain =
                {
                    new Explanation { Resource = made.Name, Service = "cluster", State = made.State, Summary = "pods" },
                },
            },
            false));
    }

    private Resource Find(string name) =>
        world.Look(w => w.ClusterInstallations.Find(r => r.Name == name))
        ?? throw Problem.NotFound(name).ToRpcStatus().ToRpcException();

    private static ClusterInstallation Of(Resource made) => new()
    {
        Name = made.Name,
        Installation = made.Installation,
        Cluster = PlacementSide.Cluster,
        Spec = made.Spec,
        State = made.State,
        Progress = made.Progress,
    };
}

/// <summary>The cluster service's contract about clusters.</summary>
internal sealed class ClustersSide : ClusterService.ClusterServiceBase
{
    public override Task<WhyClusterResponse> WhyCluster(WhyClusterRequest request, ServerCallContext context) =>
        Task.FromResult(new WhyClusterResponse
        {
            Chain =
            {
                new Explanation { Resource = request.Name, Service = "cluster", State = "stable", Summary = "fine" },
            },
        });
}
