using Cloud.Operator.Mattermosts;
using k8s.Models;

namespace Cloud.Operator.Manifests;

/// <summary>Names, labels and owner references; existing clusters rely on every one of them.</summary>
public static class Names
{
    public const string InstallationLabel = "installation.mattermost.com/installation";
    public const string ResourceLabel = "installation.mattermost.com/resource";
    public const string AppLabel = "app";

    public const string App = "mattermost";
    public const string JobServerApp = "mattermost-jobserver";

    public const string Container = "mattermost";
    public const string UpdateJob = "mattermost-update-check";

    /// <summary>Bookkeeping of the predecessor; tells whose objects are being taken over.</summary>
    public const string PredecessorAnnotation = "mattermost.com/last-applied";

    public const int AppPort = 8065;
    public const int MetricsPort = 8067;

    public static string JobServer(Mattermost mattermost) => $"{mattermost.Name}-jobserver";

    /// <summary>The labels by which pods are selected. Immutable on existing Deployments.</summary>
    public static Dictionary<string, string> SelectorLabels(Mattermost mattermost, string app = App) => new()
    {
        [InstallationLabel] = mattermost.Name,
        [ResourceLabel] = mattermost.Name,
        [AppLabel] = app,
    };

    /// <summary>Labels of objects: the operator's own beat those of the spec.</summary>
    public static Dictionary<string, string> Labels(Mattermost mattermost) =>
        Overlay(mattermost.Spec.ResourceLabels, SelectorLabels(mattermost));

    /// <summary>Labels of pods: own, then extra, then resource labels.</summary>
    public static Dictionary<string, string> PodLabels(Mattermost mattermost) => Overlay(
        mattermost.Spec.ResourceLabels, mattermost.Spec.PodTemplate?.ExtraLabels, SelectorLabels(mattermost));

    /// <summary>Metadata of a namespaced child that bears labels.</summary>
    public static V1ObjectMeta Metadata(Mattermost mattermost, string name, IDictionary<string, string> labels) => new()
    {
        Name = name,
        NamespaceProperty = mattermost.Namespace,
        Labels = labels,
        OwnerReferences = [Owner(mattermost)],
    };

    /// <summary>Lets garbage collection remove a child with its resource.</summary>
    public static V1OwnerReference Owner(Mattermost mattermost) => new()
    {
        ApiVersion = Mattermost.ResourceKind.ApiVersion,
        Kind = Mattermost.ResourceKind.Kind,
        Name = mattermost.Name,
        Uid = mattermost.Metadata.Uid,
        Controller = true,
        BlockOwnerDeletion = true,
    };

    /// <summary>True when this very resource is the controller of the object.</summary>
    public static bool Owns(Mattermost mattermost, V1ObjectMeta child) =>
        child.OwnerReferences?.Any(o => o.Controller == true && o.Uid == mattermost.Metadata.Uid) == true;

    /// <summary>One map out of several; later ones win.</summary>
    public static Dictionary<string, string> Overlay(params ReadOnlySpan<IDictionary<string, string>?> maps)
    {
        var result = new Dictionary<string, string>();
        foreach (var map in maps)
        {
            foreach (var (key, value) in map ?? new Dictionary<string, string>())
            {
                result[key] = value;
            }
        }

        return result;
    }
}
