using System.Text.Json.Nodes;
using Cloud.Simulator.ApiServers.Objects;
using Cloud.Simulator.ApiServers.ResourceTypes;
using Cloud.Simulator.ApiServers.Storage;
using Cloud.Simulator.ApiServers.Writes;

namespace Cloud.Simulator.ApiServers.CustomResources;

/// <summary>
/// Follows CustomResourceDefinitions: serves what they define as soon as they are written, and when one is deleted,
/// deletes its objects first.
/// </summary>
/// <remarks>Runs under the store's gate within the write it follows, so a client that sees a definition established can
/// use it.</remarks>
public sealed class DefinitionLifecycle(
    ObjectStore store, ServedTypes types, ObjectWriter writer, ObjectDeletion deletion, TimeProvider clock)
{
    private bool _isSettling;

    /// <summary>Serves the definitions that the store already holds.</summary>
    public void Open()
    {
        foreach (var definition in store.View(Definitions.Resource).From(null))
        {
            var json = definition.ToJson();
            if (Definitions.IsEstablished(json)) types.Serve(definition.Name, Definitions.TypesOf(json));
        }
    }

    /// <summary>Reacts to what was written or removed.</summary>
    public void OnWritten(ResourceType type, StoredObject obj, bool removed)
    {
        if (type.Resource == Definitions.Resource) OnDefinition(type, obj, removed);
        else if (removed && type.Custom is { } custom) OnInstanceRemoved(custom.DefinitionName);
    }

    private void OnDefinition(ResourceType type, StoredObject stored, bool removed)
    {
        if (removed)
        {
            types.Serve(stored.Name, []);
            return;
        }
        if (_isSettling) return;
        _isSettling = true;
        try
        {
            Settle(type, stored);
        }
        finally
        {
            _isSettling = false;
        }
        if (stored.Text("metadata", "deletionTimestamp") is not null) DeleteInstances(stored.Name);
    }

    private void Settle(ResourceType type, StoredObject stored)
    {
        var definition = stored.ToJson();
        var now = Metadata.Stamp(clock.GetUtcNow());
        if (definition.IsBeingDeleted()) Definitions.MarkTerminating(definition, now);
        else
        {
            Definitions.Establish(definition, store.View(Definitions.Resource).From(null).Select(o => o.ToJson()), now);
            if (!definition.Finalizers().Contains(Definitions.CleanupFinalizer))
            {
                var finalizers = definition.Metadata()["finalizers"] as JsonArray ?? [];
                definition.Metadata()["finalizers"] = finalizers;
                finalizers.Add((JsonNode)Definitions.CleanupFinalizer);
            }
        }
        if (!JsonAccess.Same(definition, stored.ToJson())) writer.Keep(type, definition);
        if (Definitions.IsEstablished(definition)) types.Serve(stored.Name, Definitions.TypesOf(definition));
    }

    private void OnInstanceRemoved(string definition)
    {
        if (store.Find(Definitions.Resource, null, definition)?.Text("metadata", "deletionTimestamp") is not null)
            FinishIfEmpty(definition);
    }

    private void DeleteInstances(string definition)
    {
        if (types.ByResource(definition) is { } type)
        {
            foreach (var instance in store.View(type.StorageKey).From(null))
            {
                if (instance.Text("metadata", "deletionTimestamp") is null)
                    deletion.Delete(type, instance.Namespace, instance.Name, new DeleteOptions());
            }
        }
        FinishIfEmpty(definition);
    }

    private void FinishIfEmpty(string definition)
    {
        if (store.Count(definition) > 0 || store.Find(Definitions.Resource, null, definition) is not { } stored) return;
        var type = types.ByResource(Definitions.Resource)!;
        var json = stored.ToJson();
        var left = json.Finalizers().Where(f => f != Definitions.CleanupFinalizer).ToList();
        if (left.Count == json.Finalizers().Count()) return;
        if (left.Count == 0) json.Metadata().Remove("finalizers");
        else json.Metadata()["finalizers"] = new JsonArray([.. left.Select(f => (JsonNode)f)]);
        if (ObjectWriter.IsFinished(type, json)) writer.Remove(type, stored, json);
        else writer.Keep(type, json);
    }
}
