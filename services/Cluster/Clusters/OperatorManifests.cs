using Cloud.Watching;
using k8s;
using k8s.Models;

namespace Cloud.Clusters;

/// <summary>The objects that make a cluster able to run installations: the operator's resource definition and the
/// operator itself with its rights. Pure.</summary>
public static class OperatorManifests
{
    /// <summary>Namespace and name of everything of the operator.</summary>
    public const string Name = "mattermost-operator";

    private const string DefinitionResource = "mattermosts.yaml";
    private const int MetricsPort = 8383;

    public static readonly ObjectKey DeploymentKey = new(Name, Name);

    private static readonly Lazy<V1CustomResourceDefinition> ParsedDefinition = new(() =>
    {
        using var stream = typeof(OperatorManifests).Assembly.GetManifestResourceStream(DefinitionResource)
            ?? throw new InvalidOperationException($"{DefinitionResource} is not embedded.");
        using var reader = new StreamReader(stream);
        return KubernetesYaml.Deserialize<V1CustomResourceDefinition>(reader.ReadToEnd());
    });

    /// <summary>Definition of <c>Mattermost</c> resources. Shared: not to be changed.</summary>
    public static V1CustomResourceDefinition Definition => ParsedDefinition.Value;

    /// <summary>Whether we applied an object; somebody else's bears no mark of ours.</summary>
    public static bool IsOurs(IKubernetesObject<V1ObjectMeta> item) =>
        item.Metadata.Annotations?.ContainsKey(Applier.HashAnnotation) == true;

    public static V1Namespace Namespace() => new() { Metadata = new V1ObjectMeta { Name = Name } };

    public static V1ServiceAccount ServiceAccount() => new() { Metadata = Namespaced() };

    /// <summary>What the operator does everywhere; it can only grant what it has itself.</summary>
    public static V1ClusterRole ClusterRole() => new()
    {
        Metadata = new V1ObjectMeta { Name = Name },
        Rules =
        [
            Rule("", ["pods", "services", "configmaps", "secrets", "serviceaccounts", "persistentvolumeclaims"], "*"),
            Rule("", ["namespaces"], "get"),
            Rule("events.k8s.io", ["events"], "create", "patch", "update"),
            Rule("", ["events"], "create", "patch", "update"),
            Rule("coordination.k8s.io", ["leases"], "*"),
            Rule("apps", ["deployments"], "*"),
            new V1PolicyRule
            {
                ApiGroups = ["apps"],
                Resources = ["deployments/finalizers"],
                ResourceNames = [Name],
                Verbs = ["update"],
            },
            Rule("apps", ["replicasets"], "get", "list", "watch", "delete"),
            Rule("batch", ["jobs"], "get", "create", "list", "delete", "watch", "update", "patch"),
            Rule("networking.k8s.io", ["ingresses", "ingressclasses"], "*"),
            Rule("rbac.authorization.k8s.io", ["roles", "rolebindings"],
                "get", "create", "list", "delete", "watch", "update", "patch"),
            Rule("installation.mattermost.com", ["*"], "*"),
            Rule("mattermost.com", ["*"], "*"),
        ],
    };

    public static V1ClusterRoleBinding ClusterRoleBinding() => new()
    {
        Metadata = new V1ObjectMeta { Name = Name },
        RoleRef = new V1RoleRef { ApiGroup = "rbac.authorization.k8s.io", Kind = "ClusterRole", Name = Name },
        Subjects = [new Rbacv1Subject { Kind = "ServiceAccount", Name = Name, NamespaceProperty = Name }],
    };

    public static V1Deployment Deployment(string image) => new()
    {
        Metadata = Namespaced(),
        Spec = new V1DeploymentSpec
        {
            Replicas = 1,
            Strategy = new V1DeploymentStrategy { Type = "Recreate" },
            Selector = new V1LabelSelector { MatchLabels = Labels() },
            Template = new V1PodTemplateSpec
            {
                Metadata = new V1ObjectMeta { Labels = Labels() },
                Spec = new V1PodSpec
                {
                    ServiceAccountName = Name,
                    Containers =
                    [
                        new V1Container
                        {
                            Name = Name,
                            Image = image,
                            ImagePullPolicy = "IfNotPresent",
                            Args = ["--enable-leader-election"],
                            Ports =
                            [
                                new V1ContainerPort { ContainerPort = MetricsPort, Name = "metrics", Protocol = "TCP" },
                            ],
                            Env =
                            [
                                new V1EnvVar { Name = "MAX_RECONCILING_INSTALLATIONS", Value = "50" },
                                new V1EnvVar { Name = "MAX_RECONCILE_CONCURRENCY", Value = "10" },
                            ],
                            ReadinessProbe = new V1Probe
                            {
                                HttpGet = new V1HTTPGetAction { Path = "/readyz", Port = MetricsPort },
                                PeriodSeconds = 2,
                            },
                            Resources = new V1ResourceRequirements
                            {
                                Requests = new Dictionary<string, ResourceQuantity>
                                {
                                    ["cpu"] = new("50m"), ["memory"] = new("128Mi"),
                                },
                            },
                        },
                    ],
                },
            },
        },
    };

    private static V1ObjectMeta Namespaced() => new() { Name = Name, NamespaceProperty = Name };

    private static Dictionary<string, string> Labels() => new() { ["name"] = Name };

    private static V1PolicyRule Rule(string group, string[] resources, params string[] verbs) =>
        new() { ApiGroups = [group], Resources = resources, Verbs = verbs };
}
