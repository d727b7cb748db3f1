using Cloud.ServiceDefaults.Supervision;
using Google.Protobuf.WellKnownTypes;
using Proto = Cloud.Protos.Supervision.V1;

namespace Cloud.Requests;

/// <summary>How the supervised rows of this service report on themselves.</summary>
public static class SupervisionMessages
{
    /// <summary>This service's name in explanations.</summary>
    public const string ServiceName = "metrics";

    /// <summary>How the row's current state goes.</summary>
    public static Proto.Progress ToProgress<TState>(this SupervisedRow<TState> row)
        where TState : struct, System.Enum => new()
        {
            StateSince = row.StateSince.ToTimestamp(),
            WaitingFor = row.WaitingFor ?? "",
            Attempts = row.Attempts,
            NextAttemptTime = row.NextAttemptAt?.ToTimestamp(),
            LastError = row.LastErrorCode is null ? null : ErrorOf(row),
            Epoch = row.Epoch,
        };

    private static Proto.StepError ErrorOf<TState>(SupervisedRow<TState> row)
        where TState : struct, System.Enum => new()
        {
            Code = row.LastErrorCode,
            Message = row.LastError ?? "",
            Fault = row.LastErrorFault switch
            {
                Fault.Caller => Proto.Fault.Caller,
                Fault.Operator => Proto.Fault.Operator,
                Fault.World => Proto.Fault.World,
                null => Proto.Fault.Unspecified,
            },
            Retryable = row.NextAttemptAt is not null,
        };
}
