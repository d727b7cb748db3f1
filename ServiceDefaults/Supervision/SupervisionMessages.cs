using Google.Protobuf.WellKnownTypes;
using Proto = Cloud.Protos.Supervision.V1;

namespace Cloud.ServiceDefaults.Supervision;

/// <summary>How supervised rows of every service report on themselves.</summary>
public static class SupervisionMessages
{
    /// <summary>How the row's current state goes.</summary>
    public static Proto.Progress ProgressOf<TState>(SupervisedRow<TState> row)
        where TState : struct, System.Enum => new()
        {
            StateSince = row.StateSince.ToTimestamp(),
            WaitingFor = row.WaitingFor ?? "",
            Attempts = row.Attempts,
            NextAttemptTime = row.NextAttemptAt?.ToTimestamp(),
            LastError = row.LastErrorCode is null ? null : new Proto.StepError
            {
                Code = row.LastErrorCode,
                Message = row.LastError ?? "",
                Fault = FaultOf(row.LastErrorFault),
                Retryable = row.NextAttemptAt is not null,
            },
            Epoch = row.Epoch,
        };

    /// <summary>A link of a Why answer about a supervised row.</summary>
    /// <param name="service">The service that owns the row.</param>
    /// <param name="resource">Resource name.</param>
    /// <param name="atRest">What is to say of the state when nothing failed and nothing is awaited; null when a step is
    /// due.</param>
    /// <param name="advice">What an operator can do, most useful first.</param>
    public static Proto.Explanation Explain<TState>(
        SupervisedRow<TState> row, string service, string resource, string? atRest, params IEnumerable<string> advice)
        where TState : struct, System.Enum => new()
        {
            Resource = resource,
            Service = service,
            State = StateNames<TState>.Of(row.State),
            Summary = SummaryOf(row, atRest),
            Progress = ProgressOf(row),
            Owner = row.ClaimedBy ?? "",
            Advice = { advice },
        };

    /// <summary>Links as part of a larger answer: one further down, under what rests on them.</summary>
    public static IEnumerable<Proto.Explanation> Beneath(IEnumerable<Proto.Explanation> links)
    {
        foreach (var link in links)
        {
            link.Depth++;
            yield return link;
        }
    }

    private static string SummaryOf<TState>(SupervisedRow<TState> row, string? atRest)
        where TState : struct, System.Enum => row switch
        {
            { LastError: { } error, NextAttemptAt: { } next } =>
                $"{Times(row.Attempts)} failed: {Sentence(error)} The next try is at {next:u}.",
            { LastError: { } error } => $"It failed: {Sentence(error)}",
            { WaitingFor: { Length: > 0 } awaited } => $"It waits: {Sentence(awaited)}",
            { ClaimedBy: { } worker } => $"Its step runs just now, in {worker}.",
            _ => atRest ?? "Its next step is about to run.",
        };

    private static string Times(int attempts) => attempts <= 1 ? "The last try" : $"The last {attempts} tries";

    private static string Sentence(string words) => words.TrimEnd().TrimEnd('.') + ".";

    private static Proto.Fault FaultOf(Fault? fault) => fault switch
    {
        Fault.Caller => Proto.Fault.Caller,
        Fault.Operator => Proto.Fault.Operator,
        Fault.World => Proto.Fault.World,
        null => Proto.Fault.Unspecified,
    };
}
