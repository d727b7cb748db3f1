using System.Collections.Concurrent;
using Cloud.Protos.Api.V1;
using Cloud.ServiceDefaults.Hosting;
using Cloud.ServiceDefaults.Storage;
using Cloud.ServiceDefaults.Tests.Parcels;
using Cloud.TestHost;
using Grpc.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Npgsql;
using Xunit;

namespace Cloud.ServiceDefaults.Tests.Storage;

public sealed class TheOutbox
{
    private const int Writers = 8;
    private const int EventsPerWriter = 50;

    private static CancellationToken Ct => Patience.Token;

    [Fact]
    public async Task Events_of_many_writers_are_numbered_without_gaps_and_in_order_per_resource()
    {
        await using var depot = await Depot.OpenAsync(Ct);
        var sink = new Ledger();
        var processes = new[] { await StartAsync(depot, sink), await StartAsync(depot, sink) };
        await Parallel.ForEachAsync(Enumerable.Range(0, Writers), Ct, async (writer, ct) =>
        {
            var database = processes[writer % 2].Database;
            for (var n = 1; n <= EventsPerWriter; n++)
            {
                var version = n;
                await database.InTransactionAsync(
                    async (transaction, token) =>
                    {
                        // Writers of one resource wait for each other on its row, as stores do.
                        await LockRowAsync(transaction, writer / 2, token);
                        await transaction.AppendAsync(EventOf($"w{writer / 2}", writer, version), token);
                    },
                    ct);
            }
        });
        await sink.HasAsync(Writers * EventsPerWriter, Ct);

        Assert.Equal(Through(Writers * EventsPerWriter), sink.Known.Select(e => e.Sequence));
        foreach (var writer in sink.Known.GroupBy(e => e.Event.Reason))
        {
            Assert.Equal(Through(EventsPerWriter), writer.Select(e => e.Event.ResourceVersion));
        }

        Assert.Equal(0, sink.Gaps);
    }

    [Fact]
    public async Task A_rolled_back_event_was_never_there()
    {
        await using var depot = await Depot.OpenAsync(Ct);
        var sink = new Ledger();
        var process = await StartAsync(depot, sink);
        await Assert.ThrowsAsync<InvalidOperationException>(() => process.Database.InTransactionAsync(
            async (transaction, ct) =>
            {
                await transaction.AppendAsync(EventOf("gone", 0, 1), ct);
                throw new InvalidOperationException("changed its mind");
            },
            Ct));
        await process.Database.InTransactionAsync(
            (transaction, ct) => transaction.AppendAsync(EventOf("kept", 0, 1), ct), Ct);
        await sink.HasAsync(1, Ct);
        Assert.Equal(("parcels/kept", 1L), (sink.Known.Single().Event.Resource, sink.Known.Single().Sequence));
    }

    [Fact]
    public async Task A_receiver_that_is_away_gets_everything_once_when_it_is_back()
    {
        await using var depot = await Depot.OpenAsync(Ct);
        var sink = new Ledger { Away = true };
        var process = await StartAsync(depot, sink);
        var parcel = await process.Store.AddAsync(Parcel.To("A"), Ct);
        await process.UntilAsync(parcel.Id, ParcelState.Delivered, Ct);
        await sink.RefusedAsync(Ct);
        sink.Away = false;
        await AdvanceUntilAsync(depot, sink.HasAsync(3, Ct));
        Assert.Equal(["dispatch-requested", "in-transit", "delivered"], sink.Known.Select(e => e.Event.NewState));
        Assert.All(sink.Known, e => Assert.Equal("metrics", e.Source));
    }

    [Fact]
    public async Task What_fails_while_the_service_stops_is_no_crash()
    {
        await using var depot = await Depot.OpenAsync(Ct);
        var sink = new GoneAtTheEnd();
        var process = await StartAsync(depot, sink);
        await process.Store.AddAsync(Parcel.To("A"), Ct);
        await sink.AskedAsync(Ct);

        await process.StopAsync(Ct);

        var loops = process.Services.GetServices<IHostedService>().OfType<BackgroundService>().ToList();
        Assert.NotEmpty(loops);
        Assert.All(loops, loop => Assert.False(loop.ExecuteTask!.IsFaulted, loop.ExecuteTask.Exception?.ToString()));
    }

