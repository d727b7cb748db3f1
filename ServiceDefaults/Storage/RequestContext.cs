using System.Diagnostics;

namespace Cloud.ServiceDefaults.Storage;

/// <summary>Who caused what is being done now, for events and logs. It flows with the asynchronous call: the gRPC
/// interceptor sets it for a request, the supervisor for a step.</summary>
/// <param name="Actor">The caller's name from metadata <c>x-actor</c>, <c>anonymous</c> without one, or
/// <c>supervisor</c> for the loop, which names itself to other services by the service's name.</param>
/// <param name="RequestId">The <c>request_id</c> of the request that caused it, here or in the service that called for
/// it; null if it had none.</param>
/// <param name="Resource">The resource that a turn of the loop is about; null for a request.</param>
public sealed record RequestContext(string Actor, string? RequestId, string? Resource = null)
{
    /// <summary>See there. A turn of the loop learns it with its row.</summary>
    public string? RequestId { get; internal set; } = RequestId;

    /// <summary>The actor of work that the loop does.</summary>
    public const string SupervisorActor = "supervisor";

    /// <summary>Metadata in which a service tells another the <see cref="RequestId"/>. Binary, since the id may be any
    /// text.</summary>
    public const string RequestIdHeader = "x-cause-request-id-bin";

    /// <summary>The actor of a request that does not say who it is.</summary>
    public const string AnonymousActor = "anonymous";

    private static readonly AsyncLocal<RequestContext?> Flowing = new();

    /// <summary>The context of this call; anonymous when nobody set one.</summary>
    public static RequestContext Current
    {
        get => Flowing.Value ?? Nobody;
        set => Flowing.Value = value;
    }

    /// <summary>The W3C trace id of what is being done, if it is traced.</summary>
    public static string? TraceId => Activity.Current?.TraceId.ToHexString();

    private static RequestContext Nobody { get; } = new(AnonymousActor, null);
}
