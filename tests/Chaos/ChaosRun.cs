using Cloud.Chaos.Customers;
using Cloud.Chaos.Invariants;
using Cloud.Chaos.Sabotage;
using Cloud.Chaos.World;
using Cloud.Protos.Cluster.V1;
using Cloud.Protos.Installation.V1;
using Cloud.Protos.Metrics.V1;
using Cloud.TestHost;

namespace Cloud.Chaos;

/// <summary>
/// One run: a world of its own, customers and a saboteur for a while, calm until everything is at rest, and then every
/// invariant; then a share of the workspaces is deleted, and every invariant again. All choices come from the seed;
/// what the clock and the kernel make of them does not, so a seed is a strong hint and the timeline is the proof.
/// </summary>
internal sealed class ChaosRun : IAsyncDisposable
{
    private const int Customers = 4;
    private const double DeletedShare = 0.5;
    private static readonly string[] Services =
        ["Cloud.Installation", "Cloud.Cluster", "Cloud.DatabasePool", "Cloud.Metrics"];

    /// <summary>How long answers may take once nothing is broken any more.</summary>
    private static readonly TimeSpan AnswersWithin = TimeSpan.FromMinutes(1);

    /// <summary>A row that failed often waits up to five minutes for its next try.</summary>
    private static readonly TimeSpan RestWithin = TimeSpan.FromMinutes(7);
    private static readonly TimeSpan ProgramsBackWithin = TimeSpan.FromMinutes(1);

    private readonly LocalWorld _world;
    private readonly Timeline _timeline;
    private readonly SimulatedClusters _clusters;
    private readonly Tables _tables;
    private readonly Desk _desk;
    private readonly Watcher _watcher;
    private readonly Random _random;
    private readonly Dictionary<string, int> _programs = [];

    private ChaosRun(int seed, LocalWorld world, Timeline timeline)
    {
        (_world, _timeline) = (world, timeline);
        (_random, _clusters, _tables) = (new Random(seed), new SimulatedClusters(world), new Tables(world));
        _desk = new Desk(Installations, timeline);
        _watcher = new Watcher(Installations, timeline);
    }

    private InstallationService.InstallationServiceClient Installations =>
        new(_world.Channel(LocalWorld.InstallationPort));

