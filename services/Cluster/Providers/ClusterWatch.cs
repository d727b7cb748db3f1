using Cloud.ClusterInstallations;
using Cloud.Clusters;
using Cloud.Watching;
using k8s;
using k8s.Models;

namespace Cloud.Providers;

/// <summary>
/// What one cluster holds, followed by watches: nodes and pods for capacity, our namespaces and resources for the
/// installations, the operator's Deployment for the cluster itself. Objects are cut down to what is read of them.
/// <para>Each cluster has its own, with its own connections and tasks, so a dead one holds up nobody. A watch that
/// breaks is mended by its reflector. Until the API server has answered once, only nodes are asked for; resources are
/// asked for once their kind is installed.</para>
/// </summary>
public sealed class ClusterWatch
{
    private readonly Reflector<ObservedNode> _nodes;
    private readonly Reflector<ObservedPod> _pods;
    private readonly Reflector<WorkspaceNamespace> _namespaces;
    private readonly Reflector<MattermostResource> _resources;
    private readonly Reflector<V1Deployment> _operator;
    private readonly TaskCompletionSource _provisioned = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public ClusterWatch(Cluster cluster, KubernetesApi api, TimeProvider time, ILogger<ClusterWatch> log)
    {
        (ClusterId, DisplayName, Revision, Api) = (cluster.Id, cluster.DisplayName, cluster.KubeconfigRevision, api);
        Seen = new Pulse(time);
        var everything = new ReflectorOptions();
        var labelled = new ReflectorOptions { Selection = new(LabelSelector: Manifests.ClusterInstallationLabel) };
        var ours = new ReflectorOptions { Selection = new(Namespace: OperatorManifests.Name) };
        _nodes = new(api, ObservedNode.Resource, everything, time, log, ObservedNode.Trim);
        _pods = new(api, ObservedPod.Resource, everything, time, log, ObservedPod.Trim);
        _namespaces = new(api, WorkspaceNamespace.Resource, labelled, time, log, WorkspaceNamespace.Trim);
        _resources = new(api, MattermostResource.Resource, labelled, time, log, MattermostResource.Trim);
        _operator = new(api, ResourceKinds.Deployments, ours, time, log);

        _nodes.StatusChanged += _ => Seen.Raise();
        _nodes.Cache.Changed += _ => Seen.Raise();
        _pods.StatusChanged += _ => Seen.Raise();
        _pods.Cache.Changed += _ => Seen.Raise();
        _namespaces.Cache.Changed += c => Touch(c.After ?? c.Before);
        _resources.Cache.Changed += c => Touch(c.After ?? c.Before);
        _operator.Cache.Changed += _ => OperatorTouched?.Invoke(this);
    }

    public string ClusterId { get; }

    /// <summary>For people; the name it had when the watch began.</summary>
    public string DisplayName { get; }

    /// <summary>Of the kubeconfig that it uses.</summary>
    public int Revision { get; }

    public KubernetesApi Api { get; }

    /// <summary>Raised when nodes, pods or the reachability are not what they were.</summary>
    public Pulse Seen { get; }

    /// <summary>An object of the cluster installation with that id changed.</summary>
    public event Action<string>? Touched;

    /// <summary>The operator's Deployment changed.</summary>
    public event Action<ClusterWatch>? OperatorTouched;

    /// <summary>How the watch of nodes goes, which speaks for the API server.</summary>
    public ReflectorStatus Status => _nodes.Status;

    /// <summary>Nodes and pods are complete, so capacity can be told.</summary>
    public bool KnowsCapacity => _nodes.Status.Synced && _pods.Status.Synced;

    public IReadOnlyList<ObservedNode> Nodes => _nodes.Cache.All();

    public IReadOnlyList<ObservedPod> Pods => _pods.Cache.All();

    /// <summary>The namespace of that name if it is one of ours.</summary>
    public WorkspaceNamespace? Namespace(string name) => _namespaces.Cache.Find("", name);

    /// <summary>The resource of that name if it is one of ours.</summary>
    public MattermostResource? Resource(string ns, string name) => _resources.Cache.Find(ns, name);

    /// <summary>Whether the operator's Deployment is there; null while that is not known.</summary>
    public bool? HasOperator =>
        _operator.Status.Synced ? _operator.Cache.Find(OperatorManifests.DeploymentKey) is not null : null;

    /// <summary>Namespaces and resources are complete.</summary>
    public bool IsSynced => _namespaces.Status.Synced && _resources.Status.Synced;

    /// <summary>Waits until namespaces and resources are complete.</summary>
    public async Task WhenSyncedAsync(CancellationToken ct)
    {
        await _namespaces.WhenSynced(ct);
        await _resources.WhenSynced(ct);
    }

    /// <summary>The kind <c>Mattermost</c> is installed: its resources can be followed.</summary>
    public void FollowResources() => _provisioned.TrySetResult();

    /// <summary>Runs until cancelled; throws only for a bug, and no part runs any more then.</summary>
    public Task RunAsync(CancellationToken ct) => Siblings.Run(
        ct,
        _nodes.Run,
        ending => AfterAsync(_nodes.WhenSynced(ending), _pods.Run, ending),
        ending => AfterAsync(_nodes.WhenSynced(ending), _namespaces.Run, ending),
        ending => AfterAsync(_nodes.WhenSynced(ending), _operator.Run, ending),
        ending => AfterAsync(_provisioned.Task.WaitAsync(ending), _resources.Run, ending));

    private static async Task AfterAsync(Task first, Func<CancellationToken, Task> run, CancellationToken ct)
    {
        await first.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (!ct.IsCancellationRequested) await run(ct);
    }

    private void Touch(IKubernetesObject<V1ObjectMeta>? item)
    {
        if (item?.ClusterInstallationId() is { Length: > 0 } id) Touched?.Invoke(id);
    }
}
