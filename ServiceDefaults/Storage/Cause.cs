using System.Diagnostics;

namespace Cloud.ServiceDefaults.Storage;

/// <summary>What led to the wish that a row is being brought to: kept in the row, so that steps that run minutes later,
/// in another process, carry the request on in their events, their trace and their calls to other services.</summary>
/// <param name="RequestId">The request's <c>request_id</c>; null when it had none.</param>
/// <param name="Traceparent">The W3C trace context of the call, or of a new trace when there was no call: a
/// sweep.</param>
internal readonly record struct Cause(string? RequestId, string Traceparent)
{
    /// <summary>What is being done now.</summary>
    public static Cause Current => new(
        RequestContext.Current.RequestId,
        Activity.Current is { IdFormat: ActivityIdFormat.W3C, Id: { } id } ? id : NewTrace());

    /// <summary>The trace id in a trace context; null when it is none.</summary>
    public static string? TraceIdOf(string? traceparent) =>
        traceparent?.Split('-') is [_, { Length: 32 } trace, _, _] ? trace : null;

    /// <summary>Goes on with a trace, whether or not anybody records it: calls to other services carry it.</summary>
    public static Activity Continue(ActivitySource source, string name, string? traceparent)
    {
        if (source.StartActivity(name, ActivityKind.Internal, parentId: traceparent) is { } recorded)
        {
            return recorded;
        }

        var activity = new Activity(name);
        activity.SetIdFormat(ActivityIdFormat.W3C);
        if (traceparent is not null)
        {
            activity.SetParentId(traceparent);
        }

        return activity.Start();
    }

    private static string NewTrace() =>
        $"00-{ActivityTraceId.CreateRandom().ToHexString()}-{ActivitySpanId.CreateRandom().ToHexString()}-00";
}