    /// <summary>Runs once.</summary>
    /// <param name="seed">All choices come from it.</param>
    /// <param name="time">How long there is chaos; calm and checks come on top.</param>
    /// <param name="folder">Where the timeline and the logs are left; emptied before.</param>
    /// <param name="ct">Ends the run without a result.</param>
    public static async Task<RunResult> RunAsync(int seed, TimeSpan time, string folder, CancellationToken ct)
    {
        if (Directory.Exists(folder))
        {
            Directory.Delete(folder, recursive: true);
        }

        Directory.CreateDirectory(folder);
        var began = TimeProvider.System.GetTimestamp();
        await using var timeline = new Timeline(Path.Combine(folder, "timeline.txt"));
        await using var world = await LocalWorld.StartAsync(redisKeeps: true, ct);
        await using var run = new ChaosRun(seed, world, timeline);
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(ct);
        var running = run.RunAsync(seed, time, ended.Token);
        try
        {
            if (await Task.WhenAny(running, world.Ended) == world.Ended)
            {
                await ended.CancelAsync();
                throw new InvalidOperationException("The AppHost ended by itself; see apphost.log.");
            }

            var result = await running;
            return result with { Took = TimeProvider.System.GetElapsedTime(began) };
        }
        finally
        {
            await running.ContinueWith(
                _ => { }, default, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
            KeepLogs(world, folder);
        }
    }

    public ValueTask DisposeAsync()
    {
        _clusters.Dispose();
        return ValueTask.CompletedTask;
    }

    private async Task<RunResult> RunAsync(int seed, TimeSpan time, CancellationToken ct)
    {
        foreach (var service in Services)
        {
            _programs[service] = _world.Processes($"{service}.dll").Count;
        }

        using var over = CancellationTokenSource.CreateLinkedTokenSource(ct);
        var watching = _watcher.RunAsync(over.Token);
        await _watcher.Begun.WaitAsync(AnswersWithin, TimeProvider.System, ct);
        var saboteur = await DisturbAsync(time, ct);
        var calm = TimeProvider.System.GetTimestamp();
        var breaches = new List<Breach>(await SettleAsync(ct));
        var toRest = TimeProvider.System.GetElapsedTime(calm);
        _timeline.Note("run", "", $"at rest after {toRest.TotalSeconds:0.0} s of calm");
        breaches.AddRange(await ExamineAsync(ct));
        if (breaches.Count == 0)
        {
            await DeleteShareAsync(ct);
            breaches.AddRange(await SettleAsync(ct));
            breaches.AddRange(await ExamineAsync(ct));
        }

        await over.CancelAsync();
        await watching;
        foreach (var breach in breaches)
        {
            _timeline.Note("run", breach.Subject, $"BROKEN: {breach}");
        }

        return new RunResult(
            seed, _desk.Asks.Count, _desk.Asks.Count(ask => ask.Verdict is Verdict.Acknowledged), saboteur.Deeds,
            saboteur.Kills, toRest, TimeSpan.Zero, breaches)
        {
            Story = [.. Stories(breaches)],
        };
    }

    private async Task<Saboteur> DisturbAsync(TimeSpan time, CancellationToken ct)
    {
        using var closing = CancellationTokenSource.CreateLinkedTokenSource(ct);
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(ct);
        var saboteur = new Saboteur(_random.Next(), _world, _clusters, _timeline);
        var customers = Enumerable.Range(1, Customers)
            .Select(number => new Customer(number, _random.Next(), _desk, _watcher)).ToList();
        _timeline.Note("run", "", $"chaos for {time.TotalSeconds:0} s");
        closing.CancelAfter(time);
        var living = customers.Select(customer => customer.LiveAsync(closing.Token, patience.Token)).ToList();
        await saboteur.RunAsync(closing.Token);
        await saboteur.DisposeAsync();
        _timeline.Note("run", "", "calm");
        patience.CancelAfter(AnswersWithin);
        await Task.WhenAll(living);
        return saboteur;
    }

    /// <summary>Until every program is back, every request has a verdict, and nothing moves any more.</summary>
    private async Task<IReadOnlyList<Breach>> SettleAsync(CancellationToken ct)
    {
        var breaches = new List<Breach>(await ProgramsBackAsync(ct));
        using (var patience = CancellationTokenSource.CreateLinkedTokenSource(ct))
        {
            patience.CancelAfter(AnswersWithin);
            foreach (var ask in _desk.Asks.Where(ask => ask.Verdict is Verdict.Unknown))
            {
                await _desk.SettleAsync(ask, patience.Token);
            }
        }

        using var rest = new Rest(
            _tables, new EventService.EventServiceClient(_world.Channel(LocalWorld.MetricsPort)));
        breaches.AddRange(await rest.WaitAsync(RestWithin, ct));
        return breaches;
    }

    private async Task<IReadOnlyList<Breach>> ProgramsBackAsync(CancellationToken ct)
    {
        var began = TimeProvider.System.GetTimestamp();
        while (true)
        {
            var missing = _programs.Where(p => _world.Processes($"{p.Key}.dll").Count != p.Value).ToList();
            if (missing.Count == 0 || TimeProvider.System.GetElapsedTime(began) > ProgramsBackWithin)
            {
                return [.. missing.Select(p => new Breach(
                    "killed programs come back", "", $"{p.Key} had {p.Value} processes, and not now"))];
            }

            await Task.Delay(TimeSpan.FromSeconds(1), TimeProvider.System, ct);
        }
    }

    private async Task<IReadOnlyList<Breach>> ExamineAsync(CancellationToken ct)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(ct);
        patience.CancelAfter(AnswersWithin);
        var breaches = new List<Breach>(await Wishes.RepeatedAsync(_desk.Asks, _desk, patience.Token));
        var all = await AllAsync(ct);
        var rows = await _tables.RowsAsync(ct);
        var feed = await _tables.FeedAsync(ct);
        var outboxes = new Dictionary<string, IReadOnlyList<EventRow>>();
        foreach (var (schema, source) in Tables.Sources)
        {
            outboxes[source] = await _tables.OutboxAsync(schema, ct);
        }

        breaches.AddRange(await UnexplainedAsync(all, ct));
        var objects = new List<ClusterObject>();
        foreach (var cluster in SimulatedClusters.Names)
        {
            objects.AddRange(await _clusters.ObjectsAsync(cluster, ct));
        }

        var own = outboxes["installation"];
        breaches.AddRange(Wishes.Once(_desk.Asks, own));
        breaches.AddRange(Wishes.Kept(_desk.Asks, all));
        breaches.AddRange(Feed.Delivered(feed, outboxes));
        breaches.AddRange(Feed.Chains(feed, rows));
        breaches.AddRange(Feed.Watched(_desk.Asks, own, _watcher));
        breaches.AddRange(Feed.Mistakes(feed, rows));
        breaches.AddRange(Outside.Clusters(all, await ClusterNamesAsync(ct), objects));
        breaches.AddRange(Outside.Databases(all, await _tables.CustomersAsync(ct)));
        breaches.AddRange(Outside.Rows(all, rows, await _tables.ReservationsAsync(ct)));
        breaches.AddRange((await _tables.WrongSumsAsync(ct)).Select(wrong => new Breach("sums are kept", "", wrong)));
        breaches.AddRange(await Outside.IngressAsync(all, _world.Ingress, ct));
        breaches.AddRange(Logs.Quiet(_world.StatePath));
        return breaches;
    }

