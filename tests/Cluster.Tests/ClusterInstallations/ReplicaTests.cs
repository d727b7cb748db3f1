using Cloud.Protos.Cluster.V1;
using Cloud.ServiceDefaults.Storage;
using Xunit;

namespace Cloud.ClusterTests.ClusterInstallations;

/// <summary>What several processes make of the same wishes.</summary>
public sealed class ReplicaTests(ClusterWorld world) : IClassFixture<ClusterWorld>
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Two_replicas_make_each_installation_once()
    {
        var cluster = await world.StableClusterAsync("large", Ct);
        await using var other = world.Start();
        ClusterInstallationService.ClusterInstallationServiceClient[] replicas =
            [world.Installations, new(other.Channel)];

        var made = await Task.WhenAll(Enumerable.Range(0, 40).Select(async n =>
        {
            var id = ResourceId.New();
            var row = await replicas[n % 2].CreateClusterInstallationAsync(
                new()
                {
                    ClusterInstallation = new()
                    {
                        Installation = $"installations/{id}", Cluster = cluster.Name, Spec = ClusterWorld.Spec(id),
                    },
                    InstallationEpoch = 1,
                },
                cancellationToken: Ct);
            return await world.UntilAsync(row.Name, r => r.State == "stable", Ct);
        }));

        var resources = world.Cluster("large").Api.List(ClusterWorld.Resources)
            .Select(r => r["metadata"]!["namespace"]!.GetValue<string>()).ToList();
        foreach (var row in made)
        {
            Assert.Single(resources, ns => ns == row.Namespace);
            Assert.Single(world.Desk.Issued[row.Spec.LogicalDatabase]);
        }
    }
}
