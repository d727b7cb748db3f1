using Cloud.Protos.Cluster.V1;
using Cloud.ServiceDefaults.Storage;
using Cloud.TestHost;
using Xunit;

namespace Cloud.ClusterTests.ClusterInstallations;

/// <summary>Whatever is cut or doubled: each installation is made once, and removed without a trace.</summary>
public sealed class CrashTests(ClusterWorld world) : IClassFixture<ClusterWorld>
{
    /// <summary>More places than a life from creation to deletion passes.</summary>
    private const int PlacesAtMost = 90;

    /// <summary>Every place would take minutes; the odd step lands on another kind of place each time.</summary>
    private const int PlacesBetweenDeaths = 5;

    private readonly HashSet<FaultPoints> _replaced = [];

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_process_that_dies_anywhere_costs_time_only()
    {
        var cluster = await world.StableClusterAsync("large", Ct);
        var deaths = 0;
        for (var place = 1; place <= PlacesAtMost; place += PlacesBetweenDeaths)
        {
            var faults = new FaultPoints();
            await world.RestartAsync(faults);
            var id = ResourceId.New();
            var made = await world.CreateAsync(cluster.Name, Ct, id);
            faults.CrashAt(faults.Passed.Count + place);

            made = await SurvivingAsync(faults, () => world.UntilAsync(made.Name, r => r.State == "stable", Ct));
            AssertSecretIsInForce(made);
            await SurvivingAsync(faults, async () => await world.Installations.DeleteClusterInstallationAsync(
                new() { Name = made.Name, InstallationEpoch = 1 }, cancellationToken: Ct));
            await SurvivingAsync(faults, () => world.UntilAsync(made.Name, r => r.State == "deleted", Ct));

            Assert.Null(world.Cluster("large").Api.Get("namespaces", null, id));
            var rows = await world.Installations.ListClusterInstallationsAsync(
                new() { Installation = made.Installation, ShowDeleted = true }, cancellationToken: Ct);
            Assert.Single(rows.ClusterInstallations);
            deaths += faults.Crashed.IsCompleted ? 1 : 0;
        }
        Assert.True(deaths > 3, $"Only {deaths} processes died: little was shown.");
    }

    [Fact]
    public async Task Two_replicas_make_each_installation_once()
    {
        await world.RestartAsync();
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

    /// <summary>Asks the process; when it dies on the way, another one, from the beginning.</summary>
    private async Task<T> SurvivingAsync<T>(FaultPoints faults, Func<Task<T>> ask)
    {
        if (!faults.Crashed.IsCompleted)
        {
            var asked = ask();
            await Task.WhenAny(asked, faults.Crashed);
            if (asked.IsCompletedSuccessfully) return await asked;
            if (!faults.Crashed.IsCompleted) return await asked;
        }
        if (!_replaced.Add(faults)) return await ask();
        await world.RestartAsync();
        return await ask();
    }

    private void AssertSecretIsInForce(ClusterInstallation row)
    {
        var secret = world.Cluster("large").Api.Get("secrets", row.Namespace, $"{row.ResourceName}-database")!;
        var text = System.Text.Encoding.UTF8.GetString(
            Convert.FromBase64String(secret["data"]!["DB_CONNECTION_STRING"]!.GetValue<string>()));
        Assert.Contains(world.Desk.Issued[row.Spec.LogicalDatabase].Last(), text, StringComparison.Ordinal);
    }
}
