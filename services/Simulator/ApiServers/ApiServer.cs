using System.Text.Json.Nodes;
using Cloud.Simulator.ApiServers.CustomResources;
using Cloud.Simulator.ApiServers.Defaulting;
using Cloud.Simulator.ApiServers.Objects;
using Cloud.Simulator.ApiServers.ResourceTypes;
using Cloud.Simulator.ApiServers.Selectors;
using Cloud.Simulator.ApiServers.Storage;
using Cloud.Simulator.ApiServers.Writes;

namespace Cloud.Simulator.ApiServers;

/// <summary>
/// The Kubernetes API of one simulated cluster, without HTTP: what it serves, what it holds, who may change it.
/// </summary>
public sealed class ApiServer : IClusterApi, IDisposable
{
    private static readonly string[] FirstNamespaces = ["default", "kube-system", "kube-public", "kube-node-lease"];

    /// <summary>
    /// Opens the cluster with what <paramref name="stateDirectory"/> holds of it; null holds nothing.
    /// </summary>
    public ApiServer(ClusterSettings settings, TimeProvider clock, string? stateDirectory)
    {
        Settings = settings;
        Clock = clock;
        Store = new ObjectStore(stateDirectory, settings.WatchHistory);
        var addresses = new ServiceAddresses();
        foreach (var service in Store.View("services").From(null)) addresses.Learn(service.ToJson());
        Writer = new ObjectWriter(Store, addresses, clock);
        Deletion = new ObjectDeletion(Store, Writer, clock);
        var definitions = new DefinitionLifecycle(Store, Types, Writer, Deletion, clock);
        definitions.Open();
        Writer.Written = definitions.OnWritten;
        foreach (var ns in FirstNamespaces) EnsureNamespace(ns);
    }

    public ClusterSettings Settings { get; }

    public TimeProvider Clock { get; }

    public ObjectStore Store { get; }

    public ServedTypes Types { get; } = new();

    public ObjectWriter Writer { get; }

    public ObjectDeletion Deletion { get; }

    /// <summary>
    /// Where the output of a container (namespace, pod, container) is written; null keeps none. Set by who runs pods.
    /// </summary>
    public Func<string, string, string, string?>? LogPath { get; set; }

    /// <inheritdoc />
    public string ClusterName => Settings.Name;

    /// <inheritdoc />
    public JsonObject? Get(string resource, string? ns, string name)
    {
        var type = TypeOf(resource, out _);
        return Store.Find(type.StorageKey, ns, name) is { } found ? Representation.Of(type, found).ToJson() : null;
    }

    /// <inheritdoc />
    public IReadOnlyList<JsonObject> List(string resource, string? ns = null, string? labelSelector = null)
    {
        var type = TypeOf(resource, out _);
        var labels = LabelSelector.Parse(labelSelector);
        return [.. Store.View(type.StorageKey).From(ns).Where(o => labels is null || labels.Matches(o.Labels))
            .Select(o => Representation.Of(type, o).ToJson())];
    }

    /// <inheritdoc />
    public JsonObject Create(string resource, JsonObject obj, string manager)
    {
        var type = TypeOf(resource, out _);
        var copy = (JsonObject)obj.DeepClone();
        return Writer.Create(type, copy.NamespaceOf(), copy, Controller(manager)).ToJson();
    }

    /// <inheritdoc />
    public JsonObject Update(string resource, JsonObject obj, string manager)
    {
        var type = TypeOf(resource, out var subresource);
        var copy = (JsonObject)obj.DeepClone();
        return Writer.Update(type, copy.NamespaceOf(), copy.NameOf(), copy,
            Controller(manager) with { Subresource = subresource }).ToJson();
    }

    /// <inheritdoc />
    public JsonObject UpdateStatus(string resource, JsonObject obj, string manager) =>
        Update(resource + "/status", obj, manager);

    /// <inheritdoc />
    public void Delete(string resource, string? ns, string name, string propagation = "Background", string? uid = null,
        long? gracePeriodSeconds = null) =>
        Deletion.Delete(TypeOf(resource, out _), ns, name, new DeleteOptions
        {
            Propagation = propagation, Uid = uid, GracePeriodSeconds = gracePeriodSeconds,
        });

    /// <inheritdoc />
    public IDisposable Watch(string resource, Action<WatchEvent> hear)
    {
        var type = TypeOf(resource, out _);
        return Store.Listen(type.StorageKey, change => hear(new WatchEvent(
            change.Deleted ? "DELETED" : change.Before is null ? "ADDED" : "MODIFIED",
            new Lazy<JsonObject>(() => Representation.Of(type, change.After).ToJson()))));
    }

    /// <inheritdoc />
    public void Dispose() => Store.Dispose();

    private static WriteOptions Controller(string manager) => new(manager) { IsController = true };

    private ResourceType TypeOf(string resource, out string subresource)
    {
        var slash = resource.IndexOf('/', StringComparison.Ordinal);
        subresource = slash < 0 ? "" : resource[(slash + 1)..];
        return Types.ByResource(slash < 0 ? resource : resource[..slash])
            ?? throw ApiErrors.NoSuchResource();
    }

    private void EnsureNamespace(string name)
    {
        if (Store.Find("namespaces", null, name) is not null) return;
        Create("namespaces", new JsonObject { ["metadata"] = new JsonObject { ["name"] = name } }, "kube-apiserver");
    }
}
