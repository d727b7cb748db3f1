using System.Text.Json.Nodes;

namespace Cloud.Simulator.Controllers;

/// <summary>Whether a pod may and can run on a node, with the scheduler's words for why not.</summary>
internal static class NodeFit
{
    private const string NotMatched = "node(s) didn't match Pod's node affinity/selector";
    private const string Cordoned = "node(s) were unschedulable";

    /// <summary>Taking other pods away makes room, but does not change what a node is.</summary>
    public static bool PreemptionCouldHelp(string reason) =>
        reason.StartsWith("Insufficient", StringComparison.Ordinal) || reason == "Too many pods"
        || reason.Contains("anti-affinity", StringComparison.Ordinal);

    /// <summary>
    /// Why not; empty when it fits. As in the real one, what the node is comes before what is left of it.
    /// </summary>
    public static IReadOnlyList<string> Refusals(
        ClusterObjects objects, NodeRoom room, JsonObject pod, PodRequest request)
    {
        var node = room.Node;
        if (node.Flag("spec", "unschedulable") == true && !Tolerates(pod, UnschedulableTaint)) return [Cordoned];
        if (!LabelSelectors.MatchesMap(pod.At("spec", "nodeSelector"), node.Labels())) return [NotMatched];
        var terms = pod.Items("spec", "affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution",
            "nodeSelectorTerms").ToList();
        if (terms.Count > 0 && !terms.Any(t => MatchesTerm(t, node))) return [NotMatched];
        if (node.Items("spec", "taints").FirstOrDefault(t => Repels(t) && !Tolerates(pod, t)) is { } taint)
            return [$"node(s) had untolerated taint {{{taint.Text("key")}: {taint.Text("value")}}}"];
        var shortages = room.Shortages(request).ToList();
        if (shortages.Count > 0) return shortages;
        return Repelled(objects, room, pod) ? ["node(s) didn't match pod anti-affinity rules"] : [];
    }

    private static readonly JsonObject UnschedulableTaint =
        new() { ["key"] = "node.kubernetes.io/unschedulable", ["effect"] = "NoSchedule" };

    private static bool MatchesTerm(JsonObject term, JsonObject node) =>
        term.Items("matchExpressions").All(e => LabelSelectors.MatchesExpression(e, node.Labels()))
        && term.Items("matchFields").All(e => e.Texts("values").Contains(node.Name()));

    private static bool Repels(JsonObject taint) => taint.Text("effect") is "NoSchedule" or "NoExecute";

    private static bool Tolerates(JsonObject pod, JsonObject taint) => pod.Items("spec", "tolerations").Any(t =>
        (t.Text("effect") is null or "" || t.Text("effect") == taint.Text("effect"))
        && (t.Text("key") is null or "" ? t.Text("operator") == "Exists" : t.Text("key") == taint.Text("key"))
        && (t.Text("operator") == "Exists" || (t.Text("value") ?? "") == (taint.Text("value") ?? "")));

    /// <summary>
    /// Required anti-affinity of this pod to those on the node (one host is one topology domain in here).
    /// </summary>
    private static bool Repelled(ClusterObjects objects, NodeRoom room, JsonObject pod)
    {
        var terms = pod.Items("spec", "affinity", "podAntiAffinity", "requiredDuringSchedulingIgnoredDuringExecution")
            .ToList();
        if (terms.Count == 0) return false;
        foreach (var key in room.Pods)
        {
            if (objects.Get(key) is not { } other) continue;
            foreach (var term in terms)
            {
                var namespaces = term.Texts("namespaces").DefaultIfEmpty(pod.Namespace() ?? "");
                if (namespaces.Contains(other.Namespace())
                    && LabelSelectors.Matches(term.At("labelSelector"), other.Labels())) return true;
            }
        }
        return false;
    }
}
