using System.Text.Json.Nodes;
using Cloud.Simulator.ApiServers.Objects;
using Cloud.Simulator.ApiServers.ResourceTypes;

namespace Cloud.Simulator.ApiServers.Validation;

/// <summary>What every object's metadata must fulfil.</summary>
public static class ObjectRules
{
    /// <summary>Everything wrong with the metadata of an object.</summary>
    public static IEnumerable<FieldError> Check(ResourceType type, JsonObject obj, JsonObject? before)
    {
        var metadata = obj.ObjectAt("metadata");
        if (before is null)
        {
            foreach (var error in Names.Check("metadata.name", obj.NameOf(), type.Names)) yield return error;
        }
        foreach (var error in Names.CheckLabels("metadata.labels", metadata.ObjectAt("labels"))) yield return error;
        foreach (var error in Names.CheckAnnotations("metadata.annotations",
            metadata.ObjectAt("annotations")))
            yield return error;
        foreach (var error in CheckOwners(metadata.ListAt("ownerReferences"))) yield return error;
        if (before is null || !obj.IsBeingDeleted()) yield break;
        var added = obj.Finalizers().Except(before.Finalizers()).ToList();
        if (added.Count > 0)
        {
            yield return FieldError.Forbidden("metadata.finalizers",
                "no new finalizers can be added if the object is being deleted, found new finalizers " +
                $"[]string{{{string.Join(", ", added.Select(a => $"\"{a}\""))}}}");
        }
    }

    private static IEnumerable<FieldError> CheckOwners(JsonArray? owners)
    {
        var controllers = 0;
        foreach (var owner in owners ?? [])
        {
            const string field = "metadata.ownerReferences";
            foreach (var part in new[] { "apiVersion", "kind", "name", "uid" })
            {
                if (string.IsNullOrEmpty(owner.Text(part)))
                    yield return FieldError.Invalid($"{field}.{part}", "", $"{part} must not be empty");
            }
            if (owner.Flag("controller")) controllers++;
        }
        if (controllers > 1)
        {
            yield return FieldError.Invalid("metadata.ownerReferences", owners!.DeepClone(),
                "Only one reference can have Controller set to true.");
        }
    }
}
