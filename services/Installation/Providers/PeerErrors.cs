using Google.Rpc;
using Grpc.Core;
using Supervision = Cloud.Protos.Supervision.V1;

namespace Cloud.Providers;

/// <summary>How an answer of another of our services reads as the failure of a step: whether trying again can help, and
/// who can end it.</summary>
internal static class PeerErrors
{
    /// <summary>The reason of a reply's <c>ErrorInfo</c>, for example <c>CLUSTERS_FULL</c>; empty without
    /// one.</summary>
    public static string ReasonOf(RpcException error) => error.GetRpcStatus()?.GetDetail<ErrorInfo>()?.Reason ?? "";

    /// <summary>Where there was no room and why: the sentence of the reply and, where it leaves them out, the places
    /// that its metadata name.</summary>
    public static string WhyNot(RpcException error)
    {
        var places = error.GetRpcStatus()?.GetDetail<ErrorInfo>()?.Metadata ?? [];
        return string.Join(
            "; ",
            places.Where(place => !error.Status.Detail.Contains(place.Value, StringComparison.Ordinal))
                .OrderBy(place => place.Key, StringComparer.Ordinal)
                .Select(place => $"{place.Key}: {place.Value}")
                .Prepend(error.Status.Detail));
    }

    /// <summary>The failure of the step that asked.</summary>
    /// <param name="service">Who was asked, by its service name.</param>
    /// <param name="asked">What was asked, for people: "to create a logical database".</param>
    /// <param name="error">The answer.</param>
    public static StepException From(string service, string asked, RpcException error)
    {
        var reason = ReasonOf(error);
        var message = $"The {service} service was asked {asked} and answered {error.StatusCode}: {error.Status.Detail}";
        return error.StatusCode switch
        {
            // What was asked is wrong and will be wrong again.
            StatusCode.InvalidArgument when reason is "" => new StepException(ErrorReason.PeerRefused, message, error),
            StatusCode.InvalidArgument => StepException.PassedOn(reason, message, Fault.Operator, false, error),
            StatusCode.Unimplemented or StatusCode.PermissionDenied or StatusCode.Unauthenticated =>
                new StepException(ErrorReason.PeerMisconfigured, message, error),
            StatusCode.ResourceExhausted when reason is "" =>
                new StepException(ErrorReason.PeerExhausted, message, error),
            StatusCode.ResourceExhausted => StepException.PassedOn(reason, message, Fault.Operator, true, error),
            StatusCode.Unavailable or StatusCode.DeadlineExceeded =>
                new StepException(ErrorReason.PeerUnavailable, message, error),
            _ when reason is "" => new StepException(ErrorReason.PeerFailed, message, error),
            _ => StepException.PassedOn(reason, message, Fault.World, true, error),
        };
    }

    /// <summary>The failure of the step that waits for something of another service which has failed for
    /// good.</summary>
    /// <param name="resource">Its resource name.</param>
    /// <param name="state">Its state.</param>
    /// <param name="progress">What it says about itself.</param>
    public static StepException Failed(string resource, string state, Supervision.Progress? progress)
    {
        var error = progress?.LastError;
        var fault = error?.Fault switch
        {
            Supervision.Fault.Caller => Fault.Caller,
            Supervision.Fault.Operator => Fault.Operator,
            _ => Fault.World,
        };
        var code = error is { Code.Length: > 0 } ? error.Code : ErrorReason.PeerFailed.Text();
        var why = error?.Message ?? "it does not say why";
        return StepException.PassedOn(code, $"{resource} is {state}: {why}", fault, retryable: false);
    }

    /// <summary>What a resource of another service is busy with, for people.</summary>
    public static string Doing(string resource, string state, Supervision.Progress? progress)
    {
        var error = progress?.LastError;
        if (error is { Message.Length: > 0 })
        {
            return $"{resource} is {state}, and its last try failed: {error.Message}";
        }

        return progress is { WaitingFor.Length: > 0 }
            ? $"{resource} is {state}: {progress.WaitingFor}"
            : $"{resource} is {state}";
    }
}
