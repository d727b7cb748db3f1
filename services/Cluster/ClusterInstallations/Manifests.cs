using System.Globalization;
using System.Text.Json.Nodes;
using Cloud.Watching;

namespace Cloud.ClusterInstallations;

/// <summary>An object as it is to be applied.</summary>
public sealed record Manifest(ResourceKind<UnstructuredObject> Kind, ObjectKey Key, JsonObject Document);

/// <summary>
/// The objects that make an installation real in a cluster. Pure: the same row gives the same objects. Only fields that
/// are ours are named, because server-side apply leaves all others to their owners.
/// </summary>
public static class Manifests
{
    /// <summary>Whose fields these are in the cluster.</summary>
    public const string FieldManager = "cloud-cluster-service";

    /// <summary>On namespace and resource: which installation it is.</summary>
    public const string InstallationLabel = "cloud.mattermost.com/installation-id";

    /// <summary>On namespace and resource: which row of this service it belongs to.</summary>
    public const string ClusterInstallationLabel = "cloud.mattermost.com/cluster-installation-id";

    /// <summary>On the Ingress: size by name, which nothing else in the cluster knows, for whoever looks at
    /// it.</summary>
    public const string SizeAnnotation = "cloud.mattermost.com/size";

    /// <summary>On pods that were made anew for new credentials: uid of the Secret that holds them.</summary>
    public const string CredentialsAnnotation = "cloud.mattermost.com/credentials";

    /// <summary>Keys of the database Secret, as the operator reads them.</summary>
    public const string ConnectionStringKey = "DB_CONNECTION_STRING";
    public const string DataSourceKey = "MM_SQLSETTINGS_DATASOURCE";

    /// <summary>Label that Kubernetes puts on every namespace.</summary>
    private const string NamespaceNameLabel = "kubernetes.io/metadata.name";
    private const string IngressNamespace = "nginx";
    private const string MonitoringNamespace = "prometheus";
    private const string IngressClass = "nginx-controller";
    private const int ApplicationPort = 8065;
    private const int MetricsPort = 8067;

    public static readonly ResourceKind<UnstructuredObject> Namespaces =
        new("", "v1", "namespaces", "Namespace", false);
    public static readonly ResourceKind<UnstructuredObject> NetworkPolicies =
        new("networking.k8s.io", "v1", "networkpolicies", "NetworkPolicy");
    public static readonly ResourceKind<UnstructuredObject> Secrets = new("", "v1", "secrets", "Secret");
    public static readonly ResourceKind<UnstructuredObject> PodDisruptionBudgets =
        new("policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget");
    public static readonly ResourceKind<UnstructuredObject> Mattermosts =
        new("installation.mattermost.com", "v1beta1", "mattermosts", "Mattermost");

    /// <summary>Name of the Secret with the database's credentials.</summary>
    public static string DatabaseSecretName(ClusterInstallation row) => $"{row.ResourceName}-database";

    public static Manifest Namespace(ClusterInstallation row) =>
        Of(Namespaces, row, row.Namespace, ns: null, labelled: true, []);

    /// <summary>Who may talk to the pods: each other, the ingress controller, and whoever reads metrics.</summary>
    public static Manifest NetworkPolicy(ClusterInstallation row) =>
        Of(NetworkPolicies, row, row.ResourceName, row.Namespace, labelled: false, new JsonObject
        {
            ["spec"] = new JsonObject
            {
                ["podSelector"] = new JsonObject(),
                ["policyTypes"] = new JsonArray("Ingress"),
                ["ingress"] = new JsonArray(
                    new JsonObject { ["from"] = new JsonArray(new JsonObject { ["podSelector"] = new JsonObject() }) },
                    FromNamespace(IngressNamespace, ApplicationPort),
                    FromNamespace(MonitoringNamespace, MetricsPort)),
            },
        });

    /// <summary>The only copy of the database's credentials.</summary>
    public static Manifest DatabaseSecret(ClusterInstallation row, string connectionString, string source) =>
        DatabaseSecret(row, new JsonObject
        {
            [ConnectionStringKey] = Encode(connectionString),
            [DataSourceKey] = Encode(source),
        });

