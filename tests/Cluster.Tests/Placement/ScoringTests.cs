using Cloud.Clusters;
using Cloud.Placement;
using Cloud.Protos.Api.V1;
using Cloud.ServiceDefaults.Hosting;
using CsCheck;
using Xunit;

namespace Cloud.ClusterTests.Placement;

public sealed class ScoringTests
{
    private const long Gibibyte = 1024L * 1024 * 1024;
    private static readonly Room Whole = new(8000, 32 * Gibibyte, 110);
    private static readonly Room Small = new(300, Gibibyte / 2, 2);

    [Fact]
    public void The_cluster_with_the_most_room_is_chosen()
    {
        var decision = Scoring.Choose(
            [
                Of("a") with { Requested = Whole.Share(0.5) },
                Of("b") with { Requested = Whole.Share(0.2) },
                Of("c") with { Requested = Whole.Share(0.3) },
            ],
            Small, Affinity.Multitenant);

        Assert.Equal("b", decision.Chosen!.Id);
        Assert.Contains("CPU", decision.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void Room_is_relative_to_the_size_of_the_cluster()
    {
        var decision = Scoring.Choose(
            [
                Of("large") with { Allocatable = Whole * 4, Requested = Whole * 2 },
                Of("small") with { Requested = Whole.Share(0.4) },
            ],
            Small, Affinity.Multitenant);

        Assert.Equal("small", decision.Chosen!.Id);
    }

    [Fact]
    public void Each_refusal_says_why()
    {
        var decision = Scoring.Choose(
            [
                Of("1-new") with { Provisioned = false, State = ClusterState.CreationRequested },
                Of("2-closed") with { AllowInstallations = false },
                Of("3-silent") with { Reachable = false, UnreachableReason = "connection refused" },
                Of("4-full") with { Requested = Whole.Share(0.799) },
                Of("5-empty") with { Allocatable = default },
                Of("6-taken") with { Installations = 1, IsolatedInstallations = 1 },
                Of("7-going") with { State = ClusterState.DeletionRequested },
            ],
            Small, Affinity.Multitenant);

        Assert.Null(decision.Chosen);
        Assert.Equal(
            ["CLUSTER_NOT_READY", "CLUSTER_CLOSED", "CLUSTER_UNREACHABLE", "CLUSTER_OVER_THRESHOLD",
                "CLUSTER_NODES_UNUSABLE",
                "CLUSTER_ISOLATED", "CLUSTER_NOT_READY"],
            decision.Refusals.Select(r => r.Reason.Text()));
        Assert.Contains("connection refused", decision.Reason, StringComparison.Ordinal);
        Assert.Contains("2 more clusters", decision.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void Without_clusters_it_says_what_to_do() => Assert.Contains(
        "import one", Scoring.Choose([], Small, Affinity.Multitenant).Reason, StringComparison.Ordinal);

    [Fact]
    public void Being_provisioned_again_does_not_close_a_cluster() => Assert.NotNull(
        Scoring.Choose(
            [Of("a") with { State = ClusterState.ProvisionInProgress }], Small, Affinity.Multitenant).Chosen);

    [Fact]
    public void An_isolated_installation_takes_only_an_empty_cluster()
    {
        var decision = Scoring.Choose(
            [Of("a") with { Installations = 1 }, Of("b") with { Requested = Whole.Share(0.5) }],
            Small, Affinity.Isolated);

        Assert.Equal("b", decision.Chosen!.Id);
        Assert.Equal(ErrorReason.ClusterNotEmpty, Assert.Single(decision.Refusals).Reason);
    }

    [Fact]
    public void Every_dimension_has_its_threshold()
    {
        foreach (var scarce in (Room[])[new(8000, 0, 0), new(0, 32 * Gibibyte, 0), new(0, 0, 110)])
            Assert.Null(Scoring.Choose(
                [Of("a") with { Requested = scarce.Share(0.8) }], Small, Affinity.Multitenant).Chosen);
    }

    [Fact]
    public void Exactly_at_the_threshold_still_fits()
    {
        var requirement = new Room(400, Gibibyte, 1);
        Assert.NotNull(Scoring.Choose(
            [Of("a") with { Requested = new Room(6000, 0, 0) }], requirement, Affinity.Multitenant).Chosen);
        Assert.Null(Scoring.Choose(
            [Of("a") with { Requested = new Room(6001, 0, 0) }], requirement, Affinity.Multitenant).Chosen);
    }

    [Fact]
    public void Whatever_the_clusters_the_chosen_one_stays_within_its_threshold_and_none_would_be_emptier()
    {
        var rooms = Gen.Select(Gen.Long[0, 8000], Gen.Long[0, 32 * Gibibyte], Gen.Int[0, 110])
            .Select(t => new Room(t.Item1, t.Item2, t.Item3));
        var candidates = Gen.Select(rooms, Gen.Int[10, 100], Gen.Bool)
            .Select(t => Of("") with { Requested = t.Item1, ThresholdPercent = t.Item2, Reachable = t.Item3 })
            .List[0, 8];
        candidates.Sample(list =>
        {
            var all = list.Select((c, n) => c with { Id = $"{n}" }).ToList();
            var decision = Scoring.Choose(all, Small, Affinity.Multitenant);
            var fitting = all.Where(c => c.Reachable && Used(c).Max() <= c.ThresholdPercent).ToList();
            return decision.Chosen is { } chosen
                ? fitting.Contains(chosen) && fitting.All(c => Used(c).Average() >= Used(chosen).Average() - 1e-9)
                : fitting.Count == 0 && decision.Refusals.Count == all.Count;
        });
    }

    [Theory]
    [InlineData("100users", 1, 100)]
    [InlineData("1000users", 2, 300)]
    [InlineData("provisionerXL", 4, 4000)]
    [InlineData("provisionerXL-6", 6, 6000)]
    public void A_size_knows_what_it_needs(string name, int pods, long cpuMillis)
    {
        var requirement = WorkspaceSize.Find(name)!.Requirement(hibernated: false);

        Assert.Equal((pods, cpuMillis), (requirement.Pods, requirement.CpuMillis));
        Assert.Equal(default, WorkspaceSize.Find(name)!.Requirement(hibernated: true));
    }

    [Theory]
    [InlineData("")]
    [InlineData("huge")]
    [InlineData("provisionerXL-0")]
    [InlineData("provisionerXL-51")]
    [InlineData("provisionerXL--1")]
    [InlineData("provisionerXL-1.5")]
    public void An_unknown_size_is_none(string name) => Assert.Null(WorkspaceSize.Find(name));

    private static double[] Used(Candidate c)
    {
        var then = c.Requested + Small;
        return [then.CpuMillis * 100.0 / c.Allocatable.CpuMillis, then.MemoryBytes * 100.0 / c.Allocatable.MemoryBytes,
            then.Pods * 100.0 / c.Allocatable.Pods];
    }

    private static Candidate Of(string id) => new(
        id, $"cluster {id}", ClusterState.Stable, Provisioned: true, AllowInstallations: true, Reachable: true, "",
        ThresholdPercent: 80, Whole, Requested: default, Installations: 0, IsolatedInstallations: 0);
}

internal static class Rooms
{
    public static Room Share(this Room room, double share) =>
        new((long)(room.CpuMillis * share), (long)(room.MemoryBytes * share), (int)(room.Pods * share));
}
