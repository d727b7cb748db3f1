using System.Text.Json;
using System.Text.Json.Serialization;
using k8s.Models;

namespace Cloud.Operator.Mattermosts;

/// <summary>What the owner of a copy wants. Every field is optional; see the CRD for meanings and defaults.</summary>
public sealed class MattermostSpec
{
    /// <summary>A name of <see cref="Manifests.Sizes"/>; used up and erased by the first pass that sees it.</summary>
    public string? Size { get; set; }

    /// <summary>Image repository, without tag.</summary>
    public string? Image { get; set; }

    /// <summary>Image tag, or a digest that starts with <c>sha256:</c>.</summary>
    public string? Version { get; set; }

    /// <summary>0 hibernates.</summary>
    public int? Replicas { get; set; }

    public List<V1EnvVar>? MattermostEnv { get; set; }

    /// <summary>Secret with the key <c>license</c>.</summary>
    public string? LicenseSecret { get; set; }

    /// <summary>Deprecated host; counts only without <see cref="Ingress"/>.</summary>
    public string? IngressName { get; set; }

    /// <summary>Deprecated; counts only without <see cref="Ingress"/>.</summary>
    public Dictionary<string, string>? IngressAnnotations { get; set; }

    /// <summary>Deprecated; counts only without <see cref="Ingress"/>.</summary>
    [JsonPropertyName("useIngressTLS")]
    public bool? UseIngressTls { get; set; }

    public bool? UseServiceLoadBalancer { get; set; }

    public Dictionary<string, string>? ServiceAnnotations { get; set; }

    /// <summary>Labels of lowest precedence on everything that is made.</summary>
    public Dictionary<string, string>? ResourceLabels { get; set; }

    public IngressSpec? Ingress { get; set; }

    public LoadBalancerControllerSpec? AwsLoadBalancerController { get; set; }

    public List<V1Volume>? Volumes { get; set; }

    public List<V1VolumeMount>? VolumeMounts { get; set; }

    public string? ImagePullPolicy { get; set; }

    public List<V1LocalObjectReference>? ImagePullSecrets { get; set; }

    public V1PodDNSConfig? DnsConfig { get; set; }

    public string? DnsPolicy { get; set; }

    public DatabaseSpec? Database { get; set; }

    public FileStoreSpec? FileStore { get; set; }

    public ElasticSearchSpec? ElasticSearch { get; set; }

    public SchedulingSpec? Scheduling { get; set; }

    public ProbesSpec? Probes { get; set; }

    public PodTemplateSpec? PodTemplate { get; set; }

    public DeploymentTemplateSpec? DeploymentTemplate { get; set; }

    public UpdateJobSpec? UpdateJob { get; set; }

    public JobServerSpec? JobServer { get; set; }

    public PodExtensionsSpec? PodExtensions { get; set; }

    public ResourcePatchSpec? ResourcePatch { get; set; }

    [JsonExtensionData]
    public Dictionary<string, JsonElement>? Others { get; set; }
}

/// <summary>How the copy is reached from outside, by an Ingress.</summary>
public sealed class IngressSpec
{
    public bool Enabled { get; set; }

    public string? Host { get; set; }

    public List<HostSpec>? Hosts { get; set; }

    public Dictionary<string, string>? Annotations { get; set; }

    public string? TlsSecret { get; set; }

    public string? IngressClass { get; set; }
}

/// <summary>One more host name.</summary>
public sealed class HostSpec
{
    public string? HostName { get; set; }
}

/// <summary>How the copy is reached through an AWS application load balancer.</summary>
public sealed class LoadBalancerControllerSpec
{
    public bool Enabled { get; set; }

    [JsonPropertyName("certificateARN")]
    public string? CertificateArn { get; set; }

    public bool InternetFacing { get; set; }

    public List<HostSpec>? Hosts { get; set; }

    public string? IngressClassName { get; set; }

    public Dictionary<string, string>? Annotations { get; set; }
}

/// <summary>Which database.</summary>
public sealed class DatabaseSpec
{
    public ExternalDatabaseSpec? External { get; set; }

    /// <summary>A MySQL made by another operator. Accepted and kept, but not made by this one.</summary>
    public JsonElement? OperatorManaged { get; set; }

    public bool? DisableReadinessCheck { get; set; }

    public ReadinessCheckSpec? ReadinessCheck { get; set; }
}

