using Cloud.Operator.Mattermosts;
using k8s.Models;

namespace Cloud.Operator.Manifests;

/// <summary>The Service in front of the pods.</summary>
public static class Services
{
    public static V1Service Build(Mattermost mattermost)
    {
        var spec = mattermost.Spec;
        var service = new V1Service
        {
            Metadata = Names.Metadata(mattermost, mattermost.Name, Names.Labels(mattermost)),
            Spec = new V1ServiceSpec
            {
                Selector = Names.SelectorLabels(mattermost),
                PublishNotReadyAddresses = true,
            },
        };
        service.Metadata.Annotations = spec.ServiceAnnotations is { Count: > 0 } given ? given.ToDictionary() : null;
        if (spec.AwsLoadBalancerController?.Enabled == true)
        {
            service.Spec.Type = "NodePort";
            service.Spec.Ports = InsidePorts();
        }
        else if (spec.UseServiceLoadBalancer == true)
        {
            service.Spec.Type = "LoadBalancer";
            service.Spec.Ports = [Port("http", 80, "app"), Port("https", 443, "app", "https")];
        }
        else
        {
            service.Spec.Type = "ClusterIP";
            service.Spec.ClusterIP = "None";
            service.Spec.Ports = InsidePorts();
        }

        return service;
    }

    /// <summary>True when the live Service cannot become the desired one and must be made anew.</summary>
    public static bool MustBeReplaced(V1Service live, V1Service desired) =>
        (live.Spec.Type ?? "ClusterIP") != desired.Spec.Type;

    private static List<V1ServicePort> InsidePorts() =>
        [Port("app", Names.AppPort, "app"), Port("metrics", Names.MetricsPort, "metrics")];

    private static V1ServicePort Port(string name, int port, string target, string protocol = "http") =>
        new() { Name = name, Port = port, TargetPort = target, AppProtocol = protocol };
}
