using System.Diagnostics.Metrics;
using System.Threading.Channels;
using Cloud.Protos.Api.V1;
using Cloud.Protos.Metrics.V1;
using Cloud.Protos.Supervision.V1;
using Cloud.ServiceDefaults.Hosting;
using Cloud.ServiceDefaults.Storage;
using Cloud.ServiceDefaults.Tests.Parcels;
using Cloud.TestHost;
using Google.Protobuf.WellKnownTypes;
using Google.Rpc;
using Grpc.Core;
using Grpc.Net.Client;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Xunit;

namespace Cloud.ServiceDefaults.Tests.Storage;

/// <summary>The streams behind every Watch, watched through parcels.</summary>
public sealed class Watches
{
    private static CancellationToken Ct => Patience.Token;

    [Fact]
    public async Task A_watch_shows_what_there_is_and_then_every_change_once()
    {
        await using var depot = await Depot.OpenAsync(Ct);
        var process = await depot.StartAsync(Ct);
        await process.DeliverAsync("A", Ct);
        await using var client = new Client(process);

        Assert.Equal((WatchKind.Snapshot, "A"), Told(await client.NextAsync()));
        Assert.Equal((WatchKind.SnapshotEnd, null), Told(await client.NextAsync()));
        await process.DeliverAsync("B", Ct);
        var changes = new[] { await client.NextAsync(), await client.NextAsync(), await client.NextAsync() };
        Assert.All(changes, c => Assert.Equal((WatchKind.Change, "B"), Told(c)));
        Assert.Equal(["", "dispatch-requested", "in-transit"], changes.Select(c => c.PreviousState));
    }

    [Fact]
    public async Task What_the_snapshot_showed_is_not_followed_by_what_was_before_however_slow_its_client_is()
    {
        await using var depot = await Depot.OpenAsync(Ct);
        var process = await depot.StartAsync(Ct);
        await process.DeliverAsync("A", Ct);
        await using var client = new Client(
            process,
            // Its three events become more than two reads of the feed, between its position and the snapshot.
            beforeSnapshot: () => RepeatEventsAsync(depot, process),
            taking: message =>
            {
                if (message.Kind == WatchKind.Bookmark)
                {
                    depot.Clock.Advance(TimeSpan.FromMinutes(2));
                }
            });
        Assert.Equal((WatchKind.Snapshot, "A"), Told(await client.NextAsync()));
        Assert.Equal(WatchKind.SnapshotEnd, (await client.NextAsync()).Kind);
        Assert.Equal(WatchKind.Bookmark, (await client.NextAsync()).Kind);

        await process.DeliverAsync("B", Ct);
        WatchMessage<StringValue> next;
        do
        {
            next = await client.NextAsync();
        }
        while (next.Kind == WatchKind.Bookmark);

        Assert.Equal((WatchKind.Change, "B"), Told(next));
    }

    [Fact]
    public async Task A_token_goes_on_after_its_message_and_only_with_its_filter()
    {
        await using var depot = await Depot.OpenAsync(Ct);
        var process = await depot.StartAsync(Ct);
        string token;
        await using (var first = new Client(process))
        {
            await first.NextAsync();
            await process.DeliverAsync("A", Ct);
            token = (await first.NextAsync()).ResumeToken;
        }

        await using var resumed = new Client(process, token);
        Assert.Equal("dispatch-requested", (await resumed.NextAsync()).PreviousState);
        await using var other = new Client(process, token, address: "A");
        Assert.Equal(ErrorReason.ResumeTokenInvalid, (await other.EndAsync()).Reason);
        await using var garbled = new Client(process, "garbled");
        Assert.Equal(ErrorReason.ResumeTokenInvalid, (await garbled.EndAsync()).Reason);
    }

    [Fact]
    public async Task A_watch_of_which_nothing_matches_gets_tokens_that_never_grow_old()
    {
        await using var depot = await Depot.OpenAsync(Ct);
        var process = await depot.StartAsync(Ct);
        await using var client = new Client(process, address: "nobody");
        var first = await client.NextAsync();
        Assert.Equal(WatchKind.SnapshotEnd, first.Kind);

        await process.DeliverAsync("A", Ct);
        var next = client.NextAsync();
        while (!next.IsCompleted)
        {
            // Never quiet for as long as a bookmark takes: what passes by must not put it off.
            await process.DeliverAsync(ResourceId.New(), Ct);
            depot.Clock.Advance(ChangeFeed.LookEvery / 3);
        }

        Assert.Equal(WatchKind.Bookmark, (await next).Kind);
        Assert.NotEqual(first.ResumeToken, (await next).ResumeToken);
    }

