using System.Reflection;
using Cloud.Simulator.ApiServers.Schemas;
using Cloud.Simulator.ApiServers.Tables;
using k8s.Models;

namespace Cloud.Simulator.ApiServers.ResourceTypes;

/// <summary>
/// The table of built-in kinds. A new kind is a row here; nothing else is written per kind but its peculiarities.
/// </summary>
public static class BuiltInTypes
{
    private static readonly ScalePaths ReplicaScale =
        new(["spec", "replicas"], ["status", "replicas"], ["spec", "selector"]);

    private static readonly string[] AllCategory = ["all"];

    /// <summary>Every built-in kind.</summary>
    public static IReadOnlyList<ResourceType> All { get; } = 
        [.. Legacy(), .. Workloads(), .. Networking(), .. Policy(), .. Others(), .. Reviews()];

    private static IEnumerable<ResourceType> Legacy()
    {
        yield return Make<V1Namespace>("", "namespaces", "ns") with
        {
            Namespaced = false, HasStatus = true, Subresources = ["finalize"], Names = NameRule.Label,
            FieldSelectors = Paths("status.phase"), AnswersDeletedObject = true,
        };
        yield return Make<V1Node>("", "nodes", "no") with
        {
            Namespaced = false, HasStatus = true, FieldSelectors = Paths("spec.unschedulable"),
        };
        yield return Make<V1Pod>("", "pods", "po") with
        {
            HasStatus = true, HasGeneration = true, Categories = AllCategory, AnswersDeletedObject = true,
            Subresources = ["log", "binding", "eviction", "ephemeralcontainers"],
            FieldSelectors = Paths("spec.nodeName", "spec.restartPolicy", "spec.schedulerName",
                "spec.serviceAccountName", "spec.hostNetwork", "status.phase", "status.podIP",
                "status.nominatedNodeName"),
        };
        yield return Make<V1Service>("", "services", "svc") with
        {
            HasStatus = true, Categories = AllCategory, Names = NameRule.LetterLabel, AnswersDeletedObject = true,
            FieldSelectors = Paths("spec.clusterIP", "spec.type"),
        };
        yield return Make<V1Endpoints>("", "endpoints", "ep") with
        {
            ListKind = "EndpointsList", CreateOnUpdate = true,
        };
        yield return Make<V1Secret>("", "secrets") with { FieldSelectors = Paths("type") };
        yield return Make<V1ConfigMap>("", "configmaps", "cm");
        yield return Make<V1ServiceAccount>("", "serviceaccounts", "sa") with
        {
            AnswersDeletedObject = true, Subresources = ["token"],
        };
        yield return Make<V1PersistentVolumeClaim>("", "persistentvolumeclaims", "pvc") with
        {
            HasStatus = true, AnswersDeletedObject = true,
        };
        yield return Make<V1PersistentVolume>("", "persistentvolumes", "pv") with
        {
            Namespaced = false, HasStatus = true, AnswersDeletedObject = true,
        };
        yield return Make<Corev1Event>("", "events", "ev") with
        {
            CreateOnUpdate = true,
            FieldSelectors = Paths("involvedObject.kind", "involvedObject.namespace", "involvedObject.name",
                "involvedObject.uid", "involvedObject.apiVersion", "involvedObject.resourceVersion",
                "involvedObject.fieldPath", "reason", "reportingComponent", "source", "type"),
        };
        yield return Make<V1ResourceQuota>("", "resourcequotas", "quota") with
        {
            HasStatus = true, AnswersDeletedObject = true,
        };
        yield return Make<V1LimitRange>("", "limitranges", "limits");
        yield return Make<V1PodTemplate>("", "podtemplates") with { AnswersDeletedObject = true, HasGeneration = true };
    }

    private static IEnumerable<ResourceType> Workloads()
    {
        yield return Make<V1Deployment>("apps", "deployments", "deploy") with
        {
            HasStatus = true, HasGeneration = true, Scale = ReplicaScale, Categories = AllCategory,
        };
        yield return Make<V1ReplicaSet>("apps", "replicasets", "rs") with
        {
            HasStatus = true, HasGeneration = true, Scale = ReplicaScale, Categories = AllCategory,
            FieldSelectors = Paths("status.replicas"),
        };
        yield return Make<V1StatefulSet>("apps", "statefulsets", "sts") with
        {
            HasStatus = true, HasGeneration = true, Scale = ReplicaScale, Categories = AllCategory,
        };
        yield return Make<V1DaemonSet>("apps", "daemonsets", "ds") with
        {
            HasStatus = true, HasGeneration = true, Categories = AllCategory,
        };
        yield return Make<V1ControllerRevision>("apps", "controllerrevisions");
        yield return Make<V1Job>("batch", "jobs") with
        {
            HasStatus = true, HasGeneration = true, Categories = AllCategory,
            FieldSelectors = Paths("status.successful"),
        };
        yield return Make<V1CronJob>("batch", "cronjobs", "cj") with
        {
            HasStatus = true, HasGeneration = true, Categories = AllCategory,
        };
        yield return Make<V2HorizontalPodAutoscaler>("autoscaling", "horizontalpodautoscalers", "hpa") with
        {
            Version = "v2", HasStatus = true, Categories = AllCategory,
        };
    }

