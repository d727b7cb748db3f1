using System.Diagnostics;
using System.Reflection;
using Cloud.Benchmarks.Measuring;
using Cloud.Benchmarks.Worlds;
using Cloud.ServiceDefaults.Hosting;
using Cloud.ServiceDefaults.Storage;
using Cloud.ServiceDefaults.Supervision;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace Cloud.Benchmarks.Engine;

/// <summary>Steps per second of the real supervisor when steps do nothing, against the commits alone. Numbering of the
/// events runs beside it as in every service.</summary>
internal sealed class EngineBench(Report report)
{
    public const string Verb = "engine";

    /// <summary>Steps from creation-requested to stable.</summary>
    private const int StepsOfAJourney = 5;

    private const double GoalOfFloor = 0.5;
    private const int WarmingUps = 2;

    private static readonly int StepsAtOnce = new SupervisorOptions<Errand>().StepsAtOnce;

    public async Task RunAsync(int steps, int runs, CancellationToken ct)
    {
        await using var stores = await LocalStores.StartAsync(ct);
        await using var source = NpgsqlDataSource.Create(stores.For("bench") + ";Max Auto Prepare=20");
        await Migrations.RunAsync(source, Assembly.GetExecutingAssembly(), ct);
        var measured = new List<Measurement>();
        foreach (var length in new[] { StepsOfAJourney, 1 })
        {
            var (supervised, bare) = (new List<Cost>(), new List<Cost>());
            for (var run = -WarmingUps; run < runs; run++)
            {
                Report.Note(Verb, $"{length} steps per turn", run, runs);
                var floor = await CostAsync(steps, () => FloorAsync(source, steps, length, ct));
                var cost = await CostAsync(steps, () => SuperviseAsync(stores, source, steps, length, ct));
                if (run >= 0)
                {
                    bare.Add(floor);
                    supervised.Add(cost);
                }
            }

            measured.AddRange(Measurements(length, supervised, bare));
        }

        await report.AddAsync(
            Verb,
            $"{steps} steps that do nothing, {StepsAtOnce} at once, durable PostgreSQL and Garnet on the same machine. "
            + "Floor: update of state and version and insert into the outbox in one commit, over as many connections.",
            measured,
            ct);
    }

    /// <summary>A turn of one step commits twice, claim and step, so that half of the floor is out of its reach: the
    /// goal is for turns that go on, as journeys do.</summary>
    private static Measurement[] Measurements(int length, List<Cost> supervised, List<Cost> bare) =>
    [
        new(
            $"steps, {length} per turn",
            "steps/s",
            [.. supervised.Select(c => c.Rate)],
            [.. bare.Select(c => c.Rate)],
            length == 1 ? [] : [Goal.PartOfFloor(GoalOfFloor)]),
        new(
            $"processor time per step, {length} per turn, stores included",
            "us",
            [.. supervised.Select(c => c.CpuMicroseconds)],
            [.. bare.Select(c => c.CpuMicroseconds)]),
    ];

    /// <summary>Runs it and looks what it took of time and, in all processes together, of processors.</summary>
    private static async Task<Cost> CostAsync(int steps, Func<Task<TimeSpan>> run)
    {
        var before = Cpu();
        var took = await run();
        return new Cost(steps / took.TotalSeconds, (Cpu() - before).TotalMicroseconds / steps);

        TimeSpan Cpu() => ProcessTree.Of(Environment.ProcessId).Cpu;
    }

    private static async Task<TimeSpan> SuperviseAsync(
        LocalStores stores, NpgsqlDataSource source, int steps, int length, CancellationToken ct)
    {
        await SeedAsync(source, steps / length, length, ct);
        var clock = new StepClock(steps);
        var builder = WebApplication.CreateSlimBuilder();
        builder.Configuration["ConnectionStrings:cloud-db"] = stores.For("bench");
        builder.Configuration["ConnectionStrings:redis"] = stores.RedisConnectionString;
        builder.Configuration["DataProtection:KeysPath"] = Path.Combine(stores.Directory, "keys", "bench");
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Services.AddSingleton(clock);
        builder.Services.AddSingleton<Checkpoints>(clock);
        // By the name of metrics, because that delivers its events nowhere.
        builder.AddServiceDefaults("metrics", Assembly.GetExecutingAssembly());
        builder.Services.AddSupervisor<Errand, ErrandState, ErrandStore, ErrandRules>();
        await using var app = builder.Build();
        await app.StartAsync(ct);
        var took = await clock.Ended.WaitAsync(ct);
        await app.StopAsync(ct);
        return took;
    }

    private static async Task<TimeSpan> FloorAsync(
        NpgsqlDataSource source, int steps, int length, CancellationToken ct)
    {
        var rows = steps / length;
        await SeedAsync(source, rows, length, ct);
        var next = 0;
        var began = Stopwatch.GetTimestamp();
        await Task.WhenAll(Enumerable.Range(0, StepsAtOnce).Select(_ => Task.Run(
            async () =>
            {
                await using var connection = await source.OpenConnectionAsync(ct);
                while (Interlocked.Increment(ref next) is var row && row <= rows)
                {
                    for (var step = 1; step <= length; step++)
                    {
                        await CommitAsync(connection, row, step, ct);
                    }
                }
            },
            ct)));
        return Stopwatch.GetElapsedTime(began);
    }

    private static async Task CommitAsync(NpgsqlConnection connection, int row, int version, CancellationToken ct)
    {
        const string Sql =
            """
            WITH saved AS (
                UPDATE errands SET state = 'back', version = $2 + 1 WHERE id = $1 AND version = $2 RETURNING 1)
            INSERT INTO outbox (resource_type, resource, type, actor, resource_version, occurred_at)
            SELECT 'errand', $1, 'state-changed', 'bench', $2 + 1, now() FROM saved
            """;
        await using var command = new NpgsqlCommand(Sql, connection);
        command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = $"{row}" });
        command.Parameters.Add(new NpgsqlParameter<long> { TypedValue = version });
        if (await command.ExecuteNonQueryAsync(ct) != 1)
        {
            throw new InvalidOperationException("The floor's own commit found no row.");
        }
    }

    /// <summary>Empty tables but for rows that are due.</summary>
    private static async Task SeedAsync(NpgsqlDataSource source, int rows, int length, CancellationToken ct)
    {
        await using var batch = source.CreateBatch();
        batch.BatchCommands.Add(new NpgsqlBatchCommand("TRUNCATE errands, outbox"));
        var insert = new NpgsqlBatchCommand(
            """
            INSERT INTO errands (id, state, version, epoch, attempts, next_attempt_at, state_since, steps_left)
            SELECT n, 'there', 1, 0, 0, now(), now(), $2 FROM generate_series(1, $1) AS n
            """);
        insert.Parameters.Add(new NpgsqlParameter<int> { TypedValue = rows });
        insert.Parameters.Add(new NpgsqlParameter<int> { TypedValue = length });
        batch.BatchCommands.Add(insert);
        await batch.ExecuteNonQueryAsync(ct);
        await using var analyze = source.CreateCommand("ANALYZE errands");
        await analyze.ExecuteNonQueryAsync(ct);
    }

    private readonly record struct Cost(double Rate, double CpuMicroseconds);
}
