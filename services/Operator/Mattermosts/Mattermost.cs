using System.Text.Json;
using System.Text.Json.Serialization;
using Cloud.Watching;
using k8s;
using k8s.Models;

namespace Cloud.Operator.Mattermosts;

/// <summary>
/// The custom resource <c>Mattermost</c>: one copy of the application in one namespace. Fields that this class does not
/// know are kept, and the resource is only ever written by patches, so nothing of a newer version is lost.
/// </summary>
public sealed class Mattermost : IKubernetesObject<V1ObjectMeta>
{
    /// <summary>Where these resources live in the API.</summary>
    public static readonly ResourceKind<Mattermost> ResourceKind =
        new("installation.mattermost.com", "v1beta1", "mattermosts", "Mattermost");

    public string ApiVersion { get; set; } = "";

    public string Kind { get; set; } = "";

    public V1ObjectMeta Metadata { get; set; } = new();

    public MattermostSpec Spec { get; set; } = new();

    public MattermostStatus? Status { get; set; }

    [JsonExtensionData]
    public Dictionary<string, JsonElement>? Others { get; set; }

    /// <summary>The key under which work on this resource is queued.</summary>
    [JsonIgnore]
    public ObjectKey Key => ObjectKey.Of(this);

    /// <summary>The name that almost every child object bears.</summary>
    [JsonIgnore]
    public string Name => Metadata.Name;

    [JsonIgnore]
    public string Namespace => Metadata.NamespaceProperty;
}

/// <summary>What the operator reports.</summary>
public sealed record MattermostStatus
{
    /// <summary>One of <see cref="MattermostState"/>; absent before the first pass.</summary>
    public string? State { get; init; }

    /// <summary>Replicas of the Deployment, old ones included.</summary>
    public int? Replicas { get; init; }

    /// <summary>Available replicas of the newest ReplicaSet.</summary>
    public int? UpdatedReplicas { get; init; }

    /// <summary>Set once at least one new replica is available.</summary>
    public string? Version { get; init; }

    /// <summary>Repository only; see <see cref="Version"/>.</summary>
    public string? Image { get; init; }

    /// <summary>Host under which the copy is reached, or the text <c>not available</c>.</summary>
    public string? Endpoint { get; init; }

    /// <summary>Generation of the resource that this status is about.</summary>
    public long? ObservedGeneration { get; init; }

    /// <summary>Why the last pass failed; absent when it did not.</summary>
    public string? Error { get; init; }

    public ResourcePatchStatus? ResourcePatch { get; init; }

    [JsonExtensionData]
    public IDictionary<string, JsonElement>? Others { get; set; }
}

/// <summary>Values of <see cref="MattermostStatus.State"/>.</summary>
public static class MattermostState
{
    /// <summary>Something is pending or failed.</summary>
    public const string Reconciling = "reconciling";

    /// <summary>At least one new replica serves, but the rollout is not over.</summary>
    public const string Ready = "ready";

    /// <summary>Everything is as the spec says.</summary>
    public const string Stable = "stable";

    /// <summary>True while the resource takes one of the places of the concurrency gate.</summary>
    public static bool IsInProgress(string? state) => state is Reconciling or Ready;
}

/// <summary>Results of the JSON patches of the spec; each is absent when there is no patch.</summary>
public sealed record ResourcePatchStatus
{
    public PatchResult? ServicePatch { get; init; }

    public PatchResult? DeploymentPatch { get; init; }
}

/// <summary>Whether a patch was applied, and why not.</summary>
public sealed record PatchResult
{
    public bool? Applied { get; init; }

    public string? Error { get; init; }
}
