using System.Text.Json.Nodes;
using Cloud.Simulator.ApiServers.Objects;

namespace Cloud.Simulator.ApiServers.Tables;

/// <summary>Columns of volumes and their classes.</summary>
internal static class StorageTables
{
    private const string Unset = "<unset>";

    private static readonly Dictionary<string, string> ShortModes = new()
    {
        ["ReadWriteOnce"] = "RWO", ["ReadOnlyMany"] = "ROX", ["ReadWriteMany"] = "RWX", ["ReadWriteOncePod"] = "RWOP",
    };

    public static Dictionary<string, IEnumerable<TableColumn>> All { get; } = new()
    {
        ["persistentvolumeclaims"] =
        [
            Columns.Name,
            Columns.Text("Status", c => c.IsBeingDeleted() ? "Terminating" : c.Text("status", "phase")),
            Columns.At("Volume", "", "spec", "volumeName"),
            Columns.At("Capacity", "", "status", "capacity", "storage"),
            Columns.Text("Access Modes", c => Modes(c.ListAt("status", "accessModes"))),
            Columns.At("StorageClass", "", "spec", "storageClassName"),
            Columns.At("VolumeAttributesClass", Unset, "spec", "volumeAttributesClassName"),
            Columns.Age,
            Columns.At("VolumeMode", Unset, "spec", "volumeMode") with { Priority = 1 },
        ],
        ["persistentvolumes"] =
        [
            Columns.Name,
            Columns.At("Capacity", "", "spec", "capacity", "storage"),
            Columns.Text("Access Modes", v => Modes(v.ListAt("spec", "accessModes"))),
            Columns.At("Reclaim Policy", "", "spec", "persistentVolumeReclaimPolicy"),
            Columns.Text("Status", v => v.IsBeingDeleted() ? "Terminating" : v.Text("status", "phase")),
            Columns.Text("Claim", v =>
                v.ObjectAt("spec", "claimRef") is { } c ? $"{c.Text("namespace")}/{c.Text("name")}" : ""),
            Columns.At("StorageClass", "", "spec", "storageClassName"),
            Columns.At("VolumeAttributesClass", Unset, "spec", "volumeAttributesClassName"),
            Columns.At("Reason", "", "status", "reason"),
            Columns.Age,
            Columns.At("VolumeMode", Unset, "spec", "volumeMode") with { Priority = 1 },
        ],
        ["storageclasses.storage.k8s.io"] =
        [
            new TableColumn("Name", "string", static (s, _) => ClassName(s)) { Format = "name" },
            Columns.At("Provisioner", "", "provisioner"),
            Columns.At("ReclaimPolicy", "Delete", "reclaimPolicy"),
            Columns.At("VolumeBindingMode", "Immediate", "volumeBindingMode"),
            Columns.Text("AllowVolumeExpansion", s => s.Flag("allowVolumeExpansion") ? "true" : "false"),
            Columns.Age,
        ],
    };

    private static string ClassName(JsonObject storageClass) =>
        storageClass.Text("metadata", "annotations", "storageclass.kubernetes.io/is-default-class") == "true"
            ? storageClass.NameOf() + " (default)"
            : storageClass.NameOf();

    private static string Modes(JsonArray? modes) =>
        Columns.Join((modes ?? []).Select(m => ShortModes.GetValueOrDefault(m?.ToString() ?? "", m?.ToString() ?? "")));
}
