using Cloud.Clusters;
using Cloud.Watching;
using k8s.Models;

namespace Cloud.Providers;

/// <summary>A pod that does not run as it should, and why, as the cluster says it.</summary>
public sealed record PodTrouble(string Pod, string Reason, string Message);

/// <summary>Looks into a namespace for pods that hold things up. Asked live, because people ask rarely.</summary>
public sealed class PodTroubles(ClusterConnections connections, TimeProvider time)
{
    private const int ShownMax = 5;

    /// <summary>A person waits for the answer.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(3);

    /// <summary>What is wrong with pods of a namespace; null when the cluster does not say.</summary>
    public async Task<IReadOnlyList<PodTrouble>?> FindAsync(Cluster cluster, string ns, CancellationToken ct)
    {
        using var patience = new CancellationTokenSource(Patience, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(ct, patience.Token);
        try
        {
            var page = await connections.To(cluster).ListPage(
                ResourceKinds.Pods, new Selection(ns), KubernetesApi.PageSize, continuation: null, either.Token);
            return [.. page.Items.Select(TroubleOf).OfType<PodTrouble>().Take(ShownMax)];
        }
        catch (Exception e) when (e is KubernetesApiException or StepException)
        {
            return null; // The latter when its kubeconfig cannot be used.
        }
        catch (OperationCanceledException) when (!ct.IsCancellationRequested)
        {
            return null;
        }
    }

    internal static PodTrouble? TroubleOf(V1Pod pod)
    {
        var name = pod.Metadata.Name;
        var conditions = pod.Status?.Conditions ?? [];
        if (conditions.FirstOrDefault(c => c is { Type: "PodScheduled", Status: "False" }) is { } unscheduled)
            return new(name, unscheduled.Reason ?? "Unscheduled", unscheduled.Message ?? "no node takes it");
        foreach (var container in (pod.Status?.InitContainerStatuses ?? []).Concat(pod.Status?.ContainerStatuses ?? []))
        {
            var last = container.LastState?.Terminated;
            if (container.State?.Waiting is { Reason: not (null or "PodInitializing" or "ContainerCreating") } waiting)
                return new(name, waiting.Reason, Words(container.Name, waiting.Message ?? last?.Message));
            if (container.State?.Terminated is { ExitCode: not 0 } ended)
                return new(name, ended.Reason ?? "Error", Words(container.Name, ended.Message));
        }
        return pod.Status?.Phase == "Failed"
            ? new(name, pod.Status.Reason ?? "Failed", pod.Status.Message ?? "it failed")
            : null;
    }

    private static string Words(string container, string? message) =>
        string.IsNullOrEmpty(message) ? $"container {container}" : $"container {container}: {message}";
}
