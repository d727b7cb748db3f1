using System.Text;
using Cloud.Protos.Cluster.V1;
using Cloud.Simulator.ApiServers;
using Cloud.TestHost.Journeys;
using Xunit;

namespace Cloud.ClusterTests.Journeys;

/// <summary>An installation that has the name of the life, in the cluster that the fleet knows.</summary>
public abstract class InstallationJourney : Journey<Fleet>
{
    public override string Noun => "cluster_installation";

    public override Task<IReadOnlyList<string>> OutsideAsync(Fleet world, Life life, CancellationToken ct)
    {
        var resource = ResourceName(life);
        return Task.FromResult(Fleet.Written([
            world.Api.Get("namespaces", null, life.Id),
            world.Api.Get("networkpolicies.networking.k8s.io", life.Id, resource),
            world.Api.Get("poddisruptionbudgets.policy", life.Id, resource),
            world.Api.Get("secrets", life.Id, $"{resource}-database"),
            world.Api.Get(ClusterWorld.Resources, life.Id, resource),
        ]));
    }

    protected static string ResourceName(Life life) => $"mm-{life.Id[..4]}";

    protected static Task<ClusterInstallation> CreateAsync(Fleet world, Life life, CancellationToken ct) =>
        life.BeginAsync(
            "create",
            token => ClientOf(life).CreateClusterInstallationAsync(
                new()
                {
                    ClusterInstallation = new()
                    {
                        Installation = $"installations/{life.Id}", Cluster = world.Cluster,
                        Spec = ClusterWorld.Spec(life.Id, "1000users"),
                    },
                    InstallationEpoch = 1,
                    RequestId = life.RequestId,
                },
                cancellationToken: token),
            made => made.Name,
            ct);

    protected static Task<ClusterInstallation> UpdateAsync(
        Life life, string verb, ClusterInstallationSpec spec, string path, CancellationToken ct) => life.AskAsync(
        verb,
        token => ClientOf(life).UpdateClusterInstallationAsync(
            new()
            {
                ClusterInstallation = new() { Name = $"clusterInstallations/{life.RowId}", Spec = spec },
                UpdateMask = new() { Paths = { path } },
                InstallationEpoch = 1,
                RequestId = life.RequestId,
            },
            cancellationToken: token),
        ct);

    protected static async Task DeleteAsync(Fleet world, Life life, CancellationToken ct)
    {
        await life.AskAsync(
            "delete",
            token => ClientOf(life).DeleteClusterInstallationAsync(
                new()
                {
                    Name = $"clusterInstallations/{life.RowId}", InstallationEpoch = 1, RequestId = life.RequestId,
                },
                cancellationToken: token),
            ct);
        await life.UntilAsync("deleted", ct);
        Assert.Null(world.Api.Get("namespaces", null, life.Id));
        var rows = await ClientOf(life).ListClusterInstallationsAsync(
            new() { Installation = $"installations/{life.Id}", ShowDeleted = true }, cancellationToken: ct);
        Assert.Single(rows.ClusterInstallations);
    }

    /// <summary>Every object is there, as wanted, and the credentials are those issued last.</summary>
    protected static void AssertWhole(Fleet world, Life life, string version)
    {
        var resource = world.Api.Get(ClusterWorld.Resources, life.Id, ResourceName(life))!;
        Assert.Equal(version, resource["spec"]!["version"]!.GetValue<string>());
        Assert.NotNull(world.Api.Get("networkpolicies.networking.k8s.io", life.Id, ResourceName(life)));
        Assert.NotNull(world.Api.Get("poddisruptionbudgets.policy", life.Id, ResourceName(life)));
        var secret = world.Api.Get("secrets", life.Id, $"{ResourceName(life)}-database")!;
        var text = Encoding.UTF8.GetString(
            Convert.FromBase64String(secret["data"]!["DB_CONNECTION_STRING"]!.GetValue<string>()));
        Assert.Contains(
            world.World.Desk.Issued[$"logicalDatabases/{life.Id}"].Last(), text, StringComparison.Ordinal);
    }

    private static ClusterInstallationService.ClusterInstallationServiceClient ClientOf(Life life) =>
        new(life.Invoker);
}

/// <summary>Made, changed while its pods are still coming, hibernated, removed.</summary>
public sealed class InstallationComesAndGoes : InstallationJourney
{
    public override async Task LiveAsync(Fleet world, Life life, CancellationToken ct)
    {
        await CreateAsync(world, life, ct);
        await life.UntilAsync("stable", ct);
        AssertWhole(world, life, "10.1.0");
        await UpdateAsync(life, "update", new() { Version = $"10.2.0{OperatorDouble.SlowPods}" }, "spec.version", ct);
        await life.UntilAsync("ready", ct);
        await UpdateAsync(life, "update again", new() { Version = "10.3.0" }, "spec.version", ct);
        await life.UntilAsync("stable", ct);
        AssertWhole(world, life, "10.3.0");
        await UpdateAsync(life, "hibernate", new() { Hibernated = true }, "spec.hibernated", ct);
        await life.UntilAsync("stable", ct);
        await DeleteAsync(world, life, ct);
    }
}

/// <summary>The cluster refuses its resource for good; what was written before that is removed.</summary>
public sealed class InstallationIsRefused : InstallationJourney
{
    public override async Task LiveAsync(Fleet world, Life life, CancellationToken ct)
    {
        var faults = world.World.Cluster("large").Faults;
        faults.Put(new FaultRule
        {
            Id = life.Id, Verb = "create", Resource = ClusterWorld.Resources, Namespace = life.Id, ErrorCode = 422,
        });
        await CreateAsync(world, life, ct);
        await life.UntilAsync("creation-failed", ct);
        faults.Remove(life.Id);
        await DeleteAsync(world, life, ct);
    }
}
