using System.Collections.Concurrent;
using Cloud.Operator.Manifests;
using Cloud.Operator.Mattermosts;
using Cloud.Watching;
using k8s;
using k8s.Models;

namespace Cloud.Operator.Reconciling;

/// <summary>
/// What the operator knows of its cluster: the resources and everything that is made for them, kept by watches.
/// Children are selected by label, so that the caches hold nothing of others; Secrets cannot be, so they are cut down
/// to what is asked of them.
/// </summary>
public sealed class ClusterView
{
    /// <summary>Enough of a connection string to tell the engine, and too little to be of use to a thief.</summary>
    private const int ConnectionPrefixBytes = 9;

    private static readonly ReflectorOptions OwnChildren =
        new() { Selection = new Selection(LabelSelector: Names.ResourceLabel) };

    private readonly ConcurrentDictionary<ObjectKey, UndecodableObject> _unreadable = new();
    private readonly List<Func<CancellationToken, Task>> _runs = [];
    private readonly List<Func<CancellationToken, Task>> _syncs = [];
    private readonly List<Func<(string Kind, ReflectorStatus Status)>> _statuses = [];

    public ClusterView(KubernetesApi api, TimeProvider time, ILoggerFactory logs)
    {
        var log = logs.CreateLogger<ClusterView>();
        Mattermosts = Follow(Mattermost.ResourceKind, new ReflectorOptions(), undecodable: NoteUnreadable);
        Mattermosts.Changed += change => NoteReadable(change.Key);
        Deployments = Follow(ResourceKinds.Deployments, OwnChildren);
        ReplicaSets = Follow(ResourceKinds.ReplicaSets, OwnChildren);
        Services = Follow(ResourceKinds.Services, OwnChildren);
        Ingresses = Follow(ResourceKinds.Ingresses, OwnChildren);
        Jobs = Follow(ResourceKinds.Jobs, OwnChildren);
        Claims = Follow(ResourceKinds.PersistentVolumeClaims, OwnChildren);
        ServiceAccounts = Follow(ResourceKinds.ServiceAccounts, OwnChildren);
        Roles = Follow(ResourceKinds.Roles, OwnChildren);
        RoleBindings = Follow(ResourceKinds.RoleBindings, OwnChildren);
        Secrets = Follow(ResourceKinds.Secrets, new ReflectorOptions(), CutDown);
        ReplicaSetsByResource = ReplicaSets.AddIndex(r => [ResourceTerm(r)]);
        MattermostsBySecret = Mattermosts.AddIndex(SecretTerms);

        ObjectCache<T> Follow<T>(
            ResourceKind<T> kind, ReflectorOptions options, Func<T, T>? trim = null,
            Action<IReadOnlyList<UndecodableObject>>? undecodable = null)
            where T : class, IKubernetesObject<V1ObjectMeta>
        {
            var reflector = new Reflector<T>(api, kind, options, time, log, trim);
            reflector.UndecodableListed += undecodable;
            _runs.Add(reflector.Run);
            _syncs.Add(reflector.WhenSynced);
            _statuses.Add(() => (kind.ToString(), reflector.Status));
            return reflector.Cache;
        }
    }

    public ObjectCache<Mattermost> Mattermosts { get; }

    public ObjectCache<V1Deployment> Deployments { get; }

    public ObjectCache<V1ReplicaSet> ReplicaSets { get; }

    public ObjectCache<V1Service> Services { get; }

    public ObjectCache<V1Ingress> Ingresses { get; }

    public ObjectCache<V1Job> Jobs { get; }

    public ObjectCache<V1PersistentVolumeClaim> Claims { get; }

    public ObjectCache<V1ServiceAccount> ServiceAccounts { get; }

    public ObjectCache<V1Role> Roles { get; }

    public ObjectCache<V1RoleBinding> RoleBindings { get; }

    /// <summary>
    /// All Secrets by key; of their contents only what tells which keys exist and what kind of database it is.
    /// </summary>
    public ObjectCache<V1Secret> Secrets { get; }

    /// <summary>ReplicaSets under the key of the resource they belong to.</summary>
    public CacheIndex<V1ReplicaSet> ReplicaSetsByResource { get; }

    /// <summary>Resources under the keys of the Secrets they name.</summary>
    public CacheIndex<Mattermost> MattermostsBySecret { get; }

    /// <summary>A resource was found that cannot be read.</summary>
    public event Action<ObjectKey>? UnreadableFound;