    [Fact]
    public async Task A_stopping_process_ends_its_watches_so_that_they_resume_elsewhere()
    {
        await using var depot = await Depot.OpenAsync(Ct);
        var process = await depot.StartAsync(Ct);
        await using var client = new Client(process);
        await client.NextAsync();
        await process.StopAsync(Ct);
        var problem = await client.EndAsync();
        Assert.Equal((ErrorReason.Stopping, StatusCode.Unavailable), (problem.Reason, problem.Status));
    }

    [Fact]
    public async Task A_stop_in_the_middle_of_a_message_is_said_to_its_client()
    {
        await using var depot = await Depot.OpenAsync(Ct);
        var writing = new Writing();
        var process = await depot.StartAsync(
            Ct,
            configure: services => services.AddSingleton(writing),
            map: app => app.MapGrpcService<LargeMessages>());
        using var channel = GrpcChannel.ForAddress(
            "http://localhost", new GrpcChannelOptions { HttpHandler = process.Handler });
        using var call = new EventService.EventServiceClient(channel).WatchEvents(new(), cancellationToken: Ct);
        await writing.Begun.Task.WaitAsync(Ct);
        var stopped = process.StopAsync(Ct);

        var end = await Assert.ThrowsAsync<RpcException>(async () =>
        {
            while (await call.ResponseStream.MoveNext(Ct))
            {
                // The message that was on its way, and what may follow it.
            }
        });
        Assert.Equal("STOPPING", end.GetRpcStatus()?.GetDetail<ErrorInfo>()?.Reason);
        Assert.Equal(StatusCode.Unavailable, end.StatusCode);
        await stopped;
    }

    [Fact]
    public async Task A_client_that_does_not_take_its_messages_is_let_go()
    {
        await using var depot = await Depot.OpenAsync(Ct);
        var process = await depot.StartAsync(Ct);
        await using var client = new Client(process, isStuck: true);
        var end = client.EndAsync();
        while (!end.IsCompleted)
        {
            depot.Clock.Advance(TimeSpan.FromSeconds(1));
            await Task.Yield();
        }

        var problem = await end;
        Assert.Equal((ErrorReason.WatcherTooSlow, StatusCode.ResourceExhausted), (problem.Reason, problem.Status));
    }

    [Fact]
    public async Task One_stream_too_many_is_refused_until_another_ends()
    {
        await using var depot = await Depot.OpenAsync(Ct);
        var process = await depot.StartAsync(
            Ct, configure: services => services.AddSingleton(new WatchOptions { StreamsMax = 2 }));
        using var gauge = new Gauge(process, "cloud.watch.clients");
        await using var one = new Client(process);
        var two = new Client(process);
        await one.NextAsync();
        await two.NextAsync();
        Assert.Equal(2, gauge.Value);

        await using var three = new Client(process);
        var problem = await three.EndAsync();
        Assert.Equal((ErrorReason.WatchesTooMany, StatusCode.ResourceExhausted), (problem.Reason, problem.Status));
        await two.DisposeAsync();
        await using var four = new Client(process);
        Assert.Equal(WatchKind.SnapshotEnd, (await four.NextAsync()).Kind);
        Assert.Equal(2, gauge.Value);
    }

    private static (WatchKind Kind, string? Address) Told(WatchMessage<StringValue> message) =>
        (message.Kind, message.Resource?.Value);

    /// <summary>Writes every event many times more, and numbers them.</summary>
    private static async Task RepeatEventsAsync(Depot depot, ParcelProcess process)
    {
        await depot.ExecuteAsync(
            $"INSERT INTO outbox ({Outbox.Columns}) SELECT {Outbox.Columns} FROM outbox, generate_series(1, 400)", Ct);
        var outbox = process.Services.GetRequiredService<OutboxStore>();
        while ((await outbox.NumberAsync(Ct)).Count > 0)
        {
            // A pass has an end.
        }
    }

