using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using Npgsql;
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
        var lost = (await EventsOfAsync("pruned"))[0];
        Assert.Equal(("events-lost", "sources/pruned", 40), (lost.Type, lost.Resource, lost.SourceSequence));
        Assert.Equal("it no longer has its events 1 to 40", lost.Reason);
    }

    [Fact]
    public async Task A_source_restored_from_an_older_backup_begins_a_generation_that_everybody_sees()
    {
        const string kept = "installations/kept", gone = "installations/gone";
        await world.AppendAsync(
            "restored", Ct,
            FeedWorld.Event(1, kept, "", "creation-requested"),
            FeedWorld.Event(2, kept, "creation-requested", "stable"),
            FeedWorld.Event(3, kept, "stable", "hibernating"), FeedWorld.Event(4, gone));

        // The backup ended after 2; what it does then has the numbers of what is lost.
        var other = FeedWorld.Event(3, "installations/other");
        var reply = await world.Ingestion.AppendEventsAsync(
            new() { Source = "restored", Events = { FeedWorld.Event(2, kept, "creation-requested", "stable"), other } },
            cancellationToken: Ct);

        Assert.Equal((3, 2), (reply.AcknowledgedSequence, reply.SourceGeneration));
        var events = await EventsOfAsync("restored");
        Assert.Equal(
            [(1, 1), (1, 2), (1, 3), (1, 4), (2, 2), (2, 3)],
            events.Select(e => ((int)e.SourceGeneration, (int)e.SourceSequence)));
        Assert.Equal(("source-restored", "sources/restored"), (events[4].Type, events[4].Resource));
        Assert.Contains("its events 3 to 4", events[4].Reason, StringComparison.Ordinal);
        Assert.Equal(
            [("installations/kept", "stable"), ("installations/other", "stable")], await FleetOfAsync("restored"));

        // Sending again what is now known is a repetition, whichever generation it is of.
        Assert.Equal(3, await world.AppendAsync(
            "restored", Ct, FeedWorld.Event(2, kept, "creation-requested", "stable"), other));
        Assert.Equal(6, (await EventsOfAsync("restored")).Count);
        var status = await world.Fleet.GetFleetStatusAsync(new(), cancellationToken: Ct);
        Assert.Equal(2, status.Sources.Single(s => s.Source == "restored").Generation);
    }

    [Fact]
    public async Task What_is_no_moment_is_refused()
    {
        var e = FeedWorld.Event(1);
        e.OccurTime = new Timestamp { Seconds = 1, Nanos = 1_000_000_000 };
        var refusal = await Refusal.OfAsync(world.AppendAsync("timeless", Ct, e));
        Assert.Equal((StatusCode.InvalidArgument, "TIME_INVALID"), (refusal.Code, refusal.Reason));
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
    public async Task A_source_that_is_no_service_is_refused_with_the_names_of_those_that_are()
    {
        await using var strict = world.Start([new("Events:Sources:0", "another")]);
        var ingestion = new Proto.EventIngestionService.EventIngestionServiceClient(strict.Channel);

        var refusal = await Refusal.OfAsync(ingestion.AppendEventsAsync(
            new() { Source = "stranger", Events = { FeedWorld.Event(1) } }, cancellationToken: Ct));

        Assert.Equal((StatusCode.InvalidArgument, "SOURCE_UNKNOWN"), (refusal.Code, refusal.Reason));
        Assert.Equal(["source"], refusal.Fields);
        Assert.Contains(
            "cluster, database-pool, installation, metrics, another", refusal.Message, StringComparison.Ordinal);
        Assert.Empty(await EventsOfAsync("stranger"));
        Assert.Equal(1, (await ingestion.AppendEventsAsync(
            new() { Source = "another", Events = { FeedWorld.Event(1) } }, cancellationToken: Ct))
            .AcknowledgedSequence);
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

    private async Task<IReadOnlyList<Proto.Event>> EventsOfAsync(string source) =>
        (await world.Events.ListEventsAsync(
            new() { Filter = new() { Source = source }, Ascending = true }, cancellationToken: Ct)).Events;

    private async Task<IReadOnlyList<long>> SourceSequencesAsync(string source) =>
        [.. (await EventsOfAsync(source)).Select(e => e.SourceSequence)];

    private async Task<IReadOnlyList<(string Resource, string State)>> FleetOfAsync(string source)
    {
        await using var command = world.Own.Source.CreateCommand(
            "SELECT resource, state FROM fleet WHERE source = $1 ORDER BY resource");
        command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = source });
        await using var rows = await command.ExecuteReaderAsync(Ct);
        var fleet = new List<(string, string)>();
        while (await rows.ReadAsync(Ct))
        {
            fleet.Add((rows.GetString(0), rows.GetString(1)));
        }

        return fleet;
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
