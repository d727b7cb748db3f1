using System.Security.Cryptography;
using System.Text;
using Cloud.Operator.Mattermosts;
using k8s;
using k8s.Models;

namespace Cloud.Operator.Manifests;

/// <summary>
/// The Job that migrates the database with the new image before any pod of it serves. While it runs, and when it
/// fails, the old pods stay.
/// </summary>
public static class UpdateJobs
{
    /// <summary>Hash of the pods of a Job: tells whether it does what is wanted now.</summary>
    public const string TemplateAnnotation = "cloud.mattermost.com/template";

    private const int BackoffLimit = 10;
    private const int HashBytes = 12;

    /// <summary>Derives it from the Deployment that is to follow it.</summary>
    public static V1Job Build(Mattermost mattermost, V1Deployment desired)
    {
        var template = KubernetesJson.Deserialize<V1PodTemplateSpec>(KubernetesJson.Serialize(desired.Spec.Template));
        var annotations = mattermost.Spec.UpdateJob?.ExtraAnnotations;
        template.Metadata = new V1ObjectMeta
        {
            Labels = Names.Overlay(
                mattermost.Spec.UpdateJob?.ExtraLabels,
                new Dictionary<string, string> { [Names.AppLabel] = Names.UpdateJob }),
            Annotations = annotations is { Count: > 0 } ? annotations : null,
        };
        template.Spec.RestartPolicy = "Never";
        var container = template.Spec.Containers.First(c => c.Name == Names.Container);
        container.Args = ["db", "migrate"];
        container.LivenessProbe = null;
        container.ReadinessProbe = null;
        RunBeside(template.Spec, container);

        // The label lets the operator watch only the Jobs that can be its own.
        var metadata = Names.Metadata(
            mattermost, Names.UpdateJob, new Dictionary<string, string> { [Names.ResourceLabel] = mattermost.Name });
        metadata.Annotations = new Dictionary<string, string> { [TemplateAnnotation] = Hash(template) };
        return new V1Job
        {
            Metadata = metadata,
            Spec = new V1JobSpec { BackoffLimit = BackoffLimit, Template = template },
        };
    }

    /// <summary>
    /// An ordinary sidecar would keep the pod alive and the Job running for ever; as a restartable init container it
    /// ends with the migration.
    /// </summary>
    private static void RunBeside(V1PodSpec pod, V1Container application)
    {
        var sidecars = pod.Containers.Where(c => c != application).ToList();
        sidecars.ForEach(s => s.RestartPolicy = "Always");
        pod.Containers = [application];
        if (sidecars.Count > 0)
        {
            pod.InitContainers = [.. sidecars, .. pod.InitContainers ?? []];
        }
    }

    private static string Hash(V1PodTemplateSpec template) => Convert.ToHexStringLower(
        SHA256.HashData(Encoding.UTF8.GetBytes(KubernetesJson.Serialize(template))).AsSpan(0, HashBytes));

    public static bool HasSucceeded(V1Job job) => HasCondition(job, "Complete");

    public static bool HasFailed(V1Job job) => HasCondition(job, "Failed");

    /// <summary>Why a failed Job failed, as Kubernetes words it.</summary>
    public static string FailureMessage(V1Job job) =>
        job.Status?.Conditions?.FirstOrDefault(c => c.Type == "Failed")?.Message ?? "no reason given";

    private static bool HasCondition(V1Job job, string type) =>
        job.Status?.Conditions?.Any(c => c.Type == type && c.Status == "True") == true;
}