    private static IEnumerable<ResourceType> Networking()
    {
        yield return Make<V1Ingress>("networking.k8s.io", "ingresses", "ing") with
        {
            HasStatus = true, HasGeneration = true,
        };
        yield return Make<V1IngressClass>("networking.k8s.io", "ingressclasses") with
        {
            Namespaced = false, HasGeneration = true,
        };
        yield return Make<V1NetworkPolicy>("networking.k8s.io", "networkpolicies", "netpol") with
        {
            HasGeneration = true,
        };
        yield return Make<V1EndpointSlice>("discovery.k8s.io", "endpointslices") with { HasGeneration = true };
    }

    private static IEnumerable<ResourceType> Policy()
    {
        const string rbac = "rbac.authorization.k8s.io";
        yield return Make<V1Role>(rbac, "roles") with { Names = NameRule.PathSegment, CreateOnUpdate = true };
        yield return Make<V1RoleBinding>(rbac, "rolebindings") with
        {
            Names = NameRule.PathSegment, CreateOnUpdate = true,
        };
        yield return Make<V1ClusterRole>(rbac, "clusterroles") with
        {
            Namespaced = false, Names = NameRule.PathSegment, CreateOnUpdate = true,
        };
        yield return Make<V1ClusterRoleBinding>(rbac, "clusterrolebindings") with
        {
            Namespaced = false, Names = NameRule.PathSegment, CreateOnUpdate = true,
        };
        yield return Make<V1PodDisruptionBudget>("policy", "poddisruptionbudgets", "pdb") with
        {
            HasStatus = true, HasGeneration = true,
        };
        yield return Make<V1PriorityClass>("scheduling.k8s.io", "priorityclasses", "pc") with
        {
            Namespaced = false, HasGeneration = true,
        };
        yield return Make<V1ValidatingWebhookConfiguration>("admissionregistration.k8s.io",
            "validatingwebhookconfigurations") with { Namespaced = false, HasGeneration = true };
        yield return Make<V1MutatingWebhookConfiguration>("admissionregistration.k8s.io",
            "mutatingwebhookconfigurations") with { Namespaced = false, HasGeneration = true };
    }

    private static IEnumerable<ResourceType> Reviews() =>
        new[]
        {
            Make<V1SelfSubjectAccessReview>("authorization.k8s.io", "selfsubjectaccessreviews"),
            Make<V1SubjectAccessReview>("authorization.k8s.io", "subjectaccessreviews"),
            Make<V1SelfSubjectRulesReview>("authorization.k8s.io", "selfsubjectrulesreviews"),
            Make<V1SelfSubjectReview>("authentication.k8s.io", "selfsubjectreviews"),
            Make<V1TokenReview>("authentication.k8s.io", "tokenreviews"),
        }.Select(t => t with { IsReview = true, Namespaced = false });

    private static IEnumerable<ResourceType> Others()
    {
        yield return Make<V1Lease>("coordination.k8s.io", "leases") with { CreateOnUpdate = true };
        yield return Make<Eventsv1Event>("events.k8s.io", "events", "ev") with
        {
            StoredAs = "events", CreateOnUpdate = true,
            FieldSelectors = Paths("regarding.kind", "regarding.namespace", "regarding.name", "regarding.uid",
                "regarding.apiVersion", "regarding.resourceVersion", "regarding.fieldPath", "reason",
                "reportingController", "type"),
        };
        yield return Make<V1StorageClass>("storage.k8s.io", "storageclasses", "sc") with { Namespaced = false };
        yield return Make<V1CSIDriver>("storage.k8s.io", "csidrivers") with { Namespaced = false };
        yield return Make<V1CSINode>("storage.k8s.io", "csinodes") with { Namespaced = false };
        yield return Make<V1VolumeAttachment>("storage.k8s.io", "volumeattachments") with
        {
            Namespaced = false, HasStatus = true,
        };
        yield return Make<V1CustomResourceDefinition>("apiextensions.k8s.io", "customresourcedefinitions", "crd",
            "crds") with
        {
            Namespaced = false, HasStatus = true, HasGeneration = true, Categories = ["api-extensions"],
        };
    }

    private static ResourceType Make<T>(string group, string plural, params string[] shortNames) =>
        Make(typeof(T), group, plural, shortNames);

    private static ResourceType Make(Type model, string group, string plural, params string[] shortNames)
    {
        var kind = model.GetCustomAttribute<KubernetesEntityAttribute>()!.Kind;
        return new ResourceType
        {
            Group = group,
            Version = "v1",
            Plural = plural,
            Singular = plural == "endpoints" ? plural : kind.ToLowerInvariant(),
            Kind = kind,
            ShortNames = shortNames,
            Schema = BuiltInSchemas.For(model),
            Columns = BuiltInTables.For(group, plural),
        };
    }

    private static Dictionary<string, string[]> Paths(params string[] labels) =>
        labels.ToDictionary(l => l, l => l.Split('.'));
}
