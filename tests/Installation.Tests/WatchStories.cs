using Cloud.Installations.Tests.World;
using Cloud.Protos.Supervision.V1;
using Cloud.ServiceDefaults.Storage;
using Cloud.TestHost;
using Grpc.Core;
using Xunit;
using Proto = Cloud.Protos.Installation.V1;

namespace Cloud.Installations.Tests;

public sealed class WatchStories
{
    private static CancellationToken Cut => Patience.Token;

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
    public async Task What_stops_matching_any_part_of_the_filter_is_seen_leaving_once()
    {
        await using var system = await InstallationSystem.StartAsync();
        var acme = await system.StableAsync("acme");
        var row = (await system.Service<InstallationStore>().FindAsync(Installation.IdOf(acme.Name)!, Cut))!;
        var leavings = LeavingsOf(acme).ToList();
        Assert.Equal(
            Proto.InstallationFilter.Descriptor.Fields.InDeclarationOrder().Select(field => field.Name).Order(),
            leavings.Select(leaving => leaving.Field).Concat(["show_deleted", "states"]).Order());
        foreach (var (filter, _, left) in leavings)
        {
            using var stream = system.Client.WatchInstallations(new() { Filter = filter }, cancellationToken: Cut);
            Assert.Equal(acme.Name, (await NextAsync(stream)).Installation.Name);
            var token = (await NextAsync(stream)).ResumeToken;
            var leaving = await ChangeAsync(system, row, left);
            await ChangeAsync(system, row, elsewhere => elsewhere with { Image = "another" });
            var returning = await ChangeAsync(system, row, _ => row);
            Assert.Equal([leaving, returning], [await ChangeOfAsync(stream), await ChangeOfAsync(stream)]);

            // Who resumes may hold it as well.
            using var resumed = system.Client.WatchInstallations(
                new() { Filter = filter, ResumeToken = token }, cancellationToken: Cut);
            Assert.Equal([leaving, returning], [await ChangeOfAsync(resumed), await ChangeOfAsync(resumed)]);
        }
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

    /// <summary>Each part of the filter but the states, with a change after which it does not match any more.</summary>
    private static IEnumerable<(Proto.InstallationFilter Filter, string Field, Func<Installation, Installation> Left)>
        LeavingsOf(Proto.Installation of)
    {
        yield return (new() { OwnerId = of.OwnerId }, "owner_id", row => row with { OwnerId = "another" });
        yield return (new() { DnsName = "acme" }, "dns_name", row => row with { DnsNames = ["other.localhost"] });
        yield return (new() { Cluster = of.Cluster }, "cluster", row => row with { Cluster = "clusters/another" });
        yield return (new() { Version = of.Version }, "version", row => row with { ApplicationVersion = "10.2.0" });
        yield return (new() { Size = of.Size }, "size", row => row with { Size = "1000users" });
    }

    /// <summary>Changes a row at rest; answers its etag after it.</summary>
    private static async Task<string> ChangeAsync(
        InstallationSystem system, Installation row, Func<Installation, Installation> change)
    {
        var changed = await system.Service<Database>().InTransactionAsync(
            (transaction, ct) => system.Service<InstallationStore>().ChangeAsync(
                transaction, row.Id, change, "a test", ct),
            Cut);
        return InstallationMessages.EtagOf(changed!);
    }

    /// <summary>The etag in the next message that is no bookmark: a change.</summary>
    private static async Task<string> ChangeOfAsync(AsyncServerStreamingCall<Proto.WatchInstallationsResponse> stream)
    {
        Proto.WatchInstallationsResponse message;
        do
        {
            message = await NextAsync(stream);
        }
        while (message.Kind == WatchKind.Bookmark);

        Assert.Equal(WatchKind.Change, message.Kind);
        return message.Installation.Etag;
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
