using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using Xunit;
using Proto = Cloud.Protos.Metrics.V1;

namespace Cloud.Metrics.Tests.Events;

public sealed class ListTests(FeedWorld world) : IClassFixture<FeedWorld>, IAsyncLifetime
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => await world.AppendAsync(
        "installation",
        Ct,
        FeedWorld.Event(1, "installations/a", "", "creation-requested"),
        Second(),
        FeedWorld.Event(3, "installations/a", "creation-requested", "stable"),
        FeedWorld.Event(4, "clusters/c", "", "stable"),
        FeedWorld.Event(5, "installations/b", "creation-requested", "creation-failed"));

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private const string Trace = "4bf92f3577b34da6a3ce929d0e0e4736";

    private static Timestamp At(int second) => new() { Seconds = second };

    private static Proto.Event Second()
    {
        var e = FeedWorld.Event(2, "installations/b", "", "creation-requested");
        (e.RequestId, e.TraceId) = ("request-2", Trace);
        return e;
    }

    [Fact]
    public async Task Events_come_newest_first_unless_asked_otherwise()
    {
        Assert.Equal([5, 4, 3, 2, 1], await SequencesAsync(new()));
        Assert.Equal([1, 2, 3, 4, 5], await SequencesAsync(new() { Ascending = true }));
    }

    [Fact]
    public async Task Filters_restrict_and_combine()
    {
        Assert.Equal([3, 1], await SequencesAsync(new() { Filter = new() { Resource = "installations/a" } }));
        Assert.Equal([5, 2], await SequencesAsync(new() { Filter = new() { Installation = "installations/b" } }));
        Assert.Equal([4], await SequencesAsync(new() { Filter = new() { ResourceTypes = { "cluster" } } }));
        Assert.Equal(
            [5],
            await SequencesAsync(new()
            {
                Filter = new() { Installation = "installations/b", Types_ = { "state-changed", "deleted" } },
            }));
        Assert.Empty(await SequencesAsync(new() { Filter = new() { Source = "cluster" } }));
        Assert.Equal([4], await SequencesAsync(new() { Filter = new() { ResourcePrefix = "clusters/" } }));
        Assert.Empty(await SequencesAsync(new() { Filter = new() { ResourcePrefix = "cluster_/" } }));
        Assert.Equal([4, 3], await SequencesAsync(new() { Filter = new() { States = { "stable", "deleted" } } }));
        Assert.Equal([5, 4, 3, 2, 1], await SequencesAsync(new() { Filter = new() { Actor = "supervisor" } }));
        Assert.Equal([2], await SequencesAsync(new() { Filter = new() { RequestId = "request-2" } }));
        Assert.Equal([2], await SequencesAsync(new() { Filter = new() { TraceId = Trace } }));
        Assert.Equal(
            [3, 2],
            await SequencesAsync(new() { Filter = new() { StartTime = At(2), EndTime = At(4) } }));
    }

    [Fact]
    public async Task Pages_go_on_where_the_last_one_ended()
    {
        var seen = new List<long>();
        var request = new Proto.ListEventsRequest { PageSize = 2 };
        do
        {
            var page = await world.Events.ListEventsAsync(request, cancellationToken: Ct);
            Assert.InRange(page.Events.Count, 1, 2);
            seen.AddRange(page.Events.Select(e => e.Sequence));
            request.PageToken = page.NextPageToken;
        }
        while (request.PageToken.Length > 0);

        Assert.Equal([5, 4, 3, 2, 1], seen);
    }

    [Fact]
    public async Task A_page_token_is_refused_with_another_filter_or_order()
    {
        var page = await world.Events.ListEventsAsync(new() { PageSize = 2 }, cancellationToken: Ct);

        var order = await Refusal.OfAsync(world.Events.ListEventsAsync(
            new() { PageToken = page.NextPageToken, Ascending = true }, cancellationToken: Ct));
        var filter = await Refusal.OfAsync(world.Events.ListEventsAsync(
            new() { PageToken = page.NextPageToken, Filter = new() { Source = "x" } }, cancellationToken: Ct));

        Assert.Equal("PAGE_TOKEN_INVALID", order.Reason);
        Assert.Equal("PAGE_TOKEN_INVALID", filter.Reason);
    }

    [Fact]
    public async Task Everything_wrong_with_a_request_is_said_at_once()
    {
        var refusal = await Refusal.OfAsync(world.Events.ListEventsAsync(
            new()
            {
                Filter = new() { Types_ = { "nonsense" }, Resource = "a", Installation = "b" },
                PageSize = -1,
                PageToken = "nonsense",
            },
            cancellationToken: Ct));

        Assert.Equal(StatusCode.InvalidArgument, refusal.Code);
        Assert.Equal(
            ["filter.types", "filter.resource", "filter.installation", "page_size", "page_token"], refusal.Fields);
    }

    [Fact]
    public async Task An_event_is_told_whole()
    {
        var e = (await world.Events.ListEventsAsync(new() { PageSize = 1 }, cancellationToken: Ct)).Events[0];

        Assert.Equal(
            ("events/5", 5, "installation", 5, "installation", "installations/b", "installations/b"),
            (e.Name, e.Sequence, e.Source, e.SourceSequence, e.ResourceType, e.Resource, e.Installation));
        Assert.Equal(
            ("state-changed", "creation-requested", "creation-failed", "because", "supervisor", 5),
            (e.Type, e.OldState, e.NewState, e.Reason, e.Actor, e.ResourceVersion));
        Assert.Equal(DateTimeOffset.UnixEpoch.AddSeconds(5), e.OccurTime.ToDateTimeOffset());
    }

    private async Task<IReadOnlyList<long>> SequencesAsync(Proto.ListEventsRequest request) =>
        [.. (await world.Events.ListEventsAsync(request, cancellationToken: Ct)).Events.Select(e => e.Sequence)];
}
