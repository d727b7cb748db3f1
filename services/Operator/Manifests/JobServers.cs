using Cloud.Operator.Mattermosts;
using k8s;
using k8s.Models;

namespace Cloud.Operator.Manifests;

/// <summary>The Deployment that runs background jobs, when these are kept out of the application's pods.</summary>
public static class JobServers
{
    public static bool IsWanted(MattermostSpec spec) => spec.JobServer?.DedicatedJobServer == true;

    /// <summary>Derives it from the application's Deployment: same image, environment, volumes and waiting.</summary>
    public static V1Deployment Build(Mattermost mattermost, V1Deployment application)
    {
        // A copy by way of JSON: the models share their lists, and this one changes some.
        var server = KubernetesJson.Deserialize<V1Deployment>(KubernetesJson.Serialize(application));
        var own = Names.SelectorLabels(mattermost, Names.JobServerApp);
        var labels = Names.Overlay(Names.PodLabels(mattermost), own);
        server.Metadata = Names.Metadata(
            mattermost, Names.JobServer(mattermost), Names.Overlay(mattermost.Spec.ResourceLabels, own));
        server.Spec.Replicas = 1;
        server.Spec.Selector = new V1LabelSelector { MatchLabels = labels };
        server.Spec.Template.Metadata.Labels = labels;

        var container = server.Spec.Template.Spec.Containers.First(c => c.Name == Names.Container);
        container.Name = Names.JobServerApp;
        container.Command = ["mattermost", "jobserver"];
        container.Ports = null;
        container.LivenessProbe = null;
        container.ReadinessProbe = null;
        server.Spec.Template.Spec.Containers = [container];
        return server;
    }
}
