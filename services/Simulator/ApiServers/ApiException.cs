using System.Text.Json.Nodes;

namespace Cloud.Simulator.ApiServers;

/// <summary>
/// A refusal as a Kubernetes API server words it; becomes a <c>Status</c> body over HTTP.
/// </summary>
/// <param name="code">HTTP status code.</param>
/// <param name="reason">Machine-readable reason: NotFound, AlreadyExists, Conflict, Invalid, ...</param>
/// <param name="message">Text for people, in the wording of the real server.</param>
public sealed class ApiException(int code, string reason, string message) : Exception(message)
{
    /// <summary>HTTP status code.</summary>
    public int Code { get; } = code;

    /// <summary>Machine-readable reason.</summary>
    public string Reason { get; } = reason;

    /// <summary>The <c>details</c> of the Status (name, group, kind, causes), when there are any.</summary>
    public JsonObject? Details { get; init; }

    /// <summary>The list metadata of the Status, when there is any: where an expired list could go on.</summary>
    public JsonObject? ListMetadata { get; init; }
}