    /// <summary>What lives can say why it is where it is.</summary>
    private async Task<IReadOnlyList<Breach>> UnexplainedAsync(IReadOnlyList<Installation> all, CancellationToken ct)
    {
        var breaches = new List<Breach>();
        foreach (var installation in all.Where(i => i.State != "deleted"))
        {
            var why = await Installations.WhyInstallationAsync(
                new() { Name = installation.Name }, cancellationToken: ct);
            if (why.Chain.Count == 0 || why.Chain.Any(link => link.Summary.Length == 0))
            {
                breaches.Add(new Breach("why is answered", installation.Name, $"it answers {why}"));
            }
        }

        return breaches;
    }

    private async Task DeleteShareAsync(CancellationToken ct)
    {
        _timeline.Note("run", "", "deleting a share");
        var living = (await AllAsync(ct)).Where(i => i.State != "deleted").ToList();
        var number = 0;
        foreach (var installation in living.Where(_ => _random.NextDouble() < DeletedShare))
        {
            await _desk.AskAsync(Customer.Deletion(_desk, installation.Name, $"end-{++number}"), ct);
        }
    }

    private async Task<IReadOnlyList<Installation>> AllAsync(CancellationToken ct)
    {
        var all = new List<Installation>();
        var request = new ListInstallationsRequest { Filter = new() { ShowDeleted = true }, PageSize = 1000 };
        do
        {
            var page = await Installations.ListInstallationsAsync(request, cancellationToken: ct);
            all.AddRange(page.Installations);
            request.PageToken = page.NextPageToken;
        }
        while (request.PageToken.Length > 0);
        return all;
    }

    private async Task<IReadOnlyDictionary<string, string>> ClusterNamesAsync(CancellationToken ct)
    {
        var client = new ClusterService.ClusterServiceClient(_world.Channel(LocalWorld.ClusterPort));
        var reply = await client.ListClustersAsync(new(), cancellationToken: ct);
        return reply.Clusters.ToDictionary(c => c.Name, c => c.DisplayName);
    }

    /// <summary>The history of each resource that something is wrong with.</summary>
    private IEnumerable<string> Stories(IReadOnlyList<Breach> breaches) =>
        breaches.Select(breach => breach.Subject).Where(subject => subject.Length > 0).Distinct()
            .SelectMany(subject => _timeline.Of(subject).Select(moment => moment.ToString()).Prepend($"\n{subject}"));

    private static void KeepLogs(LocalWorld world, string folder)
    {
        File.WriteAllText(Path.Combine(folder, "apphost.log"), world.Output);
        foreach (var log in Logs.Of(world.StatePath))
        {
            File.Copy(log, Path.Combine(folder, Path.GetFileName(log)), overwrite: true);
        }
    }
}