    /// <summary>Its place, before there are credentials.</summary>
    public static Manifest EmptyDatabaseSecret(ClusterInstallation row) => DatabaseSecret(row, []);

    private static Manifest DatabaseSecret(ClusterInstallation row, JsonObject credentials) =>
        Of(Secrets, row, DatabaseSecretName(row), row.Namespace, labelled: false, new JsonObject
        {
            ["type"] = "Opaque", ["data"] = credentials,
        });

    /// <summary>Change of the operator's Deployment that has its pods replaced by ones that read a new
    /// Secret.</summary>
    public static JsonObject PodsFor(string secretUid) => new()
    {
        ["spec"] = new JsonObject
        {
            ["template"] = new JsonObject
            {
                ["metadata"] = new JsonObject
                {
                    ["annotations"] = new JsonObject { [CredentialsAnnotation] = secretUid },
                },
            },
        },
    };

    /// <summary>
    /// Keeps one pod alive while nodes are drained; null where there is at most one, because a budget would then
    /// forbid every drain.
    /// </summary>
    public static Manifest? PodDisruptionBudget(ClusterInstallation row) =>
        row.Replicas <= 1 ? null : Of(PodDisruptionBudgets, row, row.ResourceName, row.Namespace, labelled: false,
            new JsonObject
            {
                ["spec"] = new JsonObject
                {
                    ["minAvailable"] = 1,
                    ["selector"] = new JsonObject { ["matchLabels"] = PodLabels(row) },
                },
            });

    /// <summary>
    /// What the operator acts on. Replicas and resources are sent instead of <c>size</c>, because the operator consumes
    /// that field and empties it, and a field that two writers fight over is never at rest.
    /// </summary>
    public static Manifest Mattermost(ClusterInstallation row) =>
        Of(Mattermosts, row, row.ResourceName, row.Namespace, labelled: true, new JsonObject
        {
            ["spec"] = new JsonObject
            {
                ["image"] = row.Spec.Image,
                ["version"] = row.Spec.Version,
                ["replicas"] = row.Replicas,
                ["mattermostEnv"] = Environment(row),
                ["ingress"] = Ingress(row),
                ["resourceLabels"] = new JsonObject
                {
                    ["installation-id"] = row.InstallationId,
                    ["cluster-installation-id"] = row.Id,
                    ["state"] = row.Spec.Hibernated ? "hibernated" : "running",
                },
                ["scheduling"] = Scheduling(row),
                ["dnsConfig"] = new JsonObject
                {
                    ["options"] = new JsonArray(new JsonObject { ["name"] = "ndots", ["value"] = "5" }),
                },
                ["deploymentTemplate"] = new JsonObject { ["revisionHistoryLimit"] = 1 },
                ["database"] = new JsonObject
                {
                    ["external"] = new JsonObject { ["secret"] = DatabaseSecretName(row) },
                },
                ["fileStore"] = new JsonObject
                {
                    ["local"] = new JsonObject { ["enabled"] = true, ["storageSize"] = "1Gi" },
                },
            },
        });

    private static JsonArray Environment(ClusterInstallation row)
    {
        var variables = new SortedDictionary<string, JsonObject>(StringComparer.Ordinal);
        foreach (var (name, value) in row.Spec.Env)
            variables[name] = new JsonObject { ["name"] = name, ["value"] = value };
        foreach (var (name, reference) in row.Spec.SecretEnv)
            variables[name] = Referring(name, "secretKeyRef", reference);
        foreach (var (name, reference) in row.Spec.ConfigMapEnv)
            variables[name] = Referring(name, "configMapKeyRef", reference);
        // Ours comes last, so that no customer's variable can pass for it.
        const string identity = "MM_CLOUD_INSTALLATION_ID";
        variables[identity] = new JsonObject { ["name"] = identity, ["value"] = row.InstallationId };
        return new JsonArray([.. variables.Values]);
    }

    /// <param name="reference"><c>object/key</c>.</param>
    private static JsonObject Referring(string name, string kind, string reference)
    {
        var slash = reference.IndexOf('/', StringComparison.Ordinal);
        return new JsonObject
        {
            ["name"] = name,
            ["valueFrom"] = new JsonObject
            {
                [kind] = new JsonObject { ["name"] = reference[..slash], ["key"] = reference[(slash + 1)..] },
            },
        };
    }

