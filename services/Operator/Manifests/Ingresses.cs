using Cloud.Operator.Mattermosts;
using k8s.Models;

namespace Cloud.Operator.Manifests;

/// <summary>The way in from outside.</summary>
public static class Ingresses
{
    private const string ClassAnnotation = "kubernetes.io/ingress.class";
    private const string AlbController = "ingress.k8s.aws/alb";
    private const string AlbPrefix = "alb.ingress.kubernetes.io/";

    public static bool UsesAlb(MattermostSpec spec) => spec.AwsLoadBalancerController?.Enabled == true;

    /// <summary>True when an Ingress is to exist.</summary>
    public static bool IsWanted(MattermostSpec spec) => UsesAlb(spec) || (spec.Ingress?.Enabled ?? true);

    /// <summary>The host of the nginx mode, also the site's address; empty when there is none.</summary>
    public static string PrimaryHost(MattermostSpec spec) =>
        spec.Ingress is { } ingress ? ingress.Host ?? "" : spec.IngressName ?? "";

    /// <summary>What the user wants on the nginx Ingress, before it is cleaned; null when nothing.</summary>
    public static Dictionary<string, string>? UserAnnotations(MattermostSpec spec) =>
        spec.Ingress is { } ingress ? ingress.Annotations : spec.IngressAnnotations;

    /// <exception cref="SpecProblemException">An Ingress is wanted but no host is given.</exception>
    public static void RequireHosts(MattermostSpec spec)
    {
        if (UsesAlb(spec))
        {
            if (AlbHosts(spec).Count == 0)
            {
                throw new SpecProblemException(
                    "HostMissing", "spec.awsLoadBalancerController is enabled, so it needs at least one host.");
            }
        }
        else if (IsWanted(spec) && PrimaryHost(spec).Length == 0)
        {
            throw new SpecProblemException(
                "HostMissing", "The ingress is enabled, so spec.ingress.host must be set.");
        }
    }

    /// <summary>The Ingress; only call when one is wanted.</summary>
    public static V1Ingress Build(Mattermost mattermost) =>
        UsesAlb(mattermost.Spec) ? BuildAlb(mattermost) : BuildNginx(mattermost);

    /// <summary>The IngressClass of the ALB mode; null when the user names one, or in other modes.</summary>
    public static V1IngressClass? BuildClass(Mattermost mattermost)
    {
        if (!UsesAlb(mattermost.Spec)
            || !string.IsNullOrEmpty(mattermost.Spec.AwsLoadBalancerController!.IngressClassName))
        {
            return null;
        }

        // Cluster-scoped, so no owner reference can reach it: labels say whose it is.
        var labels = Names.Labels(mattermost);
        labels[ClassNamespaceLabel] = mattermost.Namespace;
        return new V1IngressClass
        {
            Metadata = new V1ObjectMeta { Name = mattermost.Name, Labels = labels },
            Spec = new V1IngressClassSpec { Controller = AlbController },
        };
    }

    /// <summary>Namespace of the resource that an IngressClass belongs to.</summary>
    public const string ClassNamespaceLabel = "installation.mattermost.com/namespace";

    private static V1Ingress BuildNginx(Mattermost mattermost)
    {
        var spec = mattermost.Spec;
        var className = spec.Ingress?.IngressClass;
        var annotations = new Dictionary<string, string>
        {
            ["nginx.ingress.kubernetes.io/proxy-body-size"] = "1000M",
        };
        if (className is null)
        {
            annotations[ClassAnnotation] = "nginx";
        }

        var hosts = NginxHosts(spec);
        var ingress = Build(mattermost, Names.Overlay(annotations, Clean(UserAnnotations(spec))), className, hosts);
        if (TlsSecret(spec) is { Length: > 0 } secret)
        {
            ingress.Spec.Tls = [new V1IngressTLS { Hosts = hosts, SecretName = secret }];
        }

        return ingress;
    }

    private static V1Ingress BuildAlb(Mattermost mattermost)
    {
        var alb = mattermost.Spec.AwsLoadBalancerController!;
        var annotations = new Dictionary<string, string>
        {
            [AlbPrefix + "scheme"] = alb.InternetFacing ? "internet-facing" : "internal",
            [AlbPrefix + "listen-ports"] = """[{"HTTP": 8065}]""",
        };
        if (!string.IsNullOrEmpty(alb.CertificateArn))
        {
            annotations[AlbPrefix + "certificate-arn"] = alb.CertificateArn;
            annotations[AlbPrefix + "ssl-redirect"] = "443";
            annotations[AlbPrefix + "listen-ports"] = """[{"HTTP": 80}, {"HTTPS":443}]""";
        }

        var className = string.IsNullOrEmpty(alb.IngressClassName) ? mattermost.Name : alb.IngressClassName;
        annotations = Names.Overlay(annotations, Clean(alb.Annotations));
        return Build(mattermost, annotations, className, AlbHosts(mattermost.Spec));
    }

    private static V1Ingress Build(
        Mattermost mattermost, Dictionary<string, string> annotations, string? className, List<string> hosts)
    {
        var metadata = Names.Metadata(mattermost, mattermost.Name, Names.Labels(mattermost));
        metadata.Annotations = annotations;
        return new V1Ingress
        {
            Metadata = metadata,
            Spec = new V1IngressSpec
            {
                IngressClassName = className,
                Rules = [.. hosts.Select(h => Rule(mattermost.Name, h))],
            },
        };
    }

    private static V1IngressRule Rule(string service, string host) => new()
    {
        Host = host,
        Http = new V1HTTPIngressRuleValue
        {
            Paths =
            [
                new V1HTTPIngressPath
                {
                    Path = "/",
                    PathType = "ImplementationSpecific",
                    Backend = new V1IngressBackend
                    {
                        Service = new V1IngressServiceBackend
                        {
                            Name = service, Port = new V1ServiceBackendPort { Number = Names.AppPort },
                        },
                    },
                },
            ],
        },
    };

    private static List<string> NginxHosts(MattermostSpec spec) => PrimaryHost(spec) is not { Length: > 0 } first
        ? []
        : [.. HostNames(spec.Ingress?.Hosts).Prepend(first).Distinct()];

    private static List<string> AlbHosts(MattermostSpec spec) =>
        [.. HostNames(spec.AwsLoadBalancerController?.Hosts).Distinct()];

    private static IEnumerable<string> HostNames(List<HostSpec>? hosts) =>
        (hosts ?? []).Select(h => h.HostName ?? "").Where(h => h.Length > 0);

    private static string? TlsSecret(MattermostSpec spec) => spec.Ingress is { } ingress
        ? ingress.TlsSecret
        : spec.UseIngressTls == true ? PrimaryHost(spec).Replace('.', '-') + "-tls-cert" : null;

    /// <summary>
    /// Drops what would let the owner of one copy write configuration of the ingress controller that all share.
    /// </summary>
    private static Dictionary<string, string>? Clean(Dictionary<string, string>? annotations) => annotations?
        .Where(a => !a.Key.Contains("snippet", StringComparison.OrdinalIgnoreCase)
            && a.Value?.AsSpan().IndexOfAny('\r', '\n') < 0)
        .ToDictionary();
}
