using Cloud.Installations.Tests.World;
using Cloud.Protos.Supervision.V1;
using Grpc.Core;
using Xunit;
using Proto = Cloud.Protos.Installation.V1;

namespace Cloud.Installations.Tests;

public sealed class WatchStories
{
    private static CancellationToken Cut => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_watch_shows_what_there_is_and_then_every_change_in_order()
    {
        await using var system = await InstallationSystem.StartAsync();
        var old = await system.StableAsync("old");
        using var stream = system.Client.WatchInstallations(new(), cancellationToken: Cut);
        var snapshot = await NextAsync(stream);
        Assert.Equal(WatchKind.Snapshot, snapshot.Kind);
        Assert.Equal((old.Name, "stable"), (snapshot.Installation.Name, snapshot.Installation.State));
        Assert.Equal(WatchKind.SnapshotEnd, (await NextAsync(stream)).Kind);

        var acme = await system.CreateAsync("acme");
        var seen = await ChangesUntilAsync(stream, acme.Name, "stable");
        Assert.Equal(
            [
                "", "creation-requested", "creation-pre-provisioning", "creation-in-progress",
                "creation-configuring-dns", "creation-final-tasks",
            ],
            seen.Where(m => m.PreviousState != m.Installation.State).Select(m => m.PreviousState));
        Assert.All(seen, m => Assert.NotEqual("", m.Reason));
        Assert.All(seen, m => Assert.NotEqual("", m.ResumeToken));
    }

    [Fact]
    public async Task A_broken_stream_goes_on_where_it_was_without_a_snapshot()
    {
        await using var system = await InstallationSystem.StartAsync();
        system.World.PodsSettle = false;
        string token;
        Proto.Installation acme;
        using (var stream = system.Client.WatchInstallations(new(), cancellationToken: Cut))
        {
            await NextAsync(stream);
            acme = await system.CreateAsync("acme");
            token = (await NextAsync(stream)).ResumeToken;
        }

        await system.UntilAsync(acme.Name, i => i.ClusterInstallation != "", "created in its cluster");
        await system.World.SettleAsync(acme.Name);
        await system.UntilAsync(acme.Name, "stable");
        using var resumed = system.Client.WatchInstallations(new() { ResumeToken = token }, cancellationToken: Cut);
        var seen = await ChangesUntilAsync(resumed, acme.Name, "stable");
        Assert.Equal("creation-pre-provisioning", seen[0].Installation.State);
        Assert.All(seen, m => Assert.Equal(WatchKind.Change, m.Kind));
        await Refused.With("RESUME_TOKEN_INVALID", async () =>
        {
            var request = new Proto.WatchInstallationsRequest { ResumeToken = token, Filter = new() { OwnerId = "x" } };
            using var other = system.Client.WatchInstallations(request, cancellationToken: Cut);
            return await other.ResponseStream.MoveNext(Cut);
        });
    }

    [Fact]
    public async Task What_stops_matching_is_seen_leaving()
    {
        await using var system = await InstallationSystem.StartAsync();
        var acme = await system.StableAsync("acme");
        var request = new Proto.WatchInstallationsRequest { Filter = new() { States = { "stable" } } };
        using var stream = system.Client.WatchInstallations(request, cancellationToken: Cut);
        Assert.Equal(WatchKind.Snapshot, (await NextAsync(stream)).Kind);
        Assert.Equal(WatchKind.SnapshotEnd, (await NextAsync(stream)).Kind);

        await system.Client.HibernateInstallationAsync(new() { Name = acme.Name }, cancellationToken: Cut);
        var left = await NextAsync(stream);
        Assert.Equal(("stable", "hibernation-requested"), (left.PreviousState, left.Installation.State));
        await system.UntilAsync(acme.Name, "hibernating");
        await system.Client.WakeUpInstallationAsync(new() { Name = acme.Name }, cancellationToken: Cut);
        Assert.Equal("stable", (await NextAsync(stream)).Installation.State);
    }

    [Fact]
    public async Task A_token_older_than_what_is_kept_says_so()
    {
        await using var system = await InstallationSystem.StartAsync();
        string token;
        using (var stream = system.Client.WatchInstallations(new(), cancellationToken: Cut))
        {
            token = (await NextAsync(stream)).ResumeToken;
        }

        await system.StableAsync("acme");
        await system.QueryAsync("UPDATE outbox_progress SET pruned_through = last_sequence");
        await Refused.With("RESUME_TOKEN_TOO_OLD", async () =>
        {
            using var stream = system.Client.WatchInstallations(new() { ResumeToken = token }, cancellationToken: Cut);
            return await stream.ResponseStream.MoveNext(Cut);
        });
    }

    private static async Task<Proto.WatchInstallationsResponse> NextAsync(
        AsyncServerStreamingCall<Proto.WatchInstallationsResponse> stream)
    {
        Assert.True(await stream.ResponseStream.MoveNext(Cut));
        return stream.ResponseStream.Current;
    }

    private static async Task<List<Proto.WatchInstallationsResponse>> ChangesUntilAsync(
        AsyncServerStreamingCall<Proto.WatchInstallationsResponse> stream, string name, string state)
    {
        var seen = new List<Proto.WatchInstallationsResponse>();
        do
        {
            var next = await NextAsync(stream);
            if (next.Installation?.Name == name)
            {
                seen.Add(next);
            }
        }
        while (seen.Count == 0 || seen[^1].Installation.State != state);

        return seen;
    }
}
