using Cloud.Protos.Cluster.V1;
using Cloud.ServiceDefaults.Storage;
using Cloud.Simulator.ApiServers;
using Grpc.Core;
using Xunit;

namespace Cloud.ClusterTests;

/// <summary>What ended in a failed state is tried again when somebody asks, once per request id.</summary>
public sealed class RetryTests(ClusterWorld world) : IClassFixture<ClusterWorld>
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_cluster_that_did_not_let_us_in_is_taken_in_once_somebody_asks_again()
    {
        var faults = world.Cluster("small").Faults;
        faults.Put(new FaultRule { Id = "closed", Resource = "nodes", ErrorCode = 403 });
        var imported = await world.ImportAsync("small", Ct);
        await world.ClusterUntilAsync(imported.Name, c => c.State == "creation-failed", Ct);
        faults.Remove("closed");
        var request = new RetryClusterRequest { Name = imported.Name, RequestId = ResourceId.New() };

        var asked = await world.Clusters.RetryClusterAsync(request, cancellationToken: Ct);
        var stable = await world.ClusterUntilAsync(imported.Name, c => c.State == "stable", Ct);
        var repeated = await world.Clusters.RetryClusterAsync(request, cancellationToken: Ct);

        Assert.Equal("creation-requested", asked.State);
        Assert.Null(stable.Progress.LastError);
        Assert.Equal(asked, repeated);
        request.RequestId = "";
        await RefusedAsync(world.Clusters.RetryClusterAsync(request, cancellationToken: Ct));
    }

    [Fact]
    public async Task A_deletion_that_the_cluster_refused_ends_once_somebody_asks_again()
    {
        var faults = world.Cluster("small").Faults;
        var imported = await world.StableClusterAsync("small", Ct);
        faults.Put(new FaultRule
        {
            Id = "kept", Verb = "delete", Resource = "clusterroles.rbac.authorization.k8s.io", ErrorCode = 422,
        });
        await world.Clusters.DeleteClusterAsync(new() { Name = imported.Name }, cancellationToken: Ct);
        await world.ClusterUntilAsync(imported.Name, c => c.State == "deletion-failed", Ct);
        faults.Remove("kept");

        var asked = await world.Clusters.RetryClusterAsync(new() { Name = imported.Name }, cancellationToken: Ct);

        Assert.Equal("deletion-requested", asked.State);
        await world.ClusterUntilAsync(imported.Name, c => c.State == "deleted", Ct);
    }

    [Fact]
    public async Task An_installation_that_the_cluster_refused_is_made_once_somebody_asks_again()
    {
        var cluster = await world.StableClusterAsync("large", Ct);
        var id = ResourceId.New();
        var faults = world.Cluster("large").Faults;
        faults.Put(new FaultRule
        {
            Id = id, Verb = "create", Resource = ClusterWorld.Resources, Namespace = id, ErrorCode = 422,
        });
        var made = await world.CreateAsync(cluster.Name, Ct, id);
        await world.UntilAsync(made.Name, i => i.State == "creation-failed", Ct);
        faults.Remove(id);
        var request = new RetryClusterInstallationRequest { Name = made.Name, RequestId = ResourceId.New() };

        var asked = await world.Installations.RetryClusterInstallationAsync(request, cancellationToken: Ct);
        var stable = await world.UntilAsync(made.Name, i => i.State == "stable", Ct);
        var repeated = await world.Installations.RetryClusterInstallationAsync(request, cancellationToken: Ct);

        Assert.Equal("creation-requested", asked.State);
        Assert.Null(stable.Progress.LastError);
        Assert.Equal(asked, repeated);
        request.RequestId = "";
        await RefusedAsync(world.Installations.RetryClusterInstallationAsync(request, cancellationToken: Ct));
    }

    private static async Task RefusedAsync<T>(AsyncUnaryCall<T> call)
    {
        var refusal = await Refusal.OfAsync(call);
        Assert.Equal((StatusCode.FailedPrecondition, "STATE_WRONG"), (refusal.Code, refusal.Reason));
        Assert.Equal("stable", refusal.Metadata["state"]);
    }
}
