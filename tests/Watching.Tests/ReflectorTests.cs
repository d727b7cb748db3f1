using System.Threading.Channels;
using k8s.Models;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;
using static Cloud.Watching.Tests.ScriptedServer;

namespace Cloud.Watching.Tests;

public sealed class ReflectorTests
{
    private static readonly ReflectorOptions Impatient = new()
    {
        Backoff = new Backoff(TimeSpan.FromMilliseconds(1), TimeSpan.FromMilliseconds(4)),
    };

    [Fact]
    public async Task A_list_is_read_in_chunks_and_watched_from_its_version()
    {
        await using var run = await Run.Start(s => s
            .ThenList("10", "more", ConfigMap("a", "1"))
            .ThenList("11", null, ConfigMap("b", "2"))
            .ThenOpenWatch(Event("ADDED", ConfigMap("c", "12"))));

        Assert.Equal("500", (await run.Server.Next()).Query["limit"]);
        Assert.Equal("more", (await run.Server.Next()).Query["continue"]);
        var watch = await run.Server.Next();
        Assert.Equal("11", watch.Query["resourceVersion"]);
        Assert.Equal("true", watch.Query["allowWatchBookmarks"]);
        Assert.InRange(int.Parse(watch.Query["timeoutSeconds"]!, null), 240, 480);
        await run.Sees("a=x", "b=x", "c=x");
    }

    [Fact]
    public async Task A_watch_that_ends_is_resumed_from_the_last_bookmark_without_a_new_list()
    {
        await using var run = await Run.Start(s => s
            .ThenList("10", null, ConfigMap("a", "1"))
            .ThenWatch(Event("BOOKMARK", """{"kind":"ConfigMap","metadata":{"resourceVersion":"40"}}"""))
            .ThenWatch(Event("MODIFIED", ConfigMap("a", "41", "y")))
            .ThenOpenWatch());

        Assert.False((await run.Server.Next()).IsWatch);
        Assert.Equal("10", (await run.Server.Next()).Query["resourceVersion"]);
        Assert.Equal("40", (await run.Server.Next()).Query["resourceVersion"]);
        Assert.Equal("41", (await run.Server.Next()).Query["resourceVersion"]);
        await run.Sees("a=y");
        Assert.Equal(1, run.Reflector.Lists);
    }

    [Fact]
    public async Task An_expired_version_as_answer_leads_to_a_new_list_that_finds_removals()
    {
        await using var run = await Run.Start(s => s
            .ThenList("10", null, ConfigMap("a", "1"), ConfigMap("b", "2"))
            .ThenStatus(410, "Expired", "too old resource version")
            .ThenList("20", null, ConfigMap("b", "2"), ConfigMap("c", "15")));

        await run.Sees("b=x", "c=x");
        Assert.Equal(["+a", "+b", "+c", "-a"], run.Changes);
    }

    [Fact]
    public async Task An_expired_version_inside_the_stream_leads_to_a_new_list()
    {
        await using var run = await Run.Start(s => s
            .ThenList("10", null, ConfigMap("a", "1"))
            .ThenWatch(Event("ERROR", Status(410, "Gone", "too old resource version: 10 (99)")))
            .ThenList("100", null));

        await run.Sees();
        Assert.Equal("100", (await run.WatchAfter(1)).Query["resourceVersion"]);
    }

    [Fact]
    public async Task An_event_that_does_not_fit_its_class_leads_to_a_new_list()
    {
        await using var run = await Run.Start(s => s
            .ThenList("10", null, ConfigMap("a", "1"))
            .ThenOpenWatch(Event("MODIFIED", """{"metadata":{"name":"a","namespace":"n"},"data":{"k":{"x":"y"}}}"""))
            .ThenList("20", null, ConfigMap("a", "12", "z")));

        await run.Sees("a=z");
        Assert.Equal(2, run.Reflector.Lists);
    }

