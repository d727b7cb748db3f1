using System.Text.Json.Nodes;
using Cloud.Simulator.ApiServers.Schemas;

namespace Cloud.Simulator.ApiServers.FieldOwnership;

/// <summary>Keeps <c>metadata.managedFields</c> true after a create or update.</summary>
public static class Ownership
{
    // Fields that the server sets, so nobody owns them.
    private static readonly string[][] Unowned =
    [
        ["f:apiVersion"], ["f:kind"], ["f:metadata", "f:name"], ["f:metadata", "f:namespace"],
        ["f:metadata", "f:creationTimestamp"], ["f:metadata", "f:selfLink"], ["f:metadata", "f:uid"],
        ["f:metadata", "f:generation"], ["f:metadata", "f:managedFields"], ["f:metadata", "f:resourceVersion"],
        ["f:metadata", "f:deletionTimestamp"], ["f:metadata", "f:deletionGracePeriodSeconds"],
    ];

    /// <summary>
    /// Gives the writer every field that it added or changed, and takes those and the removed ones from the others.
    /// </summary>
    /// <param name="before">The object that was; null on creation.</param>
    /// <param name="after">The object that will be; its managedFields are replaced.</param>
    /// <param name="owners">The owners before this write.</param>
    public static void Track(JsonObject? before, JsonObject after, Schema schema, IReadOnlyList<Owner> owners,
        Owner writer)
    {
        var comparison = FieldComparison.Of(before ?? [], after, schema);
        var taken = Strip(comparison.Added.Union(comparison.Modified));
        var removed = Strip(comparison.Removed);
        var next = new List<Owner>();
        var mine = writer with { Fields = new FieldSet() };
        foreach (var owner in owners)
        {
            if (owner.IsSameAs(writer)) mine = owner;
            else next.Add(owner with { Fields = owner.Fields.Difference(taken).Without(removed) });
        }
        var fields = mine.Fields.Without(removed).Union(taken);
        next.Add(fields.SameAs(mine.Fields) ? mine : writer with { Fields = fields });
        Owner.Write(after, next);
    }

    /// <summary>Takes out the fields that the server owns.</summary>
    public static FieldSet Strip(FieldSet set)
    {
        foreach (var path in Unowned) set.Remove(path);
        if (set.Find("f:metadata") is { } metadata) metadata.IsMember = false;
        if (set.Find("f:metadata") is { IsEmpty: true }) set.Remove("f:metadata");
        return set;
    }
}
