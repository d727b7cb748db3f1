using Cloud.Benchmarks.Measuring;
using Cloud.Benchmarks.Worlds;
using Cloud.Protos.Installation.V1;

namespace Cloud.Benchmarks.Reading;

/// <summary>Get and List of the installation service with many rows, against bare gRPC and one query each.</summary>
internal sealed class ReadsBench(Report report)
{
    public const string Verb = "reads";
    private const int PageSize = 100;
    private const int LargestPage = 1000;
    private const double RateGoal = 0.7;
    private const double P99Goal = 10;
    private static readonly TimeSpan TimePerRun = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan WarmingUp = TimeSpan.FromSeconds(3);

    public async Task RunAsync(int count, int runs, CancellationToken ct)
    {
        await using var stores = await LocalStores.StartAsync(ct);
        Report.Note(Verb, $"making {count} rows");
        IReadOnlyList<Original> originals;
        await using (var fleet = await Fleet.StartAsync(
            stores, 1, count, Path.Combine(stores.Directory, "simulator"), ct))
        {
            await Provisioning.Workspaces.CreateAsync(fleet, "reads", 1, ct);
            originals = await SeededFleet.OriginalsAsync(fleet, ct);
        }

        await SeededFleet.CopyRowsAsync(stores, originals, count, ct);
        await using var service = await LocalService.StartAsync(
            "installation",
            stores,
            new Dictionary<string, Uri>(),
            new Dictionary<string, string?> { ["Dns__Domains__0"] = "localhost" },
            ct);
        var product = new InstallationService.InstallationServiceClient(service.Channel);
        var rows = await AllAsync(product, ct);
        var (process, channel) = await BareReads.StartAsync(stores, rows, ct);
        await using (process)
        using (channel)
        {
            var bare = new InstallationService.InstallationServiceClient(channel);
            var servers = new Servers(product, service.ProcessId, bare, process.Id, stores.PostgresProcess);
            var names = rows.Select(row => row.Name).ToList();
            await report.AddAsync(
                Verb,
                $"{rows.Count} installations, one installation service, client on the same machine. Floor: bare gRPC "
                + "server that answers the same messages from one query each. Half load: half of the rate that the "
                + "product reached just before.",
                [
                    .. await MeasureAsync("Get", servers, runs, (client, n, token) =>
                        client.GetInstallationAsync(new() { Name = names[n % names.Count] }, cancellationToken: token)
                            .ResponseAsync, ct),
                    .. await MeasureAsync($"List, pages of {PageSize}", servers, runs, (client, _, token) =>
                        client.ListInstallationsAsync(new() { PageSize = PageSize }, cancellationToken: token)
                            .ResponseAsync, ct),
                ],
                ct);
        }
    }

    private static async Task<IReadOnlyList<Measurement>> MeasureAsync(
        string name,
        Servers servers,
        int runs,
        Func<InstallationService.InstallationServiceClient, int, CancellationToken, Task> ask,
        CancellationToken ct)
    {
        var (rates, floors) = (new List<double>(), new List<double>());
        var (costs, bareCosts) = (new List<double>(), new List<double>());
        var (answers, bareAnswers) = (new List<IReadOnlyList<double>>(), new List<IReadOnlyList<double>>());
        await Load.FullAsync(Bare, WarmingUp, ct);
        await Load.FullAsync(Product, WarmingUp, ct);
        for (var run = 0; run < runs; run++)
        {
            Report.Note(Verb, name, run, runs);
            var before = servers.Cpu;
            floors.Add(await Load.FullAsync(Bare, TimePerRun, ct));
            var between = servers.Cpu;
            rates.Add(await Load.FullAsync(Product, TimePerRun, ct));
            bareCosts.Add((between - before).TotalMicroseconds / (floors[run] * TimePerRun.TotalSeconds));
            costs.Add((servers.Cpu - between).TotalMicroseconds / (rates[run] * TimePerRun.TotalSeconds));
            bareAnswers.Add(await Load.SteadyAsync(Bare, rates[run] / 2, TimePerRun, ct));
            answers.Add(await Load.SteadyAsync(Product, rates[run] / 2, TimePerRun, ct));
        }

        return
        [
            new($"{name}, full load", "req/s", rates, floors, Goal.PartOfFloor(RateGoal)),
            new($"{name}, processor time of server and database", "us", costs, bareCosts),
            At(0.5),
            At(0.99, Goal.NoMoreThan(P99Goal)),
        ];

        Task Product(int n, CancellationToken token) => ask(servers.Product, n, token);

        Task Bare(int n, CancellationToken token) => ask(servers.Bare, n, token);

        Measurement At(double part, params Goal[] goals) => new(
            $"{name}, half load, p{part * 100:0}",
            "ms",
            [.. answers.Select(a => Measurement.Percentile(a, part))],
            [.. bareAnswers.Select(a => Measurement.Percentile(a, part))],
            goals);
    }

    private static async Task<IReadOnlyList<Installation>> AllAsync(
        InstallationService.InstallationServiceClient client, CancellationToken ct)
    {
        var (all, token) = (new List<Installation>(), "");
        do
        {
            var page = await client.ListInstallationsAsync(
                new() { PageSize = LargestPage, PageToken = token }, cancellationToken: ct);
            all.AddRange(page.Installations);
            token = page.NextPageToken;
        }
        while (token.Length > 0);
        return all;
    }

    private sealed record Servers(
        InstallationService.InstallationServiceClient Product,
        int ProductProcess,
        InstallationService.InstallationServiceClient Bare,
        int BareProcess,
        int PostgresProcess)
    {
        /// <summary>Of the servers and the database together: only one server is asked at a time.</summary>
        public TimeSpan Cpu =>
            ProcessTree.Of(ProductProcess).Cpu + ProcessTree.Of(BareProcess).Cpu + ProcessTree.Of(PostgresProcess).Cpu;
    }
}
