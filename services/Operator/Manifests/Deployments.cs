using Cloud.Operator.Mattermosts;
using k8s.Models;

namespace Cloud.Operator.Manifests;

/// <summary>The Deployment of the application.</summary>
public static class Deployments
{
    private const int HistoryDefault = 5;

    public static V1Deployment Build(Mattermost mattermost, Facts facts) => new()
    {
        Metadata = Names.Metadata(mattermost, mattermost.Name, Names.Labels(mattermost)),
        Spec = new V1DeploymentSpec
        {
            Strategy = Strategy(mattermost.Spec.DeploymentTemplate?.DeploymentStrategyType),
            RevisionHistoryLimit = mattermost.Spec.DeploymentTemplate?.RevisionHistoryLimit ?? HistoryDefault,
            Replicas = mattermost.Spec.Replicas,
            Selector = new V1LabelSelector { MatchLabels = Names.SelectorLabels(mattermost) },
            Template = Pods.Template(mattermost, facts),
        },
    };

    /// <summary>The image of the application in a Deployment or Job; null when it has no such container.</summary>
    public static string? ImageOf(V1PodTemplateSpec? template) =>
        template?.Spec?.Containers?.FirstOrDefault(c => c.Name == Names.Container)?.Image;

    private static V1DeploymentStrategy Strategy(string? type) => type == "Recreate"
        ? new V1DeploymentStrategy { Type = "Recreate" }
        : new V1DeploymentStrategy
        {
            Type = "RollingUpdate",
            RollingUpdate = new V1RollingUpdateDeployment { MaxUnavailable = 0, MaxSurge = 1 },
        };
}
