using System.Collections.Frozen;

namespace Cloud.Simulator.ApiServers.Tables;

/// <summary>Columns of the built-in kinds, as <c>kubectl get</c> shows them on a real cluster.</summary>
public static class BuiltInTables
{
    private static readonly FrozenDictionary<string, TableColumns> Tables =
        new[] { WorkloadTables.All, NetworkTables.All, ClusterTables.All, StorageTables.All }
            .SelectMany(t => t).ToFrozenDictionary(t => t.Key, t =>
                new TableColumns([.. t.Value]), StringComparer.Ordinal);

    /// <summary>The columns of a kind; null when it shows its name and creation only.</summary>
    public static TableColumns? For(string group, string plural) =>
        Tables.GetValueOrDefault(group.Length == 0 ? plural : $"{plural}.{group}");
}
