using Cloud.Fleet;
using Xunit;

namespace Cloud.Metrics.Tests.Fleet;

/// <summary>
/// Runs alone: OpenTelemetry listens to a whole process, and another class's service counts its own fleet.
/// </summary>
[CollectionDefinition("alone", DisableParallelization = true)]
public sealed class Alone;

[Collection("alone")]
public sealed class FleetTests(FeedWorld world) : IClassFixture<FeedWorld>
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_fleet_is_counted_by_where_its_resources_stand_and_what_is_deleted_is_gone()
    {
        await world.AppendAsync(
            "installation",
            Ct,
            FeedWorld.Event(1, "installations/a", "", "creation-requested"),
            FeedWorld.Event(2, "installations/a", "creation-requested", "stable"),
            FeedWorld.Event(3, "installations/b", "", "creation-requested"),
            FeedWorld.Event(4, "installations/c", "", "hibernating"),
            FeedWorld.Event(5, "installations/d", "", "deletion-pending"),
            FeedWorld.Event(6, "installations/e", "", "creation-failed"),
            FeedWorld.Event(7, "installations/f", "", "deletion-final-cleanup"),
            FeedWorld.Event(8, "installations/f", "deletion-final-cleanup", "deleted"),
            FeedWorld.Event(9, "clusters/g", "", "stable"));

        var status = await world.Fleet.GetFleetStatusAsync(new(), cancellationToken: Ct);

        Assert.Equal(
            (5, 1, 1, 1, 1, 1),
            (status.Installations, status.InstallationsStable, status.InstallationsHibernating,
                status.InstallationsDeletionPending, status.InstallationsFailed, status.InstallationsUpdating));
        Assert.Equal(["cluster", "installation"], status.Resources.Select(r => r.ResourceType));
        Assert.Equal(1, status.Resources[0].ByState["stable"]);
        Assert.Equal(9, status.Sequence);
        var source = Assert.Single(status.Sources);
        Assert.Equal(("installation", 9), (source.Source, source.SourceSequence));

        await The_same_numbers_stand_on_the_metrics_page();
    }

    [Fact]
    public void Every_state_is_sorted_into_one_number()
    {
        string[] states =
        [
            "stable", "hibernating", "deletion-pending-requested", "deletion-pending-in-progress", "deletion-pending",
            "update-failed", "update-in-progress", "wake-up-requested",
        ];

        var status = FleetService.ToProto(
            new FleetCounts([.. states.Select(s => new StateCount("installation", s, 1))], [], 0));

        Assert.Equal(
            (8, 1, 1, 3, 1, 2),
            (status.Installations, status.InstallationsStable, status.InstallationsHibernating,
                status.InstallationsDeletionPending, status.InstallationsFailed, status.InstallationsUpdating));
    }

    private async Task The_same_numbers_stand_on_the_metrics_page()
    {
        const string stable =
            """
            cloud_fleet_resources{otel_scope_name="Cloud.Fleet",resource_type="installation",state="stable"} 1

            """;
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(Ct);
        patience.CancelAfter(FeedWorld.Patience);
        var client = world.Service.Http;
        string page;
        do
        {
            // Counting follows the feed; asking again is what a scraper does.
            page = await client.GetStringAsync(new Uri("/metrics", UriKind.Relative), patience.Token);
        }
        while (!page.Contains(stable, StringComparison.Ordinal));

        Assert.Contains("cloud_feed_sequence", page, StringComparison.Ordinal);
    }
}
