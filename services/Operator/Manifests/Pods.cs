using System.Globalization;
using Cloud.Operator.Mattermosts;
using k8s.Models;

namespace Cloud.Operator.Manifests;

/// <summary>Everything that the manifests depend on besides the resource itself.</summary>
public sealed record Facts(DatabaseSettings Database, FileStoreSettings FileStore);

/// <summary>The pods of the application.</summary>
public static class Pods
{
    private const string LicenseVolume = "mattermost-license";
    private const string LicensePath = "/mattermost-license";

    private const long BytesPerMegabyte = 1048576;

    /// <summary>Not 1024 megabytes: existing installations have this limit and must not restart.</summary>
    private const long BytesPerGigabyte = 1048576000;

    private const long BodySizeDefault = 1000 * BytesPerMegabyte;
    private const string BodySizeAnnotation = "nginx.ingress.kubernetes.io/proxy-body-size";

    private static readonly HashSet<string> VolumeSources = new(StringComparer.Ordinal)
    {
        "configMap", "secret", "emptyDir", "persistentVolumeClaim", "projected", "downwardAPI", "csi",
    };

    /// <summary>The full image: a digest is joined by @, a tag by a colon.</summary>
    public static string Image(MattermostSpec spec) =>
        spec.Version?.StartsWith("sha256:", StringComparison.Ordinal) == true
            ? $"{spec.Image}@{spec.Version}" : $"{spec.Image}:{spec.Version}";

    /// <summary>The template of the application's Deployment.</summary>
    public static V1PodTemplateSpec Template(Mattermost mattermost, Facts facts)
    {
        var spec = mattermost.Spec;
        var annotations = Names.Overlay(spec.PodTemplate?.ExtraAnnotations, LicenseAnnotations(spec));
        return new V1PodTemplateSpec
        {
            Metadata = new V1ObjectMeta
            {
                Labels = Names.PodLabels(mattermost),
                Annotations = annotations.Count == 0 ? null : annotations,
            },
            Spec = new V1PodSpec
            {
                ServiceAccountName = mattermost.Name,
                InitContainers = OrNull<V1Container>(
                    [facts.Database.ReadinessCheck(spec), .. spec.PodExtensions?.InitContainers ?? []]),
                Containers = [Application(mattermost, facts), .. spec.PodExtensions?.SidecarContainers ?? []],
                ImagePullSecrets = OrNull<V1LocalObjectReference>([.. spec.ImagePullSecrets ?? []]),
                Volumes = OrNull<V1Volume>(
                    [.. spec.Volumes ?? [], facts.FileStore.Volume(), License(spec)]),
                DnsConfig = spec.DnsConfig,
                DnsPolicy = OrNull(spec.DnsPolicy),
                Affinity = spec.Scheduling?.Affinity,
                NodeSelector = spec.Scheduling?.NodeSelector is { Count: > 0 } selector ? selector : null,
                Tolerations = OrNull<V1Toleration>([.. spec.Scheduling?.Tolerations ?? []]),
                SecurityContext = spec.PodTemplate?.SecurityContext,
            },
        };
    }

    /// <exception cref="SpecProblemException">A volume reaches into the node or the network.</exception>
    public static void RequireAllowedVolumes(MattermostSpec spec)
    {
        foreach (var volume in spec.Volumes ?? [])
        {
            var source = System.Text.Json.Nodes.JsonNode.Parse(k8s.KubernetesJson.Serialize(volume))!.AsObject()
                .Select(p => p.Key).FirstOrDefault(k => k != "name" && !VolumeSources.Contains(k));
            if (source is not null)
            {
                throw new SpecProblemException(
                    "VolumeForbidden",
                    $"Volume '{volume.Name}' is of the type {source}; allowed are {string.Join(", ", VolumeSources)}.");
            }
        }
    }

    private static V1Container Application(Mattermost mattermost, Facts facts)
    {
        var spec = mattermost.Spec;
        return new V1Container
        {
            Name = Names.Container,
            Image = Image(spec),
            ImagePullPolicy = spec.ImagePullPolicy,
            TerminationMessagePolicy = "FallbackToLogsOnError",
            Command = spec.PodTemplate?.Command is { Count: > 0 } command ? command : ["mattermost"],
            Env = Environment(mattermost, facts),
            Ports =
            [
                new V1ContainerPort { ContainerPort = Names.AppPort, Name = "app" },
                new V1ContainerPort { ContainerPort = Names.MetricsPort, Name = "metrics" },
                .. spec.PodExtensions?.ContainerPorts ?? [],
            ],
            LivenessProbe = Probe(spec.Probes?.LivenessProbe, periodSeconds: 10, failures: 3),
            ReadinessProbe = Probe(spec.Probes?.ReadinessProbe, periodSeconds: 5, failures: 6),
            VolumeMounts = OrNull<V1VolumeMount>(
                [.. spec.VolumeMounts ?? [], facts.FileStore.Mount(), LicenseMount(spec)]),
            Resources = spec.Scheduling?.Resources,
            SecurityContext = spec.PodTemplate?.ContainerSecurityContext,
        };
    }