    [Fact]
    public async Task A_receiver_that_forgot_is_told_again_from_where_it_says()
    {
        await using var depot = await Depot.OpenAsync(Ct);
        var sink = new Ledger();
        var process = await StartAsync(depot, sink);
        await process.DeliverAsync("A", Ct);
        await sink.HasAsync(3, Ct);
        sink.Forget(through: 1);
        await process.DeliverAsync("B", Ct);
        await sink.HasAsync(6, Ct);
        Assert.Equal([1L, 2, 3, 4, 5, 6], sink.Known.Select(e => e.Sequence));
    }

    [Fact]
    public async Task What_a_crash_left_unnumbered_is_numbered_by_the_next_process()
    {
        await using var depot = await Depot.OpenAsync(Ct);
        await using (var command = depot.Source.CreateCommand(
            """
            INSERT INTO outbox (resource_type, resource, type, actor, resource_version, occurred_at)
            VALUES ('parcel', 'parcels/x', 'created', 'somebody', 1, now())
            """))
        {
            await command.ExecuteNonQueryAsync(Ct);
        }

        var sink = new Ledger();
        await StartAsync(depot, sink);
        await sink.HasAsync(1, Ct);
    }

    [Fact]
    public async Task Old_events_are_pruned_and_a_watch_from_before_is_told_so()
    {
        await using var depot = await Depot.OpenAsync(Ct);
        var sink = new Ledger();
        var process = await StartAsync(depot, sink);
        await process.DeliverAsync("A", Ct);
        await sink.HasAsync(3, Ct);
        var outbox = process.Services.GetRequiredService<OutboxStore>();
        var later = depot.Clock.GetUtcNow().AddSeconds(1);
        Assert.Equal(2, await outbox.PruneAsync(through: 3, keptMin: 1, later, max: 10, Ct));

        var feed = process.Services.GetRequiredService<ChangeFeed>();
        var problem = await Assert.ThrowsAsync<ProblemException>(
            async () => await feed.ReadAsync("parcel", new(1, 1), Ct).FirstAsync(Ct));
        Assert.Equal((ErrorReason.ResumeTokenTooOld, StatusCode.OutOfRange), (problem.Reason, problem.Status));
        await Assert.ThrowsAsync<ProblemException>(
            async () => await feed.ReadAsync("parcel", new(1, 4), Ct).FirstAsync(Ct));
        await Assert.ThrowsAsync<ProblemException>(
            async () => await feed.ReadAsync("parcel", new(2, 3), Ct).FirstAsync(Ct));
        Assert.Equal(new(1, 3), (await feed.ReadAsync("parcel", new(1, 2), Ct).FirstAsync(Ct)).Position);
    }

    [Fact]
    public async Task A_watch_sees_changes_in_order_as_they_come_from_every_process()
    {
        await using var depot = await Depot.OpenAsync(Ct);
        var here = await depot.StartAsync(Ct);
        var there = await depot.StartAsync(Ct);
        await here.HearsOthersAsync(Ct);
        await there.HearsOthersAsync(Ct);
        var feed = here.Services.GetRequiredService<ChangeFeed>();
        var position = await feed.PositionAsync(Ct);
        var parcels = new List<Parcel>();
        await using var watch = feed.ReadAsync("parcel", position, Ct).GetAsyncEnumerator(Ct);
        for (var n = 0; n < 4; n++)
        {
            parcels.Add(await (n % 2 == 0 ? here : there).Store.AddAsync(Parcel.To($"{n}"), Ct));
        }

        var seen = new List<StoredEvent>();
        while (seen.Count(m => m.Event.NewState == "delivered") < parcels.Count)
        {
            Assert.True(await watch.MoveNextAsync());
            seen.AddRange(watch.Current.Events);
        }

        Assert.Equal(Through(12), seen.Select(m => m.Sequence));
        Assert.All(seen, m => Assert.NotEmpty(m.Event.Snapshot!));
    }