    [Fact]
    public async Task One_unreadable_object_in_a_list_keeps_its_last_form_and_hides_no_other()
    {
        await using var run = await Run.Start(s => s
            .ThenList("10", null, ConfigMap("a", "1"))
            .ThenStatus(410, "Gone", "")
            .ThenList("20", null, """{"metadata":{"name":"a","namespace":"n"},"data":[1]}""", ConfigMap("b", "11")));

        await run.Sees("a=x", "b=x");
    }

    [Fact]
    public async Task A_torn_connection_is_resumed_where_it_was()
    {
        var seen = new TaskCompletionSource();
        await using var run = await Run.Start(s => s
            .ThenList("10", null)
            .ThenCutWatch(seen.Task, Event("ADDED", ConfigMap("a", "11")))
            .ThenOpenWatch(Event("DELETED", ConfigMap("a", "12"))));

        await run.Sees("a=x");
        seen.SetResult();
        await run.Sees();
        Assert.Equal("11", (await run.WatchAfter(1)).Query["resourceVersion"]);
        Assert.Equal(1, run.Reflector.Lists);
    }

    [Fact]
    public async Task A_watch_that_is_granted_again_is_a_recovery_before_anything_happens_in_it()
    {
        var seen = new TaskCompletionSource();
        await using var run = await Run.Start(s => s
            .ThenList("10", null)
            .ThenCutWatch(seen.Task)
            .ThenOpenWatch());

        seen.SetResult();
        Assert.Equal("10", (await run.WatchAfter(1)).Query["resourceVersion"]);
        await run.Recovered.WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken);
        Assert.Equal(1, run.Reflector.Lists);
    }

    [Fact]
    public async Task A_server_that_grants_watches_only_to_call_their_version_too_old_is_asked_ever_more_slowly()
    {
        var tooOld = Event("ERROR", Status(410, "Expired", "too old resource version"));
        await using var run = await Run.Start(s => s
            .ThenList("10", null).ThenWatch(tooOld)
            .ThenList("20", null).ThenWatch(tooOld)
            .ThenList("30", null).ThenWatch(tooOld)
            .ThenList("40", null).ThenOpenWatch());

        Assert.Equal("40", (await run.WatchAfter(3)).Query["resourceVersion"]);
        Assert.Equal(TimeSpan.Zero, run.Waits[0]);
        Assert.True(run.Waits[1] > TimeSpan.Zero);
        Assert.True(run.Waits[2] >= run.Waits[1]);
    }

    [Fact]
    public async Task A_server_that_ends_every_watch_at_once_is_asked_for_the_list_again()
    {
        await using var run = await Run.Start(s => s
            .ThenList("10", null, ConfigMap("a", "1"))
            .ThenWatch().ThenWatch().ThenWatch()
            .ThenList("20", null, ConfigMap("b", "11")));

        await run.Sees("b=x");
    }

    [Fact]
    public async Task A_kind_that_does_not_exist_yet_is_waited_for_and_said_so()
    {
        await using var run = await Run.Start(s => s
            .ThenStatus(404, "NotFound", "the server could not find the requested resource")
            .ThenStatus(403, "Forbidden", "configmaps is forbidden")
            .ThenList("5", null, ConfigMap("a", "1")));

        await run.Sees("a=x");
        Assert.Equal(
            [KubernetesErrorKind.NotFound, null],
            run.Statuses.Select(s => s.LastError?.Kind).Take(2));
        Assert.True(run.Reflector.Status.Synced);
    }

    [Fact]
    public async Task A_chunk_whose_token_expired_makes_the_list_be_read_whole()
    {
        await using var run = await Run.Start(s => s
            .ThenList("10", "more", ConfigMap("a", "1"))
            .ThenStatus(410, "Expired", "The provided continue parameter is too old")
            .ThenList("20", null, ConfigMap("b", "2")));

        await run.Sees("b=x");
        await run.Server.Next();
        await run.Server.Next();
        Assert.Empty((await run.Server.Next()).Query["limit"].ToString());
    }

    [Fact]
    public async Task A_watch_that_outlives_its_time_is_taken_for_dead()
    {
        var time = new FakeTimeProvider();
        await using var run = await Run.Start(
            s => s.ThenList("10", null).ThenOpenWatch(Event("ADDED", ConfigMap("a", "11"))), time);
        await run.Sees("a=x");
        await run.WatchAfter(0);

        time.Advance(TimeSpan.FromMinutes(9));
        var next = run.Server.NextWatch();
        while (!next.IsCompleted)
        {
            // The wait after the failure may begin before or after this.
            time.Advance(TimeSpan.FromMilliseconds(10));
            await Task.Delay(
                TimeSpan.FromMilliseconds(10), TimeProvider.System, TestContext.Current.CancellationToken);
        }

        Assert.Equal("11", (await next).Query["resourceVersion"]);
        await run.Recovered.WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken);
    }

    private sealed class Run : IAsyncDisposable, ILogger
    {
        private readonly CancellationTokenSource _stop =
            CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        private readonly Channel<bool> _changed = Channel.CreateUnbounded<bool>();
        private readonly KubernetesApi _api;
        private readonly TaskCompletionSource _recovered = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private Task _running = Task.CompletedTask;

        private Run(ScriptedServer server, TimeProvider? time)
        {
            Server = server;
            _api = server.Connect(time);
            Reflector = new Reflector<V1ConfigMap>(
                _api, ResourceKinds.ConfigMaps, Impatient, time ?? TimeProvider.System, this);
            Reflector.StatusChanged += Note;
            Reflector.Cache.Changed += change =>
            {
                Changes.Add((change.After is null ? "-" : change.Before is null ? "+" : "~") + change.Key.Name);
                _changed.Writer.TryWrite(true);
            };
        }

        public ScriptedServer Server { get; }

        public Reflector<V1ConfigMap> Reflector { get; }

        public List<string> Changes { get; } = [];

        public List<ReflectorStatus> Statuses { get; } = [];

        /// <summary>Completes when a failure is over.</summary>
        public Task Recovered => _recovered.Task;

        /// <summary>How long it said that it waits after failures.</summary>
        public List<TimeSpan> Waits { get; } = [];

        public static async Task<Run> Start(Action<ScriptedServer> script, TimeProvider? time = null)
        {
            var server = await ScriptedServer.Start();
            script(server);
            var run = new Run(server, time);
            run._running = run.Reflector.Run(run._stop.Token);
            return run;
        }

        /// <summary>Waits until the cache holds exactly these.</summary>
        public async Task Sees(params string[] expected)
        {
            await Reflector.WhenSynced(_stop.Token);
            while (!Now().SequenceEqual(expected))
            {
                await _changed.Reader.ReadAsync(_stop.Token);
            }
        }

        /// <summary>The watch that follows that many others.</summary>
        public async Task<SeenRequest> WatchAfter(int others)
        {
            for (; others > 0; others--)
            {
                await Server.NextWatch();
            }

            return await Server.NextWatch();
        }

        public async ValueTask DisposeAsync()
        {
            await _stop.CancelAsync();
            await _running;
            _api.Dispose();
            await Server.DisposeAsync();
            _stop.Dispose();
        }

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception,
            Func<TState, Exception?, string> formatter)
        {
            if (state is IReadOnlyList<KeyValuePair<string, object?>> parts)
            {
                Waits.AddRange(parts.Where(part => part.Key == "Wait").Select(part => (TimeSpan)part.Value!));
            }
        }

        private void Note(ReflectorStatus status)
        {
            if (status.Failures == 0 && Statuses is [.., { Failures: > 0 }])
            {
                _recovered.TrySetResult();
            }

            Statuses.Add(status);
        }

        private IEnumerable<string> Now() =>
            Reflector.Cache.All().Select(c => $"{c.Metadata.Name}={c.Data["k"]}").Order();
    }
}
