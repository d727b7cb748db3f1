using Cloud.Protos.Installation.V1;
using Cloud.Protos.Metrics.V1;
using Cloud.TestHost;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using Xunit;

namespace Cloud.System.Tests;

/// <summary>What the cloud is for, seen from outside with every part running.</summary>
public sealed class WorkspaceStories(RunningWorld world) : Story(world)
{
    [Fact]
    public async Task The_first_workspace_answers_with_its_database_checked()
    {
        var (status, page) = await World.VisitAsync("hello.localhost", Token);

        Assert.Equal(200, status);
        Assert.Contains("hello.localhost", page, StringComparison.Ordinal);
        Assert.Contains("cloud_", page, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_workspace_lives_its_whole_life_and_leaves_nothing_behind()
    {
        var made = await CreateAsync("life", "1000users", "10.1.0");
        var stable = await World.UntilAsync(made, "stable", Token);
        Assert.Equal(200, (await World.VisitAsync("life.localhost", Token)).Status);

        await World.Installations.UpdateInstallationAsync(
            new()
            {
                Installation = new() { Name = made.Name, Version = "10.2.0", Etag = stable.Etag },
                UpdateMask = new() { Paths = { "version" } },
            },
            cancellationToken: Token);
        await World.UntilAsync(made, "stable", Token);
        Assert.Contains("10.2.0", (await World.VisitAsync("life.localhost", Token)).Page, StringComparison.Ordinal);

        await World.Installations.HibernateInstallationAsync(
            new() { Name = made.Name, RequestId = "good-night" }, cancellationToken: Token);
        await World.UntilAsync(made, "hibernating", Token);
        await AssertCausedAsync("good-night", made, "installation", "cluster");
        Assert.Equal(410, (await World.VisitAsync("life.localhost", Token)).Status);

        await World.Installations.WakeUpInstallationAsync(new() { Name = made.Name }, cancellationToken: Token);
        await World.UntilAsync(made, "stable", Token);
        Assert.Equal(200, (await World.VisitAsync("life.localhost", Token)).Status);

        await World.Installations.DeleteInstallationAsync(
            new() { Name = made.Name, PendingTime = Duration.FromTimeSpan(TimeSpan.FromHours(1)) },
            cancellationToken: Token);
        await World.UntilAsync(made, "deletion-pending", Token);
        await World.Installations.CancelInstallationDeletionAsync(new() { Name = made.Name }, cancellationToken: Token);
        var back = await World.UntilAsync(made, "stable", Token);
        Assert.Null(back.PurgeTime);

        await World.Installations.DeleteInstallationAsync(
            new() { Name = made.Name, PendingTime = new(), Force = true }, cancellationToken: Token);
        await World.UntilAsync(made, "deleted", Token);
        await AssertGoneAsync(made);
        Assert.Equal(404, (await World.VisitAsync("life.localhost", Token)).Status);
    }

    [Fact]
    public async Task What_is_deleted_by_hand_in_the_cluster_comes_back()
    {
        var made = await CreateAsync("heal", "miniSingleton", "10.1.0");
        var stable = await World.UntilAsync(made, "stable", Token);
        var id = made.Name.Split('/')[1];
        var cluster = (await World.Clusters.GetClusterAsync(
            new() { Name = stable.Cluster }, cancellationToken: Token)).DisplayName;

        await World.KubernetesAsync(
            HttpMethod.Delete, cluster, $"/apis/apps/v1/namespaces/{id}/deployments/mm-{id[..4]}", Token);
        await AnswersAsync("heal.localhost");

        await World.KubernetesAsync(HttpMethod.Delete, cluster, $"/api/v1/namespaces/{id}", Token);
        await AnswersAsync("heal.localhost");
        await World.UntilAsync(made, "stable", Token);

        await World.Installations.DeleteInstallationAsync(
            new() { Name = made.Name, PendingTime = new(), Force = true }, cancellationToken: Token);
        await World.UntilAsync(made, "deleted", Token);
        await AssertGoneAsync(made);
    }

    [Fact]
    public async Task Fifty_creations_survive_the_killing_of_one_replica_and_then_of_the_other()
    {
        const int count = 50;
        var labels = Enumerable.Range(0, count).Select(i => $"kill{i}").ToList();
        var asked = labels.Select(label => CreateAsync(label, "miniSingleton", "10.1.0")).ToList();
        var replicas = World.Processes("Cloud.Installation");
        Assert.Equal(2, replicas.Count);
        await Task.WhenAll(asked.Take(count / 2));
        WorldProcesses.Kill(replicas[0]);
        var made = await Task.WhenAll(asked);
        WorldProcesses.Kill(replicas[1]);

        foreach (var installation in made)
        {
            await UntilStableThroughKillsAsync(installation);
        }

        Assert.Equal(count, made.Select(i => i.Name).Distinct().Count());
        var namespaces = await NamespacesAsync();
        foreach (var installation in made)
        {
            var id = installation.Name.Split('/')[1];
            Assert.Single(namespaces, name => name == id);
            Assert.Equal(2, (await World.TracesInPostgresAsync(id, Token)).Count);
            await AssertFeedIsWholeAsync(installation);
        }

        await Task.WhenAll(made.Select(i => World.Installations.DeleteInstallationAsync(
            new() { Name = i.Name, PendingTime = new(), Force = true }, cancellationToken: Token).ResponseAsync));
        foreach (var installation in made)
        {
            await World.UntilAsync(installation, "deleted", Token);
        }
    }

    /// <summary>A client with ordinary retries: the same request id, until somebody answers.</summary>
    private async Task<Installation> CreateAsync(string label, string size, string version)
    {
        var request = new CreateInstallationRequest
        {
            NameHint = label,
            Installation = new() { OwnerId = "story", Size = size, Version = version },
            RequestId = $"story-{label}",
        };
        while (true)
        {
            try
            {
                return await World.Installations.CreateInstallationAsync(request, cancellationToken: Token);
            }
            catch (RpcException e) when (e.StatusCode is StatusCode.Unavailable)
            {
                await Task.Delay(TimeSpan.FromMilliseconds(100), TimeProvider.System, Token);
            }
        }
    }

    private async Task UntilStableThroughKillsAsync(Installation installation)
    {
        while (true)
        {
            try
            {
                await World.UntilAsync(installation, "stable", Token);
                return;
            }
            catch (RpcException e) when (e.StatusCode is StatusCode.Unavailable or StatusCode.Internal)
            {
                // The replica that served the stream was killed; the other one takes the next call.
                await Task.Delay(TimeSpan.FromMilliseconds(100), TimeProvider.System, Token);
            }
        }
    }

    private async Task AnswersAsync(string host)
    {
        while ((await World.VisitAsync(host, Token)).Status != 200)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(100), TimeProvider.System, Token);
        }
    }

