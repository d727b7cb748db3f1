using Cloud.ServiceDefaults.Storage;
using Cloud.ServiceDefaults.Supervision;
using static Cloud.ServiceDefaults.Supervision.Outcome;

namespace Cloud.Benchmarks.Engine;

internal enum ErrandState
{
    There,
    Back,
    Done,
}

/// <summary>A noun whose steps do nothing.</summary>
internal sealed record Errand : SupervisedRow<ErrandState>
{
    /// <summary>Steps until it rests.</summary>
    public int StepsLeft { get; init; }
}

internal sealed class ErrandStore(Database database)
    : SupervisedStore<Errand, ErrandState>(database, "errands", "errand", "errands");

internal sealed class ErrandRules(StepClock clock) : IRules<Errand, ErrandState>
{
    public Rule<Errand, ErrandState> For(ErrandState state) => state switch
    {
        ErrandState.There => new(StepAsync, ErrandState.Back, ErrandState.Done),
        ErrandState.Back => new(StepAsync, ErrandState.There, ErrandState.Done),
        ErrandState.Done => new(null),
    };

    private Task<Outcome<Errand, ErrandState>> StepAsync(Errand row, CancellationToken ct)
    {
        clock.Begin();
        var next = row.StepsLeft == 1 ? ErrandState.Done
            : row.State == ErrandState.There ? ErrandState.Back : ErrandState.There;
        return Task.FromResult(Go(next, "nothing to do", row with { StepsLeft = row.StepsLeft - 1 }));
    }
}
