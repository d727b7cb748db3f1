using System.Globalization;
using System.Text.Json.Nodes;

namespace Cloud.Simulator.Controllers;

/// <summary>Counts for each PodDisruptionBudget how many pods may be missing.</summary>
internal sealed class DisruptionController(ControllerScope scope) : IController
{
    public Lane Lane => Lane.Summaries;

    public void Observe(Change change)
    {
        if (change.Key.Resource == Resources.DisruptionBudgets) scope.Loop.Enqueue(this, change.Key);
        if (change.Key.Resource != Resources.Pods) return;
        var labels = (change.New ?? change.Old!).Labels();
        foreach (var budget in scope.Objects[Resources.DisruptionBudgets].In(change.Key.Namespace))
        {
            if (LabelSelectors.Matches(budget.At("spec", "selector"), labels))
                scope.Loop.Enqueue(this, new(Resources.DisruptionBudgets, budget.Namespace(), budget.Name()));
        }
    }

    public void Reconcile(ObjectKey key)
    {
        if (scope.Objects.Get(key) is not { } budget || budget.IsDeleting()) return;
        var pods = scope.Objects[Resources.Pods].In(key.Namespace)
            .Where(p => Pods.IsActive(p) && LabelSelectors.Matches(budget.At("spec", "selector"), p.Labels())).ToList();
        var expected = Expected(pods);
        var least = budget.At("spec", "maxUnavailable") is { } most
            ? Math.Max(0, expected - Share(most, expected))
            : budget.At("spec", "minAvailable") is { } minimum ? Share(minimum, expected) : Math.Min(1, expected);
        var healthy = pods.Count(Pods.IsReady);
        var allowed = Math.Max(0, healthy - least);
        var status = budget["status"]?.DeepClone() as JsonObject ?? [];
        status["observedGeneration"] = budget.Generation();
        status["expectedPods"] = expected;
        status["desiredHealthy"] = least;
        status["currentHealthy"] = healthy;
        status["disruptionsAllowed"] = allowed;
        Conditions.Set(status, "DisruptionAllowed", allowed > 0,
            allowed > 0 ? "SufficientPods" : "InsufficientPods", "", scope.Now);
        scope.Objects.UpdateStatus(Resources.DisruptionBudgets, budget, status);
    }

    /// <summary>What the pods' owners want to have, which may be more than there are.</summary>
    private int Expected(List<JsonObject> pods)
    {
        var expected = 0;
        foreach (var group in pods.GroupBy(p => p.ControllerUid()))
        {
            var owner = group.Key is { } uid ? scope.Objects.ByUid(uid, out _) : null;
            expected += (int)(owner.Number("spec", "replicas") ?? group.Count());
        }
        return expected;
    }

    private static int Share(JsonNode value, int of)
    {
        var text = value.Text() ?? "0";
        if (!text.EndsWith('%')) return int.TryParse(text, CultureInfo.InvariantCulture, out var number) ? number : 0;
        var isPercent = int.TryParse(text[..^1], CultureInfo.InvariantCulture, out var percent);
        return isPercent ? (int)Math.Ceiling(of * percent / 100.0) : 0;
    }
}
