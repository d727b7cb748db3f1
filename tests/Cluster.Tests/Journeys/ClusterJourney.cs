using Cloud.Protos.Cluster.V1;
using Cloud.TestHost.Journeys;
using Xunit;

namespace Cloud.ClusterTests.Journeys;

/// <summary>A cluster that does not let us in at first is taken in with new credentials, provisioned anew, and let
/// go.</summary>
public sealed class ClusterComesAndGoes : Journey<Fleet>
{
    private const string Operator = "mattermost-operator";

    public override string Noun => "cluster";

    /// <summary>The life's display name tells which spare it has.</summary>
    public override async Task<IReadOnlyList<string>> OutsideAsync(Fleet world, Life life, CancellationToken ct)
    {
        var row = await ClientOf(life).GetClusterAsync(
            new() { Name = $"clusters/{life.RowId}" }, cancellationToken: ct);
        var api = world.World.Cluster(row.DisplayName.Split(' ')[0]).Api;
        return Fleet.Written([
            api.Get("namespaces", null, Operator),
            api.Get("serviceaccounts", Operator, Operator),
            api.Get("deployments.apps", Operator, Operator),
            api.Get("clusterroles.rbac.authorization.k8s.io", null, Operator),
            api.Get("clusterrolebindings.rbac.authorization.k8s.io", null, Operator),
        ]);
    }

    public override async Task LiveAsync(Fleet world, Life life, CancellationToken ct)
    {
        var spare = await world.TakeSpareAsync(ct);
        life.AtEnd(() => world.ReturnSpare(spare));
        var client = ClientOf(life);
        var cluster = await life.BeginAsync(
            "import",
            token => client.ImportClusterAsync(
                new()
                {
                    Cluster = new() { DisplayName = $"{spare} {life.Id}", AllowInstallations = false },
                    Kubeconfig = world.World.Kubeconfig(spare, token: "wrong"),
                    RequestId = life.RequestId,
                },
                cancellationToken: token),
            made => made.Name,
            ct);
        await life.UntilAsync("creation-failed", ct);

        await life.AskAsync(
            "give credentials",
            token => client.UpdateClusterAsync(
                new()
                {
                    Cluster = new() { Name = cluster.Name }, Kubeconfig = world.World.Kubeconfig(spare),
                    RequestId = life.RequestId,
                },
                cancellationToken: token),
            ct);
        await life.UntilAsync("stable", ct);
        var api = world.World.Cluster(spare).Api;
        Assert.NotNull(api.Get("deployments.apps", Operator, Operator));

        await life.AskAsync(
            "provision",
            token => client.ProvisionClusterAsync(
                new() { Name = cluster.Name, RequestId = life.RequestId }, cancellationToken: token),
            ct);
        await life.UntilAsync("stable", ct);

        await life.AskAsync(
            "delete",
            token => client.DeleteClusterAsync(
                new() { Name = cluster.Name, RequestId = life.RequestId }, cancellationToken: token),
            ct);
        await life.UntilAsync("deleted", ct);
        Assert.Null(api.Get("namespaces", null, Operator));
        Assert.Null(api.Get("clusterroles.rbac.authorization.k8s.io", null, Operator));
    }

    private static ClusterService.ClusterServiceClient ClientOf(Life life) => new(life.Invoker);
}