    private static Task<ParcelProcess> StartAsync(Depot depot, IEventSink sink) =>
        depot.StartAsync(Ct, configure: services => services.AddSingleton(sink));

    /// <summary>Lets time pass, a second at a time, until something has happened.</summary>
    private static async Task AdvanceUntilAsync(Depot depot, Task happened)
    {
        while (!happened.IsCompleted)
        {
            depot.Clock.Advance(TimeSpan.FromSeconds(1));
            await Task.Yield();
        }

        await happened;
    }

    private static IEnumerable<long> Through(int last) => Enumerable.Range(1, last).Select(n => (long)n);

    private static ResourceEvent EventOf(string resource, int writer, int version) =>
        new("parcel", "parcels/" + resource, EventTypes.Updated) { Reason = $"{writer}", ResourceVersion = version };

    private static async Task LockRowAsync(DatabaseTransaction transaction, int resource, CancellationToken ct)
    {
        await using var command = new NpgsqlCommand(
            "SELECT pg_advisory_xact_lock($1)", transaction.Connection, transaction.Transaction);
        command.Parameters.Add(new NpgsqlParameter<long> { TypedValue = resource });
        await command.ExecuteNonQueryAsync(ct);
    }

    /// <summary>Answers nothing, until the service stops; then its connection breaks.</summary>
    private sealed class GoneAtTheEnd : IEventSink
    {
        private readonly TaskCompletionSource _asked = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Task AskedAsync(CancellationToken ct) => _asked.Task.WaitAsync(ct);

        public async Task<Acknowledgement> AppendAsync(
            string source, IReadOnlyList<StoredEvent> events, long prunedThrough, CancellationToken ct)
        {
            if (_asked.TrySetResult())
            {
                await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, ct)
                    .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }

            throw new NpgsqlException("the connection is broken");
        }
    }

    /// <summary>A receiver in this process: takes events in once and in order, can be away, can forget.</summary>
    private sealed class Ledger : IEventSink
    {
        private readonly ConcurrentQueue<TaskCompletionSource> _waiting = new();
        private readonly TaskCompletionSource _refused = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly List<Taken> _known = [];

        public bool Away { get; set; }

        public int Gaps { get; private set; }

        public IReadOnlyList<Taken> Known
        {
            get
            {
                lock (_known)
                {
                    return [.. _known];
                }
            }
        }

        public Task RefusedAsync(CancellationToken ct) => _refused.Task.WaitAsync(ct);

        public void Forget(int through)
        {
            lock (_known)
            {
                _known.RemoveRange(through, _known.Count - through);
            }
        }

        public async Task HasAsync(int count, CancellationToken ct)
        {
            while (Known.Count < count)
            {
                var signal = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
                _waiting.Enqueue(signal);
                if (Known.Count < count)
                {
                    await signal.Task.WaitAsync(ct);
                }
            }
        }

        public Task<Acknowledgement> AppendAsync(
            string source, IReadOnlyList<StoredEvent> events, long prunedThrough, CancellationToken ct)
        {
            if (Away)
            {
                _refused.TrySetResult();
                throw new RpcException(new Status(StatusCode.Unavailable, "away"));
            }

            lock (_known)
            {
                var known = _known.Count;
                if (events[0].Sequence > known + 1)
                {
                    Gaps++;
                    return Task.FromResult(new Acknowledgement(known, null));
                }

                _known.AddRange(
                    events.Where(e => e.Sequence > known).Select(e => new Taken(source, e.Sequence, e.Event)));
            }

            while (_waiting.TryDequeue(out var waiting))
            {
                waiting.TrySetResult();
            }

            return Task.FromResult(new Acknowledgement(Known.Count, null));
        }
    }

    private sealed record Taken(string Source, long Sequence, ResourceEvent Event);
}
