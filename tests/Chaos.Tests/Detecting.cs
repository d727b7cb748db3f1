using System.Text.Json.Nodes;
using Cloud.Chaos.Customers;
using Cloud.Chaos.Invariants;
using Cloud.Chaos.World;
using Cloud.Protos.Installation.V1;
using Xunit;

namespace Cloud.Chaos.Tests;

/// <summary>A run that finds nothing proves something only if there is nothing that it would not find.</summary>
public sealed class Detecting
{
    private const string Id = "abcdefghijklmnopqrstuvwxyz";
    private const string Name = "installations/" + Id;

    private static readonly Dictionary<string, string> ClusterNames = new() { ["clusters/a"] = "local-a" };

    [Fact]
    public void An_event_that_is_missing_doubled_or_changed_on_the_way()
    {
        EventRow[] outbox = [Event(1, "created", "", "new"), Event(2, "state-changed", "new", "stable")];

        Assert.Empty(Delivered(outbox, outbox));
        Assert.NotEmpty(Delivered(outbox, outbox[..1]));
        Assert.NotEmpty(Delivered(outbox, [.. outbox, outbox[1] with { Position = 3 }]));
        Assert.NotEmpty(Delivered(outbox, [outbox[0], outbox[1] with { Reason = "another" }]));
        Assert.NotEmpty(Delivered(outbox, [outbox[0], outbox[1] with { Position = 3 }]));
    }

    [Fact]
    public void A_history_that_does_not_lead_to_the_row()
    {
        EventRow[] feed = [Event(1, "created", "", "new"), Event(2, "state-changed", "new", "stable")];
        var row = new Row("installation", Name, Id, "stable", 2, false, null, null, null);

        Assert.Empty(Feed.Chains(feed, [row]));
        Assert.NotEmpty(Feed.Chains(feed, [row with { State = "hibernating" }]));
        Assert.NotEmpty(Feed.Chains(feed[1..], [row]));
        Assert.NotEmpty(Feed.Chains([feed[0], feed[1] with { OldState = "other" }], [row]));
    }

    [Fact]
    public void A_request_that_took_effect_twice_or_not_at_all_or_though_refused()
    {
        var ask = Hibernation(Verdict.Acknowledged);
        var effect = Event(2, "state-changed", "stable", "hibernation-requested") with { RequestId = ask.RequestId };

        Assert.Empty(Wishes.Once([ask], [effect]));
        Assert.NotEmpty(Wishes.Once([ask], []));
        Assert.NotEmpty(Wishes.Once([ask], [effect, effect with { SourceSequence = 3 }]));
        Assert.NotEmpty(Wishes.Once([ask], [effect with { ResourceVersion = 5 }]));
        Assert.NotEmpty(Wishes.Once([Hibernation(Verdict.Refused)], [effect]));
        Assert.NotEmpty(Wishes.Once([Hibernation(Verdict.Unknown)], [effect]));
        Assert.NotEmpty(Wishes.Once([Hibernation(Verdict.Broken)], []));
    }

    [Fact]
    public void Two_copies_of_a_request_that_were_answered_in_two_ways()
    {
        var stable = new Installation { Name = Name, State = "stable" };
        var ask = Hibernation(Verdict.Refused);

        ask.Join(Verdict.Refused, null, null);
        Assert.Equal(Verdict.Refused, ask.Verdict);
        ask.Join(Verdict.Acknowledged, stable, null);
        Assert.Equal((Verdict.Acknowledged, stable), (ask.Verdict, ask.Answer));
        ask.Join(Verdict.Refused, null, null);
        ask.Join(Verdict.Unknown, null, null);
        ask.Join(Verdict.Acknowledged, stable.Clone(), null);
        Assert.Equal((Verdict.Acknowledged, stable), (ask.Verdict, ask.Answer));
        ask.Join(Verdict.Acknowledged, new Installation { Name = Name, State = "hibernating" }, null);
        Assert.Equal(Verdict.Broken, ask.Verdict);

        var unsure = Hibernation(Verdict.Refused);
        unsure.Join(Verdict.Unknown, null, null);
        Assert.Equal(Verdict.Unknown, unsure.Verdict);
    }

    [Fact]
    public void An_installation_that_is_not_what_was_asked_last_or_is_not_there()
    {
        var ask = Hibernation(Verdict.Acknowledged);

        Assert.Empty(Wishes.Kept([ask], [Installation("hibernating")]));
        Assert.NotEmpty(Wishes.Kept([ask], [Installation("stable")]));
        Assert.NotEmpty(Wishes.Kept([ask], []));
    }

    [Fact]
    public void An_object_that_outlives_its_installation_or_lies_in_another_cluster_or_is_missing()
    {
        ClusterObject[] whole =
        [
            Object("namespaces", "", Id), Object("deployments.apps", Id, "mm-abcd"),
            Object("ingresses.networking.k8s.io", Id, "mm-abcd"),
            Object("mattermosts.installation.mattermost.com", Id, "mm-abcd"),
        ];

        Assert.Empty(Outside.Clusters([Installation("stable")], ClusterNames, whole));
        Assert.NotEmpty(Outside.Clusters([Installation("deleted")], ClusterNames, whole[..1]));
        Assert.NotEmpty(Outside.Clusters([Installation("stable")], ClusterNames, whole[1..3]));
        Assert.NotEmpty(Outside.Clusters(
            [Installation("stable")], ClusterNames, [.. whole, whole[0] with { Cluster = "local-b" }]));
        Assert.NotEmpty(Outside.Clusters([], ClusterNames, whole[..1]));
    }

    [Fact]
    public void A_database_or_role_that_is_left_or_missing()
    {
        Assert.Empty(Outside.Databases([Installation("stable")], [$"database cloud_{Id}", $"role user_{Id}"]));
        Assert.NotEmpty(Outside.Databases([Installation("stable")], [$"database cloud_{Id}"]));
        Assert.NotEmpty(Outside.Databases([Installation("deleted")], [$"role user_{Id}"]));
    }

    [Fact]
    public void A_row_that_serves_nobody_and_a_failure_that_is_a_mistake()
    {
        var row = new Row("cluster", "clusterInstallations/x", Id, "stable", 2, false, null, "UNEXPECTED", "?");

        Assert.NotEmpty(Outside.Rows([Installation("deleted")], [row], []));
        Assert.NotEmpty(Outside.Rows([Installation("deleted")], [], [Id]));
        Assert.NotEmpty(Feed.Mistakes([], [row]));
    }

    private static IEnumerable<Breach> Delivered(EventRow[] outbox, IReadOnlyList<EventRow> feed) => Feed.Delivered(
        feed, new Dictionary<string, IReadOnlyList<EventRow>> { ["installation"] = outbox });

    private static EventRow Event(long number, string type, string before, string after) =>
        new(number, "installation", number, Name, type, before, after, "why", "", "", "", number);

    private static Installation Installation(string state) =>
        new() { Name = Name, State = state, Cluster = "clusters/a", Etag = "2" };

    private static ClusterObject Object(string resource, string ns, string name) =>
        new("local-a", resource, ns, name, new JsonObject());

    private static Ask Hibernation(Verdict verdict) => new(
        Verbs.Hibernate, Name, "request", new HibernateInstallationRequest(), _ => throw new NotSupportedException())
    {
        Verdict = verdict,
        Answer = verdict is Verdict.Acknowledged ? Installation("hibernation-requested") : null,
    };
}
