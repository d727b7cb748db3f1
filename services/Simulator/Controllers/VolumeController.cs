using System.Text.Json.Nodes;

namespace Cloud.Simulator.Controllers;

/// <summary>Binds each PersistentVolumeClaim to a volume made for it, and removes the volume with the claim.</summary>
internal sealed class VolumeController(ControllerScope scope) : IController
{
    private const string DefaultClass = "standard";
    private const string Provisioner = "simulator.cloud.mattermost.com/volumes";
    private const string DefaultMark = "storageclass.kubernetes.io/is-default-class";

    public Lane Lane => Lane.Summaries;

    public void Start() => scope.Objects.Ensure(Resources.StorageClasses, new JsonObject
    {
        ["apiVersion"] = "storage.k8s.io/v1",
        ["kind"] = "StorageClass",
        ["metadata"] = new JsonObject
        {
            ["name"] = DefaultClass,
            ["annotations"] = new JsonObject { [DefaultMark] = "true" },
        },
        ["provisioner"] = Provisioner,
        ["reclaimPolicy"] = "Delete",
        ["volumeBindingMode"] = "Immediate",
        ["allowVolumeExpansion"] = true,
    });

    public void Observe(Change change)
    {
        if (change.Key.Resource == Resources.VolumeClaims) scope.Loop.Enqueue(this, change.Key);
    }

    public void Reconcile(ObjectKey key)
    {
        if (scope.Objects.Get(key) is not { } claim)
        {
            RemoveVolumes(key);
            return;
        }
        if (claim.IsDeleting()) return;
        var size = claim.At("spec", "resources", "requests", "storage")?.DeepClone();
        if (claim.Text("spec", "volumeName") is null or "") claim = Provision(claim, size);
        var status = claim["status"]?.DeepClone() as JsonObject ?? [];
        status["phase"] = "Bound";
        status["accessModes"] = claim.At("spec", "accessModes")?.DeepClone();
        status["capacity"] = new JsonObject { ["storage"] = size?.DeepClone() };
        scope.Objects.UpdateStatus(Resources.VolumeClaims, claim, status);
    }

    private JsonObject Provision(JsonObject claim, JsonNode? size)
    {
        var storageClass = claim.Text("spec", "storageClassName") ?? DefaultClass;
        var name = $"pvc-{claim.Uid()}";
        scope.Objects.Ensure(Resources.Volumes, new JsonObject
        {
            ["apiVersion"] = "v1",
            ["kind"] = "PersistentVolume",
            ["metadata"] = new JsonObject { ["name"] = name },
            ["spec"] = new JsonObject
            {
                ["accessModes"] = claim.At("spec", "accessModes")?.DeepClone(),
                ["capacity"] = new JsonObject { ["storage"] = size?.DeepClone() },
                ["claimRef"] = new JsonObject
                {
                    ["apiVersion"] = "v1",
                    ["kind"] = "PersistentVolumeClaim",
                    ["name"] = claim.Name(),
                    ["namespace"] = claim.Namespace(),
                    ["uid"] = claim.Uid(),
                },
                ["persistentVolumeReclaimPolicy"] = "Delete",
                ["storageClassName"] = storageClass,
                ["hostPath"] = new JsonObject { ["path"] = $"/simulated/{name}" },
            },
        });
        var volume = scope.Objects[Resources.Volumes].Get(null, name)!;
        scope.Objects.UpdateStatus(Resources.Volumes, volume, new JsonObject { ["phase"] = "Bound" });
        var bound = claim.Copy();
        bound.Child("spec")["volumeName"] = name;
        bound.Child("spec")["storageClassName"] = storageClass;
        return scope.Objects.Update(Resources.VolumeClaims, bound);
    }

    private void RemoveVolumes(ObjectKey claim)
    {
        foreach (var volume in scope.Objects[Resources.Volumes].All.ToList())
        {
            if (volume.Text("spec", "claimRef", "namespace") == claim.Namespace
                && volume.Text("spec", "claimRef", "name") == claim.Name
                && volume.Text("spec", "persistentVolumeReclaimPolicy") == "Delete")
                scope.Objects.Delete(new(Resources.Volumes, null, volume.Name()), volume);
        }
    }
}
