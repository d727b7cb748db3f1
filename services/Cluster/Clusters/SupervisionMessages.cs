using Google.Protobuf.WellKnownTypes;
using Proto = Cloud.Protos.Supervision.V1;

namespace Cloud.Clusters;

/// <summary>How supervised rows of this service report on themselves.</summary>
public static class SupervisionMessages
{
    /// <summary>Name of this service in explanations and problems.</summary>
    public const string ServiceName = "cluster";

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

    /// <summary>A link of a Why chain about a supervised row.</summary>
    public static Proto.Explanation Explain<TState>(
        SupervisedRow<TState> row, string resource, string summary, params IEnumerable<string> advice)
        where TState : struct, System.Enum => new()
    {
        Resource = resource,
        Service = ServiceName,
        State = StateNames<TState>.Of(row.State),
        Summary = summary,
        Progress = ProgressOf(row),
        Owner = row.ClaimedBy ?? "",
        Advice = { advice },
    };

    private static Proto.Fault FaultOf(Fault? fault) => fault switch
    {
        Fault.Caller => Proto.Fault.Caller,
        Fault.Operator => Proto.Fault.Operator,
        Fault.World => Proto.Fault.World,
        null => Proto.Fault.Unspecified,
    };
}