/// <summary>A database that exists; the Secret says where.</summary>
public sealed class ExternalDatabaseSpec
{
    public string? Secret { get; set; }
}

/// <summary>How pods wait for the database.</summary>
public sealed class ReadinessCheckSpec
{
    /// <summary><c>external</c> (default) or <c>builtin</c>.</summary>
    public string? Mode { get; set; }

    /// <summary>Duration in Go notation; builtin only. Default 5m.</summary>
    public string? Timeout { get; set; }
}

/// <summary>Where files are kept; the first that is complete wins, in this order.</summary>
public sealed class FileStoreSpec
{
    public ExternalFileStoreSpec? External { get; set; }

    public ExternalVolumeSpec? ExternalVolume { get; set; }

    public LocalFileStoreSpec? Local { get; set; }

    /// <summary>A MinIO made by another operator. Accepted and kept, but not made by this one.</summary>
    public JsonElement? OperatorManaged { get; set; }
}

/// <summary>An S3 bucket.</summary>
public sealed class ExternalFileStoreSpec
{
    public string? Url { get; set; }

    public string? Bucket { get; set; }

    /// <summary>Secret with <c>accesskey</c> and <c>secretkey</c>.</summary>
    public string? Secret { get; set; }

    /// <summary>Take the rights of a ServiceAccount that exists instead of keys.</summary>
    public bool? UseServiceAccount { get; set; }
}

/// <summary>A claim that exists.</summary>
public sealed class ExternalVolumeSpec
{
    public string? VolumeClaimName { get; set; }
}

/// <summary>A claim that the operator makes, and that goes with the resource.</summary>
public sealed class LocalFileStoreSpec
{
    public bool Enabled { get; set; }

    public string? StorageSize { get; set; }

    public List<string>? AccessModes { get; set; }
}

/// <summary>An Elasticsearch server.</summary>
public sealed class ElasticSearchSpec
{
    public string? Host { get; set; }

    public string? Username { get; set; }

    public string? Password { get; set; }
}

/// <summary>Where pods run and what they may use.</summary>
public sealed class SchedulingSpec
{
    public V1ResourceRequirements? Resources { get; set; }

    public Dictionary<string, string>? NodeSelector { get; set; }

    public V1Affinity? Affinity { get; set; }

    public List<V1Toleration>? Tolerations { get; set; }
}

/// <summary>Changes to the default probes.</summary>
public sealed class ProbesSpec
{
    public V1Probe? LivenessProbe { get; set; }

    public V1Probe? ReadinessProbe { get; set; }
}

/// <summary>Changes to the pods.</summary>
public sealed class PodTemplateSpec
{
    public List<string>? Command { get; set; }

    public V1PodSecurityContext? SecurityContext { get; set; }

    public V1SecurityContext? ContainerSecurityContext { get; set; }

    public Dictionary<string, string>? ExtraAnnotations { get; set; }

    public Dictionary<string, string>? ExtraLabels { get; set; }
}

/// <summary>Changes to the Deployment.</summary>
public sealed class DeploymentTemplateSpec
{
    public string? DeploymentStrategyType { get; set; }

    public int? RevisionHistoryLimit { get; set; }
}

/// <summary>The Job that migrates the database before a new image rolls out.</summary>
public sealed class UpdateJobSpec
{
    public bool? Disabled { get; set; }

    public Dictionary<string, string>? ExtraAnnotations { get; set; }

    public Dictionary<string, string>? ExtraLabels { get; set; }
}

/// <summary>A Deployment of its own for background jobs.</summary>
public sealed class JobServerSpec
{
    public bool? DedicatedJobServer { get; set; }
}

/// <summary>More containers and ports for the pods.</summary>
public sealed class PodExtensionsSpec
{
    public List<V1Container>? InitContainers { get; set; }

    public List<V1Container>? SidecarContainers { get; set; }

    public List<V1ContainerPort>? ContainerPorts { get; set; }
}

/// <summary>JSON patches (RFC 6902) on what the operator generates.</summary>
public sealed class ResourcePatchSpec
{
    public PatchSpec? Service { get; set; }

    public PatchSpec? Deployment { get; set; }
}

/// <summary>One patch as text.</summary>
public sealed class PatchSpec
{
    public string? Patch { get; set; }

    public bool? Disable { get; set; }
}