    private static List<V1EnvVar> Environment(Mattermost mattermost, Facts facts)
    {
        var spec = mattermost.Spec;
        var host = Ingresses.PrimaryHost(spec);
        List<V1EnvVar?> variables =
        [
            .. facts.Database.Environment(),
            .. facts.FileStore.Environment(),
            .. ElasticSearch(spec.ElasticSearch),
            Value("MM_PLUGINSETTINGS_ENABLEUPLOADS", "true"),
            Value("MM_METRICSSETTINGS_ENABLE", "true"),
            Value("MM_METRICSSETTINGS_LISTENADDRESS", $":{Names.MetricsPort}"),
            Value("MM_CLUSTERSETTINGS_ENABLE", "true"),
            Value("MM_CLUSTERSETTINGS_CLUSTERNAME", "production"),
            Value("MM_INSTALL_TYPE", "kubernetes-operator"),
            string.IsNullOrEmpty(host) ? null : Value("MM_SERVICESETTINGS_SITEURL", $"https://{host}"),
            Value("MM_FILESETTINGS_MAXFILESIZE", MaxFileSize(spec).ToString(CultureInfo.InvariantCulture)),
            JobServers.IsWanted(spec) ? Value("MM_JOBSETTINGS_RUNJOBS", "false") : null,
            string.IsNullOrEmpty(spec.LicenseSecret)
                ? null : Value("MM_SERVICESETTINGS_LICENSEFILELOCATION", $"{LicensePath}/license"),
        ];
        return Merge(variables, spec.MattermostEnv);
    }

    /// <summary>The user's variables replace in place, or come last; of duplicates the last one counts.</summary>
    private static List<V1EnvVar> Merge(List<V1EnvVar?> variables, List<V1EnvVar>? users)
    {
        var merged = variables.OfType<V1EnvVar>().ToList();
        foreach (var variable in users ?? [])
        {
            var position = merged.FindIndex(v => v.Name == variable.Name);
            if (position < 0)
            {
                merged.Add(variable);
            }
            else
            {
                merged[position] = variable;
            }
        }

        return merged;
    }

    private static IEnumerable<V1EnvVar> ElasticSearch(ElasticSearchSpec? server) =>
        string.IsNullOrEmpty(server?.Host) ? [] :
        [
            Value("MM_ELASTICSEARCHSETTINGS_ENABLEINDEXING", "true"),
            Value("MM_ELASTICSEARCHSETTINGS_ENABLESEARCHING", "true"),
            Value("MM_ELASTICSEARCHSETTINGS_CONNECTIONURL", server.Host),
            Value("MM_ELASTICSEARCHSETTINGS_USERNAME", server.Username ?? ""),
            Value("MM_ELASTICSEARCHSETTINGS_PASSWORD", server.Password ?? ""),
        ];

    /// <summary>Follows the body size that the user gave the ingress, so that the two do not disagree.</summary>
    private static long MaxFileSize(MattermostSpec spec)
    {
        if (spec.UseServiceLoadBalancer == true
            || Ingresses.UserAnnotations(spec)?.GetValueOrDefault(BodySizeAnnotation) is not { Length: > 0 } text)
        {
            return BodySizeDefault;
        }

        var unit = char.ToUpperInvariant(text[^1]) switch { 'M' => BytesPerMegabyte, 'G' => BytesPerGigabyte, _ => 0 };
        if (unit == 0)
        {
            return BodySizeDefault;
        }

        return long.TryParse(text[..^1], NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number)
            && Math.Abs(number) <= long.MaxValue / BytesPerGigabyte ? number * unit : 0;
    }

    private static V1Probe Probe(V1Probe? custom, int periodSeconds, int failures)
    {
        var ownHandler = custom is { Exec: null, Grpc: null, HttpGet: null, TcpSocket: null } or null;
        return new V1Probe
        {
            HttpGet = ownHandler
                ? new V1HTTPGetAction { Path = "/api/v4/system/ping", Port = Names.AppPort } : custom!.HttpGet,
            Exec = custom?.Exec,
            Grpc = custom?.Grpc,
            TcpSocket = custom?.TcpSocket,
            InitialDelaySeconds = NonZero(custom?.InitialDelaySeconds) ?? 10,
            PeriodSeconds = NonZero(custom?.PeriodSeconds) ?? periodSeconds,
            FailureThreshold = NonZero(custom?.FailureThreshold) ?? failures,
            SuccessThreshold = NonZero(custom?.SuccessThreshold),
            TimeoutSeconds = NonZero(custom?.TimeoutSeconds),
        };
    }

    private static Dictionary<string, string>? LicenseAnnotations(MattermostSpec spec) =>
        string.IsNullOrEmpty(spec.LicenseSecret) ? null : new Dictionary<string, string>
        {
            ["prometheus.io/scrape"] = "true",
            ["prometheus.io/path"] = "/metrics",
            ["prometheus.io/port"] = Names.MetricsPort.ToString(CultureInfo.InvariantCulture),
        };

    private static V1Volume? License(MattermostSpec spec) =>
        string.IsNullOrEmpty(spec.LicenseSecret) ? null : new V1Volume
        {
            Name = LicenseVolume,
            Secret = new V1SecretVolumeSource { SecretName = spec.LicenseSecret },
        };

    private static V1VolumeMount? LicenseMount(MattermostSpec spec) =>
        string.IsNullOrEmpty(spec.LicenseSecret)
            ? null : new V1VolumeMount { Name = LicenseVolume, MountPath = LicensePath, ReadOnlyProperty = true };

    private static V1EnvVar Value(string name, string value) => new() { Name = name, Value = value };

    private static int? NonZero(int? value) => value is 0 ? null : value;

    private static string? OrNull(string? text) => string.IsNullOrEmpty(text) ? null : text;

    /// <summary>Applying an empty list would mean owning it.</summary>
    private static List<T>? OrNull<T>(IEnumerable<T?> items)
        where T : class
    {
        var present = items.OfType<T>().ToList();
        return present.Count == 0 ? null : present;
    }
}