    private async Task AssertGoneAsync(Installation installation)
    {
        var id = installation.Name.Split('/')[1];
        Assert.DoesNotContain(id, await NamespacesAsync());
        Assert.Empty(await World.TracesInPostgresAsync(id, Token));
    }

    private async Task<List<string>> NamespacesAsync()
    {
        var found = new List<string>();
        foreach (var cluster in new[] { "local-a", "local-b" })
        {
            var list = await World.KubernetesAsync(HttpMethod.Get, cluster, "/api/v1/namespaces", Token);
            found.AddRange(list["items"]!.AsArray().Select(item => item!["metadata"]!["name"]!.GetValue<string>()));
        }

        return found;
    }

    /// <summary>The feed tells what a request caused in each of these services, and nothing of others.</summary>
    private async Task AssertCausedAsync(string requestId, Installation installation, params string[] services)
    {
        var request = new ListEventsRequest { Filter = new() { RequestId = requestId } };
        while (true)
        {
            var page = await World.Events.ListEventsAsync(request, cancellationToken: Token);
            Assert.All(page.Events, e => Assert.Equal(installation.Name, e.Installation));
            if (services.All(service => page.Events.Any(e => e.Source == service)))
            {
                return;
            }

            // The feed follows the rows by a moment.
            await Task.Delay(TimeSpan.FromMilliseconds(100), TimeProvider.System, Token);
        }
    }

    /// <summary>Every transition once and in order: each begins where the one before ended.</summary>
    private async Task AssertFeedIsWholeAsync(Installation installation)
    {
        var request = new ListEventsRequest { Filter = new() { Resource = installation.Name }, Ascending = true };
        List<Event> moves;
        while (true)
        {
            var page = await World.Events.ListEventsAsync(request, cancellationToken: Token);
            moves = [.. page.Events.Where(e => e.OldState != e.NewState)];
            if (moves is [.., { NewState: "stable" }])
            {
                break;
            }

            // The feed follows the rows by a moment.
            await Task.Delay(TimeSpan.FromMilliseconds(100), TimeProvider.System, Token);
        }

        Assert.Equal("", moves[0].OldState);
        Assert.All(moves.Zip(moves.Skip(1)), pair => Assert.Equal(pair.First.NewState, pair.Second.OldState));
    }
}