    private static JsonObject Ingress(ClusterInstallation row)
    {
        var ingress = new JsonObject
        {
            ["enabled"] = true,
            ["host"] = row.Spec.DnsNames[0],
            ["ingressClass"] = IngressClass,
            ["annotations"] = IngressAnnotations(row.Spec),
        };
        if (row.Spec.DnsNames.Length > 1)
            ingress["hosts"] = new JsonArray(
                [.. row.Spec.DnsNames.Skip(1).Select(n => new JsonObject { ["hostName"] = n })]);
        return ingress;
    }

    private static JsonObject IngressAnnotations(ClusterInstallationSpec spec)
    {
        var annotations = new JsonObject
        {
            ["nginx.ingress.kubernetes.io/proxy-body-size"] = "100m",
            ["nginx.ingress.kubernetes.io/proxy-send-timeout"] = "600",
            ["nginx.ingress.kubernetes.io/proxy-read-timeout"] = "600",
            [SizeAnnotation] = spec.Size,
        };
        if (spec.Hibernated)
        {
            annotations["cloud.mattermost.com/return-status"] = "410";
            annotations["cloud.mattermost.com/return-message"] =
                "This workspace is hibernated. Ask its administrator to wake it up.";
        }
        return annotations;
    }

    private static JsonObject Scheduling(ClusterInstallation row)
    {
        var size = row.Size;
        return new JsonObject
        {
            ["resources"] = new JsonObject
            {
                ["requests"] = new JsonObject
                {
                    ["cpu"] = Number($"{size.CpuRequestMillis}m"),
                    ["memory"] = Number($"{size.MemoryRequestMebibytes}Mi"),
                },
                ["limits"] = new JsonObject
                {
                    ["cpu"] = Number($"{size.CpuLimitCores}"),
                    ["memory"] = Number($"{size.MemoryLimitGibibytes}Gi"),
                },
            },
            ["affinity"] = new JsonObject
            {
                ["podAntiAffinity"] = new JsonObject
                {
                    ["preferredDuringSchedulingIgnoredDuringExecution"] = new JsonArray(
                        Apart(row, "kubernetes.io/hostname"), Apart(row, "topology.kubernetes.io/zone")),
                },
            },
        };
    }

    private static JsonObject Apart(ClusterInstallation row, string topology) => new()
    {
        ["weight"] = 100,
        ["podAffinityTerm"] = new JsonObject
        {
            ["labelSelector"] = new JsonObject { ["matchLabels"] = PodLabels(row) },
            ["topologyKey"] = topology,
        },
    };

    private static JsonObject PodLabels(ClusterInstallation row) => new()
    {
        ["app"] = "mattermost",
        ["installation.mattermost.com/installation"] = row.ResourceName,
    };

    private static JsonObject FromNamespace(string name, int port) => new()
    {
        ["from"] = new JsonArray(new JsonObject
        {
            ["namespaceSelector"] = new JsonObject
            {
                ["matchLabels"] = new JsonObject { [NamespaceNameLabel] = name },
            },
        }),
        ["ports"] = new JsonArray(new JsonObject { ["protocol"] = "TCP", ["port"] = port }),
    };

    private static Manifest Of(ResourceKind<UnstructuredObject> kind, ClusterInstallation row, string name, string? ns,
        bool labelled, JsonObject document)
    {
        var metadata = new JsonObject { ["name"] = name };
        if (ns is not null) metadata["namespace"] = ns;
        if (labelled)
            metadata["labels"] = new JsonObject
            {
                [InstallationLabel] = row.InstallationId,
                [ClusterInstallationLabel] = row.Id,
            };
        document.Insert(0, "apiVersion", kind.ApiVersion);
        document.Insert(1, "kind", kind.Kind);
        document.Insert(2, "metadata", metadata);
        return new Manifest(kind, new ObjectKey(ns ?? "", name), document);
    }

    private static string Encode(string text) => Convert.ToBase64String(System.Text.Encoding.UTF8.GetBytes(text));

    private static string Number(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