    /// <summary>The resource of that key, if what it is now cannot be read; the cache may hold an older form of
    /// it.</summary>
    public UndecodableObject? Unreadable(ObjectKey key) => _unreadable.GetValueOrDefault(key);

    /// <summary>How each watch is doing.</summary>
    public IEnumerable<(string Kind, ReflectorStatus Status)> Statuses => _statuses.Select(s => s());

    /// <summary>Keeps watching until cancelled; a watch that fails, which is a bug, ends the others and is
    /// thrown.</summary>
    public Task Run(CancellationToken cancellation) => Siblings.Run(cancellation, _runs);

    /// <summary>Waits until everything has been listed once.</summary>
    public Task WhenSynced(CancellationToken cancellation) => Task.WhenAll(_syncs.Select(s => s(cancellation)));

    /// <summary>
    /// Calls <paramref name="enqueue"/> with the key of each resource that a change may matter to. The echo of a write
    /// of our own, which the cache already shows, is no change.
    /// </summary>
    public void OnChange(Action<ObjectKey> enqueue)
    {
        UnreadableFound += enqueue;
        Mattermosts.Changed += change => Announce(change, _ => change.Key);
        Deployments.Changed += change => Announce(change, ResourceKey);
        ReplicaSets.Changed += change => Announce(change, ResourceKey);
        Services.Changed += change => Announce(change, ResourceKey);
        Ingresses.Changed += change => Announce(change, ResourceKey);
        Jobs.Changed += change => Announce(change, ResourceKey);
        Claims.Changed += change => Announce(change, ResourceKey);
        ServiceAccounts.Changed += change => Announce(change, ResourceKey);
        Roles.Changed += change => Announce(change, ResourceKey);
        RoleBindings.Changed += change => Announce(change, ResourceKey);
        Secrets.Changed += change =>
        {
            foreach (var mattermost in MattermostsBySecret.Find(change.Key.ToString()))
            {
                enqueue(mattermost.Key);
            }
        };

        void Announce<T>(ObjectChange<T> change, Func<T, ObjectKey> keyOf)
            where T : class, IKubernetesObject<V1ObjectMeta>
        {
            if (change.Before?.Metadata.ResourceVersion != change.After?.Metadata.ResourceVersion)
            {
                enqueue(keyOf((change.After ?? change.Before)!));
            }
        }
    }

    private void NoteUnreadable(IReadOnlyList<UndecodableObject> listed)
    {
        foreach (var gone in _unreadable.Keys.Except(listed.Select(bad => bad.Key)).ToList())
        {
            NoteReadable(gone);
        }

        foreach (var bad in listed)
        {
            _unreadable[bad.Key] = bad;
            UnreadableFound?.Invoke(bad.Key);
        }
    }

    private void NoteReadable(ObjectKey key) => _unreadable.TryRemove(key, out _);

    private static ObjectKey ResourceKey<T>(T child)
        where T : class, IKubernetesObject<V1ObjectMeta> =>
        new(child.Metadata.NamespaceProperty ?? "",
            child.Metadata.Labels?.TryGetValue(Names.ResourceLabel, out var name) == true ? name : "");

    private static string ResourceTerm(V1ReplicaSet replicaSet) => ResourceKey(replicaSet).ToString();

    private static IEnumerable<string> SecretTerms(Mattermost mattermost)
    {
        string?[] names =
        [
            DatabaseSettings.SecretName(mattermost.Spec), FileStoreSettings.SecretName(mattermost.Spec),
            mattermost.Spec.LicenseSecret,
        ];
        return names.Where(n => !string.IsNullOrEmpty(n)).Distinct()
            .Select(n => new ObjectKey(mattermost.Namespace, n!).ToString());
    }

    private static V1Secret CutDown(V1Secret secret) => new()
    {
        Metadata = new V1ObjectMeta
        {
            Name = secret.Metadata.Name,
            NamespaceProperty = secret.Metadata.NamespaceProperty,
            ResourceVersion = secret.Metadata.ResourceVersion,
            Uid = secret.Metadata.Uid,
        },
        Data = secret.Data?.ToDictionary(p => p.Key, p => p.Key switch
        {
            DatabaseSettings.ConnectionStringKey => p.Value[..Math.Min(p.Value.Length, ConnectionPrefixBytes)],
            DatabaseSettings.CheckUrlKey => p.Value,
            _ => [],
        }),
    };
}
