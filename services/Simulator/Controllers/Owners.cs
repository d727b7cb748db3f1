using System.Text.Json.Nodes;

namespace Cloud.Simulator.Controllers;

/// <summary>Owner references between objects that a controller makes and the objects it makes them for.</summary>
internal static class Owners
{
    public static JsonArray ControlledBy(JsonObject owner) => [Reference(owner)];

    private static JsonObject Reference(JsonObject owner) => new()
    {
        ["apiVersion"] = owner.Text("apiVersion"),
        ["kind"] = owner.Text("kind"),
        ["name"] = owner.Name(),
        ["uid"] = owner.Uid(),
        ["controller"] = true,
        ["blockOwnerDeletion"] = true,
    };

    /// <summary>
    /// The objects that belong to this controller: those it controls whose labels still match, after taking in
    /// orphans that match and letting go of its own that no longer do.
    /// </summary>
    public static List<JsonObject> Claim(ControllerScope scope, JsonObject owner, string resource)
    {
        var selector = owner.At("spec", "selector");
        var claimed = new List<JsonObject>();
        foreach (var mine in scope.Objects.OwnedBy(owner.Uid(), resource))
        {
            if (mine.ControllerUid() != owner.Uid()) continue;
            if (LabelSelectors.Matches(selector, mine.Labels())) claimed.Add(mine);
            else if (!owner.IsDeleting()) Release(scope, owner, resource, mine);
        }
        if (owner.IsDeleting()) return claimed;
        foreach (var orphan in scope.Objects.Orphans(resource, owner.Namespace()).ToList())
        {
            if (orphan.IsDeleting() || !LabelSelectors.Matches(selector, orphan.Labels())) continue;
            claimed.Add(Adopt(scope, owner, resource, orphan));
        }
        return claimed;
    }

    private static JsonObject Adopt(ControllerScope scope, JsonObject owner, string resource, JsonObject orphan)
    {
        var adopted = orphan.Copy();
        var metadata = adopted.Child("metadata");
        if (metadata["ownerReferences"] is JsonArray references) references.Add(Reference(owner));
        else metadata["ownerReferences"] = ControlledBy(owner);
        return scope.Objects.Update(resource, adopted);
    }

    private static void Release(ControllerScope scope, JsonObject owner, string resource, JsonObject mine)
    {
        var released = mine.Copy();
        released.Child("metadata")["ownerReferences"] = JsonFields.ToArray(
            mine.OwnerReferences().Where(r => r.Text("uid") != owner.Uid()).Select(r => r.DeepClone()));
        scope.Objects.Update(resource, released);
    }
}
