using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using Xunit;

namespace Cloud.TestHost.Journeys;

/// <summary>
/// Every journey of every noun of a service under every fault. A service's tests derive one class from it; journeys
/// are found by themselves, and a noun without one, or a state with a step that no journey reaches, fails.
/// <para>Places are learned from an unharmed life: before and after every lease call, claim, save, commit and call to
/// the outside, of turns and of requests, named by the state they were passed in. For each place a life of its own
/// meets the fault there; lives go on side by side in one world with two processes of the service. Each must end at
/// rest with the world made exactly once, and with at most <see cref="ExtraPassesMax"/> runs of steps more than the
/// unharmed one, those not counted that only waited. Beside a sleeper they are not counted: it may hold a lock outside
/// that makes everybody fail, and a process without Redis and those with it get in each other's way.</para>
/// </summary>
public abstract class JourneySuite<TWorld>(JourneyStage<TWorld> stage, ITestOutputHelper output)
    : IClassFixture<JourneyStage<TWorld>>
    where TWorld : class, IJourneyWorld<TWorld>
{
    private const int ExtraPassesMax = 3;

    /// <summary>How often a place that is passed by chance (a lease refused, another look) is waited for.</summary>
    private const int TriesMax = 3;

    /// <summary>One fault in so many may miss its place, and one more. Places that are passed by chance are few; when
    /// more miss, faults strike nothing and the lives prove nothing.</summary>
    private const int FaultsPerMiss = 10;

    private const int FailuresToldMax = 3;

    private readonly ConcurrentQueue<string> _mended = new();

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Every_noun_has_journeys_and_they_pass_every_state_that_has_a_step()
    {
        var learned = await stage.LearnAsync(Ct);
        foreach (var (journey, life) in learned)
        {
            output.WriteLine($"{journey.Noun} {journey.GetType().Name}: {life.Passed.Count} places");
            output.WriteLine("  " + string.Join("; ", life.Passed));
        }

        var missing = stage.Nouns.SelectMany(noun => noun.Value.Working
            .Except(learned.Where(l => l.Key.Noun == noun.Key).SelectMany(l => l.Value.States))
            .Select(state => $"{noun.Key} {state}"));
        Demand(missing, "states with a step that no journey passes");
        Demand(stage.Nouns.Keys.Except(learned.Keys.Select(journey => journey.Noun)), "nouns without a journey");
    }

    [Fact]
    public Task Every_step_may_run_twice() => RunAllAsync(_ => [new Fault(FaultKind.Twice, "")]);

    [Fact]
    public Task A_crash_at_any_place_costs_time_only() => RunAllAsync(
        life => life.Passed.Select(place => new Fault(FaultKind.Crash, place)));

    [Fact]
    public Task A_lease_lost_at_any_place_costs_time_only() => RunAllAsync(
        life => life.Passed.Where(IsOfTurn).Select(place => new Fault(FaultKind.LostLease, place)));

    [Fact]
    public Task A_worker_that_slept_in_a_call_while_others_went_on_changes_nothing_anywhere() =>
        stage.WithoutRedisAsync(
            () => RunAllAsync(life => life.Passed.Where(IsCall).SelectMany(place => new[]
            {
                new Fault(FaultKind.SleepUntilRest, place), new Fault(FaultKind.SleepUntilTheEnd, place),
            })),
            Ct);

    private static bool IsOfTurn(string place) => !place.StartsWith(Flow.AskedTo, StringComparison.Ordinal);

    private static bool IsCall(string place) =>
        IsOfTurn(place) && place.Contains(": call.", StringComparison.Ordinal);

    /// <summary>Lives every journey once per fault. A place that several journeys of a noun pass is met by one of them:
    /// it is the same line of the same rule in the same state.</summary>
    private async Task RunAllAsync(Func<Life, IEnumerable<Fault>> faultsOf)
    {
        var started = Stopwatch.GetTimestamp();
        var learned = await stage.LearnAsync(Ct);
        var failures = new ConcurrentQueue<string>();
        var unreached = new ConcurrentQueue<string>();
        var faults = learned.SelectMany(l => faultsOf(l.Value).Select(fault => (l.Key, l.Value, fault)))
            .DistinctBy(life => (life.Key.Noun, life.fault, Whose: life.fault.Place.Length == 0 ? life.Key : null))
            .ToList();
        await Parallel.ForEachAsync(
            faults,
            new ParallelOptions { MaxDegreeOfParallelism = TWorld.LivesAtOnce, CancellationToken = Ct },
            async (life, ct) =>
            {
                try
                {
                    if (!await RunAsync(life.Key, life.Value, life.fault, ct))
                    {
                        unreached.Enqueue($"{life.Key.GetType().Name} {life.fault.Place}");
                    }
                }
                catch (InvalidOperationException e)
                {
                    failures.Enqueue(e.Message);
                }
            });
        foreach (var journey in faults.GroupBy(fault => fault.Key))
        {
            output.WriteLine($"{journey.Key.Noun} {journey.Key.GetType().Name}: {journey.Count()} lives");
        }

        output.WriteLine(string.Create(
            CultureInfo.InvariantCulture, $"in {Stopwatch.GetElapsedTime(started).TotalSeconds:0.0} s"));
        output.WriteLine("passed by chance, and not again: " + string.Join("; ", unreached));
        output.WriteLine("changed by a sleeper, and undone by the service: " + string.Join("; ", _mended));
        Demand(failures, "lives that went wrong");
        if (unreached.Count > 1 + (faults.Count / FaultsPerMiss))
        {
            Demand(unreached, $"faults of {faults.Count} that met their place in none of {TriesMax} lives");
        }
    }

    /// <returns>Whether the fault met its place.</returns>
    private async Task<bool> RunAsync(Journey<TWorld> journey, Life unharmed, Fault fault, CancellationToken ct)
    {
        for (var tries = 1; tries <= TriesMax; tries++)
        {
            var life = await stage.RunAsync(journey, fault, ct);
            var name = $"{journey.GetType().Name} under {fault.Kind} at '{fault.Place}'";
            if (life.Mended is not null)
            {
                _mended.Enqueue($"{journey.GetType().Name} {fault.Place}");
            }

            if (life.Damage is { } damage)
            {
                throw new InvalidOperationException($"{name}: the sleeper changed\n{damage}\n{life.Story()}");
            }

            if (!fault.IsSleep && life.Passes > unharmed.Passes + ExtraPassesMax)
            {
                throw new InvalidOperationException(
                    $"{name}: {life.Passes} runs of steps, {unharmed.Passes} unharmed\n{life.Story()}");
            }

            if (life.IsStruck || fault.Place.Length == 0)
            {
                return true;
            }
        }

        return false;
    }

    private static void Demand(IEnumerable<string> wrong, string what)
    {
        var all = wrong.ToList();
        if (all.Count > 0)
        {
            throw new InvalidOperationException(
                $"{all.Count} {what}:\n{string.Join("\n", all.Take(FailuresToldMax))}");
        }
    }
}
