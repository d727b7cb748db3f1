using Grpc.Core;
using Xunit;
using Proto = Cloud.Protos.Metrics.V1;

namespace Cloud.Metrics.Tests.Events;

public sealed class IngestionTests(FeedWorld world) : IClassFixture<FeedWorld>
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task What_is_known_already_is_skipped()
    {
        Assert.Equal(2, await world.AppendAsync("doubling", Ct, FeedWorld.Event(1), FeedWorld.Event(2)));
        Assert.Equal(2, await world.AppendAsync("doubling", Ct, FeedWorld.Event(1), FeedWorld.Event(2)));
        Assert.Equal(3, await world.AppendAsync("doubling", Ct, FeedWorld.Event(2), FeedWorld.Event(3)));

        Assert.Equal([1, 2, 3], await SourceSequencesAsync("doubling"));
    }

    [Fact]
    public async Task A_gap_is_refused_with_the_number_to_send_from_and_nothing_is_taken_in()
    {
        await world.AppendAsync("gapped", Ct, FeedWorld.Event(1));

        var refusal = await Refusal.OfAsync(world.AppendAsync("gapped", Ct, FeedWorld.Event(3)));

        Assert.Equal((StatusCode.FailedPrecondition, "SEQUENCE_GAP"), (refusal.Code, refusal.Reason));
        Assert.Equal("2", refusal.Metadata["expected"]);
        Assert.Equal([1], await SourceSequencesAsync("gapped"));
    }

    [Fact]
    public async Task What_a_source_no_longer_has_is_taken_as_lost()
    {
        var acknowledged = await world.Ingestion.AppendEventsAsync(
            new Proto.AppendEventsRequest
            {
                Source = "pruned", Events = { FeedWorld.Event(41), FeedWorld.Event(42) }, PrunedThrough = 40,
            },
            cancellationToken: Ct);

        Assert.Equal(42, acknowledged.AcknowledgedSequence);
    }

    [Fact]
    public async Task Everything_wrong_with_a_request_is_said_at_once()
    {
        var refusal = await Refusal.OfAsync(world.Ingestion.AppendEventsAsync(
            new() { Events = { new Proto.Event(), FeedWorld.Event(7) } }, cancellationToken: Ct));

        Assert.Equal(StatusCode.InvalidArgument, refusal.Code);
        Assert.Equal(
            [
                "source", "events[0].source_sequence", "events[0].resource_type", "events[0].resource",
                "events[0].type", "events[0].occur_time", "events[1].source_sequence",
            ],
            refusal.Fields);
    }

    [Fact]
    public async Task Too_many_at_once_are_refused()
    {
        var refusal = await Refusal.OfAsync(
            world.AppendAsync("many", Ct, Enumerable.Range(1, 501).Select(n => FeedWorld.Event(n))));

        Assert.Equal(["events"], refusal.Fields);
    }

    [Fact]
    public async Task Sources_that_hand_in_at_once_through_two_replicas_make_one_order_without_gaps()
    {
        const int sources = 4, batches = 10, size = 20;
        await using var second = world.Start();
        Proto.EventIngestionService.EventIngestionServiceClient[] replicas = [world.Ingestion, new(second.Channel)];
        var before = (await world.Fleet.GetFleetStatusAsync(new(), cancellationToken: Ct)).Sequence;

        await Task.WhenAll(Enumerable.Range(0, sources).Select(async source =>
        {
            for (var batch = 0; batch < batches; batch++)
            {
                var events = Enumerable.Range((batch * size) + 1, size).Select(n => FeedWorld.Event(n));
                await replicas[(source + batch) % 2].AppendEventsAsync(
                    new() { Source = $"busy-{source}", Events = { events } }, cancellationToken: Ct);
            }
        }));

        var all = await AllAsync(before);
        Assert.Equal(Enumerable.Range(1, all.Count).Select(n => before + n), all.Select(e => e.Sequence));
        foreach (var source in Enumerable.Range(0, sources))
        {
            Assert.Equal(
                Enumerable.Range(1, batches * size).Select(n => (long)n),
                all.Where(e => e.Source == $"busy-{source}").Select(e => e.SourceSequence));
        }
    }

    private async Task<IReadOnlyList<long>> SourceSequencesAsync(string source)
    {
        var page = await world.Events.ListEventsAsync(
            new() { Filter = new() { Source = source }, Ascending = true }, cancellationToken: Ct);
        return [.. page.Events.Select(e => e.SourceSequence)];
    }

    private async Task<IReadOnlyList<Proto.Event>> AllAsync(long after)
    {
        var all = new List<Proto.Event>();
        var request = new Proto.ListEventsRequest { Ascending = true, PageSize = 300 };
        do
        {
            var page = await world.Events.ListEventsAsync(request, cancellationToken: Ct);
            all.AddRange(page.Events.Where(e => e.Sequence > after));
            request.PageToken = page.NextPageToken;
        }
        while (request.PageToken.Length > 0);

        return all;
    }
}
