using System.Text.Json.Nodes;

namespace Cloud.Simulator.ApiServers;

/// <summary>
/// One simulated cluster's API in process: what an HTTP client would get, without HTTP.
/// Resources are named "plural" for the legacy group and "plural.group" for the others, for example
/// <c>pods</c>, <c>deployments.apps</c>, <c>ingresses.networking.k8s.io</c>.
/// Every object handed in or out is the caller's own copy, never the stored one.
/// </summary>
/// <remarks>
/// Refusals are <see cref="ApiException"/>s with the code, reason and wording of a real API server.
/// Calls in process are not subject to <see cref="Faults"/>: a controller that wants to be told to fail asks them
/// itself.
/// </remarks>
public interface IClusterApi
{
    /// <summary>Name of the cluster, unique in this process.</summary>
    string ClusterName { get; }

    /// <summary>The object, or null when there is none.</summary>
    JsonObject? Get(string resource, string? ns, string name);

    /// <summary>All objects of a kind, of one namespace when given, ordered by namespace and name.</summary>
    IReadOnlyList<JsonObject> List(string resource, string? ns = null, string? labelSelector = null);

    /// <summary>Stores a new object and returns it with defaults and metadata filled in. 409 AlreadyExists.</summary>
    JsonObject Create(string resource, JsonObject obj, string manager);

    /// <summary>
    /// Replaces an object; its resourceVersion is checked when present (409 Conflict). Status is left alone.
    /// The scheduler binds a pod by setting its <c>spec.nodeName</c>; the resource <c>namespaces/finalize</c> replaces
    /// <c>spec.finalizers</c> of a namespace and removes a terminating one when none are left.
    /// </summary>
    JsonObject Update(string resource, JsonObject obj, string manager);

    /// <summary>Replaces the status of an object only; its resourceVersion is checked when present.</summary>
    JsonObject UpdateStatus(string resource, JsonObject obj, string manager);

    /// <summary>
    /// Deletes an object, or marks it deleted while finalizers hold it.
    /// <paramref name="propagation"/> is Background, Foreground or Orphan; <paramref name="uid"/> a precondition.
    /// 404 when there is none. A pod that is bound to a node is only marked deleted, for its own grace period unless
    /// <paramref name="gracePeriodSeconds"/> says otherwise, until the node has stopped it and deletes it with 0.
    /// </summary>
    void Delete(string resource, string? ns, string name, string propagation = "Background", string? uid = null,
        long? gracePeriodSeconds = null);

    /// <summary>
    /// Tells of every change from now on, in order, without gaps, until the answer is disposed. Each is told within the
    /// write that made it, before that returns: whoever hears it notes it for later, and neither waits nor writes.
    /// </summary>
    IDisposable Watch(string resource, Action<WatchEvent> hear);
}

/// <summary>
/// A change of one object: <c>ADDED</c>, <c>MODIFIED</c> or <c>DELETED</c>. The object is copied when it is first read,
/// so that no write waits for that.
/// </summary>
public sealed record WatchEvent(string Type, Lazy<JsonObject> Object);
