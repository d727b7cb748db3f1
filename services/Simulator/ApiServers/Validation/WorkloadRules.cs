using System.Text.Json.Nodes;
using Cloud.Simulator.ApiServers.Objects;

namespace Cloud.Simulator.ApiServers.Validation;

/// <summary>What workloads must be, and what of them may never change.</summary>
internal static class WorkloadRules
{
    private const string StatefulSetMayNotChange =
        "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', " +
        "'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden";

    public static IEnumerable<FieldError> Deployment(JsonObject obj, JsonObject? before)
    {
        foreach (var error in Selected(obj, before)) yield return error;
        foreach (var error in AlwaysRestarts(obj)) yield return error;
        foreach (var error in Rules.OneOf("spec.strategy.type", obj.At("spec", "strategy", "type"), "Recreate",
            "RollingUpdate"))
            yield return error;
        if (obj.Text("spec", "strategy", "type") == "Recreate"
            && obj.At("spec", "strategy", "rollingUpdate") is not null)
        {
            yield return FieldError.Forbidden("spec.strategy.rollingUpdate",
                "may not be specified when strategy `type` is 'Recreate'");
        }
        foreach (var error in Rules.NotNegative("spec.minReadySeconds",
            obj.Number("spec", "minReadySeconds")))
            yield return error;
        foreach (var error in Rules.NotNegative("spec.revisionHistoryLimit",
            obj.Number("spec", "revisionHistoryLimit")))
            yield return error;
    }

    public static IEnumerable<FieldError> ReplicaSet(JsonObject obj, JsonObject? before) =>
        Selected(obj, before).Concat(AlwaysRestarts(obj));

    public static IEnumerable<FieldError> DaemonSet(JsonObject obj, JsonObject? before) =>
        Selected(obj, before).Concat(AlwaysRestarts(obj));

    public static IEnumerable<FieldError> StatefulSet(JsonObject obj, JsonObject? before)
    {
        foreach (var error in Selected(obj, null).Concat(AlwaysRestarts(obj))) yield return error;
        if (before is not null && !JsonAccess.Same(Fixed(obj), Fixed(before)))
            yield return FieldError.Forbidden("spec", StatefulSetMayNotChange);

        static JsonObject Fixed(JsonObject set)
        {
            var spec = (JsonObject?)set.ObjectAt("spec")?.DeepClone() ?? [];
            foreach (var field in new[] { "replicas", "ordinals", "template", "updateStrategy", "revisionHistoryLimit",
                "persistentVolumeClaimRetentionPolicy", "minReadySeconds" })
                spec.Remove(field);
            return spec;
        }
    }

    public static IEnumerable<FieldError> Job(JsonObject obj, JsonObject? before)
    {
        foreach (var field in new[] { "parallelism", "completions", "backoffLimit", "activeDeadlineSeconds",
            "ttlSecondsAfterFinished" })
        {
            foreach (var error in Rules.NotNegative($"spec.{field}", obj.Number("spec", field))) yield return error;
        }
        foreach (var error in PodRules.Template(obj.ObjectAt("spec", "template"), "spec.template")) yield return error;
        foreach (var error in Rules.OneOf("spec.template.spec.restartPolicy",
            obj.At("spec", "template", "spec", "restartPolicy"), "OnFailure", "Never"))
            yield return error;
        if (before is null) yield break;
        foreach (var field in new[] { "completions", "selector", "template", "completionMode" })
        {
            if (field == "template" && before.Flag("spec", "suspend")
                && before.At("status", "startTime") is null) continue;
            foreach (var error in Rules.Unchanged($"spec.{field}", obj.At("spec", field),
                before.At("spec", field)))
                yield return error;
        }
    }

    public static IEnumerable<FieldError> CronJob(JsonObject obj)
    {
        if (string.IsNullOrEmpty(obj.Text("spec", "schedule"))) yield return FieldError.Required("spec.schedule");
        foreach (var error in Rules.OneOf("spec.concurrencyPolicy", obj.At("spec", "concurrencyPolicy"), "Allow",
            "Forbid", "Replace"))
            yield return error;
        const string template = "spec.jobTemplate.spec.template";
        foreach (var error in PodRules.Template(obj.ObjectAt("spec", "jobTemplate", "spec", "template"),
            template))
            yield return error;
        foreach (var error in Rules.OneOf($"{template}.spec.restartPolicy",
            obj.At("spec", "jobTemplate", "spec", "template", "spec", "restartPolicy"), "OnFailure",
                "Never")) yield return error;
    }

    private static IEnumerable<FieldError> Selected(JsonObject obj, JsonObject? before)
    {
        foreach (var error in Rules.NotNegative("spec.replicas", obj.Number("spec", "replicas"))) yield return error;
        var selector = obj.ObjectAt("spec", "selector");
        if (selector is null) yield return FieldError.Required("spec.selector");
        else if (selector.Count == 0)
            yield return FieldError.Invalid("spec.selector", selector.DeepClone(),
                "empty selector is invalid for deployment");
        else
        {
            var labels = obj.ObjectAt("spec", "template", "metadata", "labels");
            if (!Rules.Selects(selector, labels))
            {
                yield return FieldError.Invalid("spec.template.metadata.labels", labels?.DeepClone(),
                    "`selector` does not match template `labels`");
            }
        }
        foreach (var error in PodRules.Template(obj.ObjectAt("spec", "template"), "spec.template")) yield return error;
        if (before is null) yield break;
        foreach (var error in Rules.Unchanged("spec.selector", selector,
            before.At("spec", "selector")))
            yield return error;
    }

    private static IEnumerable<FieldError> AlwaysRestarts(JsonObject obj) => Rules.OneOf(
        "spec.template.spec.restartPolicy", obj.At("spec", "template", "spec", "restartPolicy"), "Always");
}
