using System.Globalization;
using System.Text.Json.Nodes;
using Cloud.ClusterInstallations;
using Cloud.Clusters;
using Cloud.Watching;
using k8s;
using k8s.Models;

namespace Cloud.Providers;

/// <summary>
/// What one claim of a row writes into a cluster. A worker that was paused anywhere cannot undo what came after it.
/// <para>Guarantees. Every object carries row and epoch of its writer, and what the same row wrote with a higher epoch
/// is left alone, as is what another row wrote unless the writer's own claim still holds after it was seen. What is
/// there is changed and removed only as it was seen, by uid and version; the version alone would not do, because an
/// apply with nothing but that makes anew what was removed meanwhile. What is missing is created, which fails where
/// somebody was faster, and where the namespace is gone or going. For what is in no namespace that ends with the row
/// the API has no such condition. There the worker looks at its row after it has created, and takes back what it made
/// when the row is on its way out: whoever removes has claimed the row before it looks into the cluster, so that either
/// the worker sees where the row is or the removal sees the object.</para>
/// <para>What remains: an object in no namespace comes back, and stays, when its worker dies between creating it and
/// that look, or when the request is held up on the way until the removal is over. Of workspaces <see cref="Drift"/>
/// finds it; into a cluster that was let go nobody looks, and the next import takes it over.</para>
/// </summary>
/// <param name="api">The cluster.</param>
/// <param name="row">Resource name of the row.</param>
/// <param name="epoch">Of the claim.</param>
/// <param name="look">Where the row is now.</param>
public sealed class FencedWrites(
    KubernetesApi api, string row, long epoch, Func<CancellationToken, Task<RowNow>> look, TimeProvider time)
{
    /// <summary>On every object: the row that it was written for. Epochs of different rows cannot be
    /// compared.</summary>
    public const string RowAnnotation = "cloud.mattermost.com/row";

    /// <summary>On every object: the epoch that it was written with.</summary>
    public const string EpochAnnotation = "cloud.mattermost.com/epoch";

    /// <summary>How long a creation is seen to its end though the step was cancelled: a call or two.</summary>
    private static readonly TimeSpan EndWithin = KubernetesApi.RequestTimeout + TimeSpan.FromSeconds(15);

    /// <summary>Whether the namespaces that it writes into end with the row, so that nothing comes into them after
    /// it.</summary>
    private bool NamespacesEndWithRow { get; init; } = true;

    /// <summary>For what the operator needs in a cluster. Its namespace may have been there before us, and
    /// stays.</summary>
    public static FencedWrites Of(Cluster row, KubernetesApi api, ClusterStore rows, TimeProvider time) =>
        new(
            api, row.Name, row.Epoch,
            async ct => await rows.FindAsync(row.Id, ct) is { } now ? new(now.Epoch, now.IsLeaving) : RowNow.Gone,
            time)
        {
            NamespacesEndWithRow = false,
        };

    /// <summary>For a workspace.</summary>
    public static FencedWrites Of(
        ClusterInstallation row, KubernetesApi api, ClusterInstallationStore rows, TimeProvider time) =>
        new(
            api, row.Name, row.Epoch,
            async ct => await rows.FindAsync(row.Id, ct) is { } now ? new(now.Epoch, now.IsLeaving) : RowNow.Gone,
            time);

    /// <summary>Makes an object be as wanted, and writes nothing when it is: not even a new epoch, because a row that
    /// waits is claimed for every look.</summary>
    public async Task<T> EnsureAsync<T>(ResourceKind<T> kind, T desired, T? found, CancellationToken ct)
        where T : class, IKubernetesObject<V1ObjectMeta>
    {
        var document = Applier.Document(kind, desired);
        return found is not null && Applier.IsAsWanted(document, found)
            ? found
            : await WriteAsync(kind, ObjectKey.Of(desired), document, found, ct);
    }

    /// <summary>As above; looks first.</summary>
    public async Task<T> EnsureAsync<T>(ResourceKind<T> kind, T desired, CancellationToken ct)
        where T : class, IKubernetesObject<V1ObjectMeta> =>
        await EnsureAsync(kind, desired, await api.Find(kind, ObjectKey.Of(desired), ct), ct);

    /// <summary>Writes an object.</summary>
    /// <param name="document">The fields that are ours.</param>
    /// <param name="found">The object as it was seen; null when there was none.</param>
    public async Task<T> WriteAsync<T>(
        ResourceKind<T> kind, ObjectKey key, JsonObject document, IKubernetesObject<V1ObjectMeta>? found,
        CancellationToken ct)
        where T : class, IKubernetesObject<V1ObjectMeta>
    {
        var metadata = document["metadata"]!.AsObject();
        if (metadata["annotations"] is not JsonObject annotations) metadata["annotations"] = annotations = [];
        annotations[RowAnnotation] = row;
        annotations[EpochAnnotation] = epoch.ToString(CultureInfo.InvariantCulture);
        if (found is null) return await CreateAsync(kind, key, document, ct);
        Refuse(found);
        // What another row wrote is taken over from one that ended; or its row came after this one, which is over.
        if (found.Row() is { Length: > 0 } writer && writer != row && (await look(ct)).Epoch != epoch)
            throw Overtaken();
        metadata["uid"] = found.Metadata.Uid;
        metadata["resourceVersion"] = await InheritAsync(kind, key, found, ct);
        return await api.Apply<T>(kind, key, document, Manifests.FieldManager, force: true, subresource: null, ct);
    }

    /// <summary>Removes an object; answers false when it is not as it was seen. The row is looked at after the object:
    /// a worker that has been overtaken may have seen what another row made anew under the same name.</summary>
    public async Task<bool> RemoveAsync<T>(ResourceKind<T> kind, T found, CancellationToken ct)
        where T : class, IKubernetesObject<V1ObjectMeta>
    {
        Refuse(found);
        if ((await look(ct)).Epoch != epoch) throw Overtaken();
        return await api.DeleteAsSeen(kind, found, ct);
    }

    /// <summary>Lets nobody go on whom another worker of the same row has overtaken.</summary>
    public void Refuse(IKubernetesObject<V1ObjectMeta> found)
    {
        if (found.Row() == row && found.Epoch() > epoch)
            throw Stale($"A later worker (epoch {found.Epoch()}) has written already");
    }

    private async Task<T> CreateAsync<T>(
        ResourceKind<T> kind, ObjectKey key, JsonObject document, CancellationToken ct)
        where T : class, IKubernetesObject<V1ObjectMeta>
    {
        if (kind.Namespaced && NamespacesEndWithRow)
            return await api.Create(kind, key, document, Manifests.FieldManager, ct);
        // Not cancelled with the step: of a request that is given up on the way nobody knows whether it was heard.
        using var end = new CancellationTokenSource(EndWithin, time);
        var made = await api.Create(kind, key, document, Manifests.FieldManager, end.Token);
        var now = await look(end.Token);
        if (now == new RowNow(epoch, IsLeaving: false)) return made;
        // A definition stays: every resource of its kind would go with it, whosever it is by now.
        if (now.IsLeaving && kind.Plural != ResourceKinds.CustomResourceDefinitions.Plural)
            await TakeBackAsync(kind, made, end.Token);
        throw Overtaken();
    }

    /// <summary>Somebody else may change it under our hands; who takes it up leaves an epoch of their own.</summary>
    private async Task TakeBackAsync<T>(ResourceKind<T> kind, T made, CancellationToken ct)
        where T : class, IKubernetesObject<V1ObjectMeta>
    {
        T? left = made;
        while (left is not null && left.Metadata.Uid == made.Metadata.Uid
            && left.Row() == row && left.Epoch() == epoch
            && !await api.DeleteAsSeen(kind, left, ct))
            left = await api.Find(kind, ObjectKey.Of(made), ct);
    }

    /// <summary>
    /// Creating leaves the fields ours by another right than applying, and applying does not take away what is ours by
    /// that: fields no longer wanted would stay. So before the first apply the one right is turned into the other.
    /// </summary>
    /// <returns>The object's version after that.</returns>
    private async Task<string> InheritAsync<T>(
        ResourceKind<T> kind, ObjectKey key, IKubernetesObject<V1ObjectMeta> found, CancellationToken ct)
        where T : class, IKubernetesObject<V1ObjectMeta>
    {
        var entries = found.Metadata.ManagedFields ?? [];
        var ours = entries.Where(e => e.Manager == Manifests.FieldManager && string.IsNullOrEmpty(e.Subresource));
        if (ours.ToList() is not [{ Operation: "Update" } created]) return found.Metadata.ResourceVersion;
        created.Operation = "Apply";
        var owners = JsonNode.Parse(KubernetesJson.Serialize(entries));
        var inherited = await api.JsonPatch(
            kind, key,
            [
                Replace("/metadata/resourceVersion", found.Metadata.ResourceVersion),
                Replace("/metadata/managedFields", owners),
            ],
            Manifests.FieldManager, ct);
        return inherited.Metadata.ResourceVersion;
    }

    private StepException Overtaken() => Stale("The row has moved on");

    private StepException Stale(string why) =>
        new(ErrorReason.EpochStale, $"{why}; this one has epoch {epoch}.");

    private static JsonObject Replace(string path, JsonNode? value) =>
        new() { ["op"] = "replace", ["path"] = path, ["value"] = value };
}

/// <summary>Where a row is while somebody works for it.</summary>
/// <param name="Epoch">Of its newest claim.</param>
/// <param name="IsLeaving">Whether its objects are to go, or are gone.</param>
public readonly record struct RowNow(long Epoch, bool IsLeaving)
{
    public static readonly RowNow Gone = new(long.MaxValue, true);
}
