using System.Globalization;
using System.Text.Json.Serialization;
using Cloud.ClusterInstallations;
using Cloud.Watching;
using k8s;
using k8s.Models;

namespace Cloud.Providers;

/// <summary>What this service reads of a <c>Mattermost</c> resource: its identity and the operator's report. The spec
/// is
/// written by server-side apply and never read back.</summary>
public sealed class MattermostResource : IKubernetesObject<V1ObjectMeta>
{
    public static readonly ResourceKind<MattermostResource> Resource =
        new("installation.mattermost.com", "v1beta1", "mattermosts", "Mattermost");

    [JsonPropertyName("apiVersion")]
    public string ApiVersion { get; set; } = "";

    [JsonPropertyName("kind")]
    public string Kind { get; set; } = "";

    [JsonPropertyName("metadata")]
    public V1ObjectMeta Metadata { get; set; } = new();

    [JsonPropertyName("status")]
    public ReportedStatus? Status { get; set; }

    /// <summary>The report is about the newest spec, not about an earlier one.</summary>
    [JsonIgnore]
    public bool IsCurrent => Status is { } status && status.ObservedGeneration == Metadata.Generation;

    /// <summary>The operator has done all that the newest spec asks for.</summary>
    [JsonIgnore]
    public bool IsStable => IsCurrent && Status?.State == "stable";

    /// <summary>The report as it is kept in a row.</summary>
    public OperatorStatus Report() => Status is null ? OperatorStatus.None : new OperatorStatus
    {
        State = Status.State ?? "",
        Replicas = Status.Replicas ?? 0,
        UpdatedReplicas = Status.UpdatedReplicas ?? 0,
        Version = Status.Version ?? "",
        Image = Status.Image ?? "",
        Endpoint = Status.Endpoint ?? "",
        Error = Status.Error ?? "",
    };

    /// <summary>Drops what nobody reads.</summary>
    public static MattermostResource Trim(MattermostResource resource)
    {
        resource.Metadata = ObjectLabels.Keep(resource.Metadata);
        return resource;
    }

    /// <summary>The operator's report as the resource carries it.</summary>
    public sealed class ReportedStatus
    {
        [JsonPropertyName("state")]
        public string? State { get; set; }

        [JsonPropertyName("replicas")]
        public int? Replicas { get; set; }

        [JsonPropertyName("updatedReplicas")]
        public int? UpdatedReplicas { get; set; }

        [JsonPropertyName("version")]
        public string? Version { get; set; }

        [JsonPropertyName("image")]
        public string? Image { get; set; }

        [JsonPropertyName("endpoint")]
        public string? Endpoint { get; set; }

        [JsonPropertyName("error")]
        public string? Error { get; set; }

        [JsonPropertyName("observedGeneration")]
        public long? ObservedGeneration { get; set; }
    }
}

/// <summary>A namespace by its metadata alone.</summary>
public sealed class WorkspaceNamespace : IKubernetesObject<V1ObjectMeta>
{
    public static readonly ResourceKind<WorkspaceNamespace> Resource =
        new("", "v1", "namespaces", "Namespace", false);

    [JsonPropertyName("apiVersion")]
    public string ApiVersion { get; set; } = "";

    [JsonPropertyName("kind")]
    public string Kind { get; set; } = "";

    [JsonPropertyName("metadata")]
    public V1ObjectMeta Metadata { get; set; } = new();

    /// <summary>It is being deleted: nothing can be made in it.</summary>
    [JsonIgnore]
    public bool IsTerminating => Metadata.DeletionTimestamp is not null;

    /// <summary>Drops what nobody reads.</summary>
    public static WorkspaceNamespace Trim(WorkspaceNamespace ns)
    {
        ns.Metadata = ObjectLabels.Keep(ns.Metadata);
        return ns;
    }
}

/// <summary>Whose an object is, as its labels and annotations say.</summary>
internal static class ObjectLabels
{
    public static string ClusterInstallationId(this IKubernetesObject<V1ObjectMeta> item) =>
        Label(item, Manifests.ClusterInstallationLabel);

    public static string InstallationId(this IKubernetesObject<V1ObjectMeta> item) =>
        Label(item, Manifests.InstallationLabel);

    /// <summary>Epoch of the worker that wrote it; 0 when it does not say.</summary>
    public static long Epoch(this IKubernetesObject<V1ObjectMeta> item) =>
        item.Metadata.Annotations is { } annotations
        && annotations.TryGetValue(FencedWrites.EpochAnnotation, out var text)
        && long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var epoch)
            ? epoch
            : 0;

    /// <summary>Resource name of the row that it was written for; empty when it does not say.</summary>
    public static string Row(this IKubernetesObject<V1ObjectMeta> item) =>
        item.Metadata.Annotations is { } annotations
        && annotations.TryGetValue(FencedWrites.RowAnnotation, out var row) ? row : "";

    /// <summary>The metadata that this service reads.</summary>
    public static V1ObjectMeta Keep(V1ObjectMeta metadata) => new()
    {
        Name = metadata.Name,
        NamespaceProperty = metadata.NamespaceProperty,
        Uid = metadata.Uid,
        ResourceVersion = metadata.ResourceVersion,
        Generation = metadata.Generation,
        DeletionTimestamp = metadata.DeletionTimestamp,
        Labels = Only(metadata.Labels, Manifests.InstallationLabel, Manifests.ClusterInstallationLabel),
        Annotations = Only(metadata.Annotations, FencedWrites.RowAnnotation, FencedWrites.EpochAnnotation),
    };

    private static string Label(IKubernetesObject<V1ObjectMeta> item, string name) =>
        item.Metadata.Labels is { } labels && labels.TryGetValue(name, out var value) ? value : "";

    private static Dictionary<string, string>? Only(IDictionary<string, string>? from, params string[] names) =>
        from?.Where(p => names.Contains(p.Key)).ToDictionary(p => p.Key, p => p.Value, StringComparer.Ordinal);
}