    private static Watched<Parcel, StringValue> Parcels(ParcelStore store, string? address) =>
        new(store.Noun, StringValue.Parser)
        {
            FilterHash = PageToken.HashOf(address),
            Page = (after, limit, ct) => store.ListAsync(address, after, limit, ct),
            Show = ParcelStore.Shown,
            Matches = (shown, _) => address is null || shown.Value == address,
        };

    /// <summary>When a message is so large that its client must read before it is written.</summary>
    private sealed class Writing
    {
        public TaskCompletionSource Begun { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }

    /// <summary>The stream of parcels as gRPC carries it.</summary>
    private sealed class LargeMessages(ParcelStore store, WatchStreams streams, Writing writing)
        : EventService.EventServiceBase
    {
        private static readonly string Padding = new('x', 1_000_000);

        public override Task WatchEvents(
            WatchEventsRequest request, IServerStreamWriter<WatchEventsResponse> stream, ServerCallContext context) =>
            streams.RunAsync(
                Parcels(store, null),
                "",
                message =>
                {
                    var written = stream.WriteAsync(
                        new() { Event = new() { Reason = Padding }, ResumeToken = message.ResumeToken });
                    writing.Begun.TrySetResult();
                    return written;
                },
                context.CancellationToken);
    }

    /// <summary>A client of a stream of parcels: takes messages when it is asked for them.</summary>
    private sealed class Client : IAsyncDisposable
    {
        private readonly Channel<WatchMessage<StringValue>> _messages =
            Channel.CreateUnbounded<WatchMessage<StringValue>>();

        private readonly CancellationTokenSource _gone = CancellationTokenSource.CreateLinkedTokenSource(Ct);
        private readonly Task _stream;
        private readonly bool _isStuck;
        private readonly Action<WatchMessage<StringValue>> _taking;

        public Client(
            ParcelProcess process,
            string resumeToken = "",
            string? address = null,
            bool isStuck = false,
            Func<Task>? beforeSnapshot = null,
            Action<WatchMessage<StringValue>>? taking = null)
        {
            _isStuck = isStuck;
            _taking = taking ?? (_ => { });
            var parcels = Parcels(process.Store, address);
            var begun = parcels with
            {
                Page = async (after, limit, ct) =>
                {
                    await (beforeSnapshot?.Invoke() ?? Task.CompletedTask);
                    return await parcels.Page(after, limit, ct);
                },
            };
            _stream = Task.Run(() => process.Services.GetRequiredService<WatchStreams>().RunAsync(
                begun, resumeToken, SendAsync, _gone.Token));
        }

        public Task<WatchMessage<StringValue>> NextAsync() => _messages.Reader.ReadAsync(Ct).AsTask();

        public Task<ProblemException> EndAsync() => Assert.ThrowsAsync<ProblemException>(() => _stream.WaitAsync(Ct));

        public async ValueTask DisposeAsync()
        {
            await _gone.CancelAsync();
            await _stream.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            _gone.Dispose();
        }

        private async Task SendAsync(WatchMessage<StringValue> message)
        {
            if (_isStuck)
            {
                await new TaskCompletionSource().Task.WaitAsync(_gone.Token);
            }

            _taking(message);
            await _messages.Writer.WriteAsync(message, _gone.Token);
        }
    }

    /// <summary>The sum of what an instrument of one process was told.</summary>
    private sealed class Gauge : IDisposable
    {
        private readonly MeterListener _listener = new();
        private long _value;

        public Gauge(ParcelProcess process, string instrument)
        {
            var meters = process.Services.GetRequiredService<IMeterFactory>();
            _listener.InstrumentPublished = (found, listener) =>
            {
                if (found.Name == instrument && ReferenceEquals(found.Meter.Scope, meters))
                {
                    listener.EnableMeasurementEvents(found);
                }
            };
            _listener.SetMeasurementEventCallback<long>((_, n, _, _) => Interlocked.Add(ref _value, n));
            _listener.Start();
        }

        public long Value => Interlocked.Read(ref _value);

        public void Dispose() => _listener.Dispose();
    }
}
