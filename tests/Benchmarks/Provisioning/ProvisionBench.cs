using Cloud.Benchmarks.Measuring;
using Cloud.Benchmarks.Worlds;
using Cloud.Protos.Cluster.V1;

namespace Cloud.Benchmarks.Provisioning;

/// <summary>Many workspaces from nothing to stable, against a program that only makes what they consist of.</summary>
internal sealed class ProvisionBench(Report report)
{
    public const string Verb = "provision";
    private const double FloorGoal = 1.5;
    private const double TenfoldGoal = 11;
    private const int Tenth = 10;

    /// <summary>The goal of 3 minutes is for this many, and in proportion for others.</summary>
    private const int GoalCount = 1000;
    private const double GoalSeconds = 180;

    public async Task RunAsync(int count, int clusters, CancellationToken ct)
    {
        var (some, all, template) = await ProductAsync(count, clusters, ct);
        var bare = await FloorAsync(count, clusters, template, ct);
        var tenfold = all.Seconds / some.Seconds * count / (count / Tenth * Tenth);
        await report.AddAsync(
            Verb,
            $"{count} workspaces at once on {clusters} simulated clusters, pods that start at once, one process per "
            + $"service; {template.Objects.Count} objects and a database each. Floor: a bare program that applies the "
            + "same objects to the same simulator and makes the same databases, until all pods are ready.",
            [
                new($"{count} workspaces, request to stable", "s", [all.Seconds], [bare.Seconds],
                    Goal.NoMoreThan(GoalSeconds * count / GoalCount), Goal.Times(FloorGoal)),
                new($"{count / Tenth} workspaces before", "s", [some.Seconds], []),
                new("PostgreSQL statements per workspace", "", [all.Statements], []),
                new("10 times the count takes times", "x", [tenfold], [], Goal.NoMoreThan(TenfoldGoal)),
                new("processor time per workspace, all processes", "ms", [all.Cpu], [bare.Cpu]),
                .. all.CpuByProcess.Select(part => new Measurement(
                    $"processor time per workspace, {part.Key}", "ms", [part.Value], FloorOf(part.Key))),
            ],
            ct);

        IReadOnlyList<double> FloorOf(string process) =>
            bare.CpuByProcess.TryGetValue(process, out var cost) && cost > 0 ? [cost] : [];
    }

    private static async Task<(Cost Some, Cost All, WorkspaceTemplate Template)> ProductAsync(
        int count, int clusters, CancellationToken ct)
    {
        await using var stores = await LocalStores.StartAsync(ct);
        Report.Note(Verb, $"starting the product on {clusters} clusters");
        await using var fleet = await Fleet.StartAsync(
            stores, clusters, count * 2, Path.Combine(stores.Directory, "simulator"), ct);
        Report.Note(Verb, "warming up");
        await Workspaces.CreateAsync(fleet, "warm", clusters, ct);
        Report.Note(Verb, $"{count / Tenth} workspaces");
        var some = await CostAsync(stores, fleet.Simulator, fleet.Services, count / Tenth,
            () => Workspaces.CreateAsync(fleet, "some", count / Tenth, ct));
        Report.Note(Verb, $"{count} workspaces");
        await Queries.ResetAsync(stores, ct);
        var all = await CostAsync(stores, fleet.Simulator, fleet.Services, count,
            () => Workspaces.CreateAsync(fleet, "many", count, ct));
        var statements = await Queries.CountAsync(stores, ct) / count;
        foreach (var line in await Queries.MostAsync(stores, ct))
        {
            Report.Note(Verb, line);
        }

        return (some, all with { Statements = statements }, await TemplateAsync(fleet, ct));
    }

    private static async Task<Cost> FloorAsync(
        int count, int clusters, WorkspaceTemplate template, CancellationToken ct)
    {
        await using var stores = await LocalStores.StartAsync(ct);
        Report.Note(Verb, $"{count} workspaces, floor");
        await using var simulator = await LocalSimulator.StartAsync(
            Path.Combine(stores.Directory, "simulator"), clusters, ct);
        var bare = new BareProvisioning(stores, simulator, template);
        await bare.CreateAsync(clusters, ct);
        return await CostAsync(stores, simulator, [], count, () => bare.CreateAsync(count, ct));
    }

    private static async Task<WorkspaceTemplate> TemplateAsync(Fleet fleet, CancellationToken ct)
    {
        var made = (await fleet.Installations.ListInstallationsAsync(
            new() { Filter = new() { OwnerId = "warm" }, PageSize = 1 }, cancellationToken: ct)).Installations[0];
        var clusters = new ClusterService.ClusterServiceClient(fleet.Service("cluster").Channel);
        var cluster = await clusters.GetClusterAsync(new() { Name = made.Cluster }, cancellationToken: ct);
        using var api = new ClusterApi(fleet.Simulator, cluster.DisplayName);
        return await WorkspaceTemplate.ReadAsync(
            api, made.Name["installations/".Length..], made.DnsNames[0].Split('.')[0], ct);
    }

    private static async Task<Cost> CostAsync(
        LocalStores stores,
        LocalSimulator simulator,
        IReadOnlyList<LocalService> services,
        int count,
        Func<Task<TimeSpan>> run)
    {
        var before = Cpu();
        var took = await run();
        var after = Cpu();
        return new Cost(
            took.TotalSeconds,
            after.ToDictionary(p => p.Key, p => (p.Value - before[p.Key]).TotalMilliseconds / count));

        Dictionary<string, TimeSpan> Cpu()
        {
            var all = services.ToDictionary(s => s.Name, s => ProcessTree.Of(s.ProcessId).Cpu);
            all["PostgreSQL"] = ProcessTree.Of(stores.PostgresProcess).Cpu;
            all["Redis"] = ProcessTree.Of(stores.RedisProcess).Cpu;
            all["simulator"] = ProcessTree.OfOne(simulator.ProcessId).Cpu;
            all["operators"] = ProcessTree.Of(simulator.ProcessId).Cpu - all["simulator"];
            all["the benchmark itself"] = Environment.CpuUsage.TotalTime;
            return all;
        }
    }

    private sealed record Cost(double Seconds, IReadOnlyDictionary<string, double> CpuByProcess)
    {
        public double Cpu => CpuByProcess.Values.Sum();

        /// <summary>Statements per workspace.</summary>
        public double Statements { get; init; }
    }
}
