using System.Text.Json.Nodes;
using Cloud.Simulator.ApiServers.CustomResources;
using Cloud.Simulator.ApiServers.Defaulting;
using Cloud.Simulator.ApiServers.FieldOwnership;
using Cloud.Simulator.ApiServers.Objects;
using Cloud.Simulator.ApiServers.ResourceTypes;
using Cloud.Simulator.ApiServers.Storage;
using Cloud.Simulator.ApiServers.Validation;

namespace Cloud.Simulator.ApiServers.Writes;

/// <summary>
/// Every way in which an object comes to be or changes: create, replace, patch, apply. Each goes the way of a real
/// server: shape, defaults, admission, validation, generation, ownership, then the store.
/// </summary>
/// <remarks>
/// A write holds the store's gate from reading the object until it is kept, so two writers never both succeed on one
/// revision. A write that changes nothing is not kept and wakes no watch.
/// </remarks>
public sealed class ObjectWriter(ObjectStore store, ServiceAddresses addresses, TimeProvider clock)
{
    /// <summary>
    /// Called, under the gate, with each object that was written or removed (then without a new version).
    /// </summary>
    public Action<ResourceType, StoredObject, bool>? Written { get; set; }

    /// <summary>Stores a new object.</summary>
    public StoredObject Create(ResourceType type, string? ns, JsonObject obj, WriteOptions options)
    {
        CheckType(type, obj);
        CheckPlace(type, ns, obj);
        if (obj.Text("metadata", "resourceVersion") is { Length: > 0 })
            throw new ApiException(500, "", "resourceVersion should not be set on objects to be created");
        CheckFields(type, obj, options);
        lock (store.Gate) return CreateLocked(type, obj, options, applied: false);
    }

    /// <summary>Replaces an object or, with a subresource, its part.</summary>
    public StoredObject Update(ResourceType type, string? ns, string name, JsonObject obj, WriteOptions options)
    {
        CheckType(type, obj);
        CheckPlace(type, ns, obj);
        if (obj.NameOf() is { Length: > 0 } own && own != name)
            throw ApiErrors.BadRequest($"the name of the object ({own}) does not match the name on the URL ({name})");
        obj.Metadata()["name"] = name;
        CheckFields(type, obj, options);
        lock (store.Gate)
        {
            if (store.Find(type.StorageKey, ns, name) is not { } found)
            {
                if (!type.CreateOnUpdate || options.Subresource.Length > 0) throw ApiErrors.NotFound(type, name);
                return CreateLocked(type, obj, options, applied: false);
            }
            var current = Representation.Of(type, found).ToJson();
            Preconditions.Check(type, current, obj, options);
            return Replace(type, found, current, obj, options, applied: false);
        }
    }

    /// <summary>Changes an object by a function of its present state. 404 when there is none.</summary>
    public StoredObject Patch(
        ResourceType type, string? ns, string name, Func<JsonObject, JsonObject> change, WriteOptions options)
    {
        lock (store.Gate)
        {
            var found = store.Find(type.StorageKey, ns, name) ?? throw ApiErrors.NotFound(type, name);
            var current = Representation.Of(type, found).ToJson();
            var next = change((JsonObject)current.DeepClone());
            CheckType(type, next);
            CheckPlace(type, ns, next);
            if (next.NameOf() != name)
                throw ApiErrors.BadRequest(
                    $"the name of the object ({next.NameOf()}) does not match the name on the URL ({name})");
            CheckFields(type, next, options, isPatch: true);
            Preconditions.Check(type, current, next, options with { IsController = true });
            return Replace(type, found, current, next, options, applied: false);
        }
    }

    /// <summary>Server-side apply: creates the object, or merges what the manager states into it.</summary>
    public (StoredObject Object, bool Created) Apply(
        ResourceType type, string? ns, string name, JsonObject config, bool force, WriteOptions options)
    {
        AppliedConfig.CheckType(type, ns, config);
        CheckPlace(type, ns, config);
        if (config.NameOf() is { Length: > 0 } own && own != name)
            throw ApiErrors.BadRequest($"the name of the object ({own}) does not match the name on the URL ({name})");
        config.Metadata()["name"] = name;
        if (config.At("metadata", "managedFields") is JsonArray { Count: > 0 })
            throw ApiErrors.BadRequest("metadata.managedFields must be nil");
        config.Metadata().Remove("managedFields");
        AppliedConfig.CheckFields(type, ns, config);
        if (options.Subresource.Length == 0 && type.HasStatus) config.Remove("status");
        lock (store.Gate)
        {
            var owner = NewOwner(type, options, Operation.Apply);
            if (store.Find(type.StorageKey, ns, name) is not { } found)
            {
                if (options.Subresource.Length > 0) throw ApiErrors.NotFound(type, name);
                if (config.Text("metadata", "uid") is { Length: > 0 } uid)
                    throw ApiErrors.Conflict(type, name,
                        $"uid mismatch: the provided object specified uid {uid}, and no existing object was found");
                var created = ServerSideApply.Apply(null, config, type.Schema, [], owner, force);
                return (CreateLocked(type, created, options, applied: true), true);
            }
            var current = Representation.Of(type, found).ToJson();
            Preconditions.Check(type, current, config, options with { IsController = true });
            config.Metadata().Remove("resourceVersion");
            if (options.Subresource == "status") config = StatusConfig(config);
            var next = ServerSideApply.Apply(current, config, type.Schema, Owner.Read(current), owner, force);
            return (Replace(type, found, current, next, options, applied: true), false);
        }
    }

    private StoredObject CreateLocked(ResourceType type, JsonObject obj, WriteOptions options, bool applied)
    {
        var now = clock.GetUtcNow();
        Admission.CheckNamespace(store, type, obj);
        Metadata.OnCreate(type, obj, now);
        if (obj.NameOf().Length == 0)
            throw ApiErrors.Invalid(type, "",
                [FieldError.Required("metadata.name", "name or generateName is required")]);
        if (store.Find(type.StorageKey, obj.NamespaceOf(), obj.NameOf()) is not null)
            throw ApiErrors.AlreadyExists(type, obj.NameOf());
        Shape(type, obj);
        Separation.OnCreate(type, obj);
        Admission.OnCreate(store, type, obj);
        addresses.OnCreate(type, obj);
        Validate(type, obj, before: null);
        if (!applied)
        {
            obj.Metadata().Remove("managedFields");
            Ownership.Track(null, obj, type.Schema, [], NewOwner(type, options, Operation.Update));
        }
        return Keep(type, obj, options);
    }

    /// <summary>Puts the next version of an object in place of the current one.</summary>
    private StoredObject Replace(
        ResourceType type, StoredObject found, JsonObject current, JsonObject next, WriteOptions options, bool applied)
    {
        var named = next.ListAt("metadata", "managedFields");
        Metadata.OnUpdate(current, next);
        if (options.Subresource == "status") next = WithManaged(Separation.StatusOnly(type, current, next), named);
        else if (options.Subresource != "finalize") Separation.OnUpdate(type, current, next);
        Shape(type, next);
        addresses.OnUpdate(type, current, next);
        Validate(type, next, current, options);
        Metadata.CountGeneration(type, current, next);
        if (!applied) TrackOwners(type, current, next, named, options);
        if (Unchanged(current, next)) return found;
        if (IsFinished(type, next)) return Remove(type, found, next, options);
        return Keep(type, next, options);
    }

    /// <summary>Removes an object for good. Call under the gate.</summary>
    internal StoredObject Remove(ResourceType type, StoredObject found, JsonObject last, WriteOptions? options = null)
    {
        if (options?.DryRun == true) return StoredObject.Freeze(last, found.Revision);
        var removed = store.Remove(type.StorageKey, found, Representation.ToStored(type, last));
        addresses.OnRemove(type, last);
        Written?.Invoke(type, removed, true);
        return Representation.Of(type, removed);
    }

    /// <summary>Keeps a version as it is. Call under the gate.</summary>
    internal StoredObject Keep(ResourceType type, JsonObject obj, WriteOptions? options = null)
    {
        if (options?.DryRun == true) return StoredObject.Freeze(obj, store.Revision);
        var kept = store.Put(type.StorageKey, Representation.ToStored(type, obj));
        Written?.Invoke(type, kept, false);
        return Representation.Of(type, kept);
    }

    /// <summary>True when nothing holds an object any more that is being deleted.</summary>
    internal static bool IsFinished(ResourceType type, JsonObject obj) =>
        obj.IsBeingDeleted() && !obj.Finalizers().Any()
        && (obj.Number("metadata", "deletionGracePeriodSeconds") ?? 0) == 0
        && !(type.Resource == "namespaces" && obj.ListAt("spec", "finalizers") is { Count: > 0 });

    private static void Shape(ResourceType type, JsonObject obj)
    {
        if (type.Custom is null)
        {
            Defaults.Apply(type, obj);
            BuiltInFields.Normalize(obj, type.Schema, type.Kind, type.ApiVersion);
        }
        else CustomFields.Default(obj, type.Schema);
    }

    private static void Validate(ResourceType type, JsonObject obj, JsonObject? before, WriteOptions? options = null)
    {
        List<FieldError> errors = [.. ObjectRules.Check(type, obj, before)];
        var allowed = options?.IsController == true ? WithNode(obj, before) : before;
        if (type.Custom is null) errors.AddRange(BuiltInRules.Check(type, obj, allowed));
        else if (type.Schema.Source is { } schema) errors.AddRange(CustomValidation.Check(obj, schema));
        if (errors.Count > 0) throw ApiErrors.Invalid(type, obj.NameOf(), errors);
    }

    // To bind a pod is to set its node, which only the cluster's own scheduler may do.
    private static JsonObject? WithNode(JsonObject obj, JsonObject? before)
    {
        if (before?.ObjectAt("spec") is null || before.At("spec", "nodeName") is not null) return before;
        var bound = (JsonObject)before.DeepClone();
        bound.Ensure("spec").CopyFrom(obj.ObjectAt("spec"), "nodeName");
        return bound;
    }

    private static void CheckFields(ResourceType type, JsonObject obj, WriteOptions options, bool isPatch = false)
    {
        var unknown = type.Custom is null
            ? BuiltInFields.Normalize(obj, type.Schema, type.Kind, type.ApiVersion)
            : CustomFields.Prune(obj, type.Schema);
        if (unknown.Count == 0) return;
        var texts = unknown.Select(u => $"unknown field \"{u}\"").ToList();
        if (options.Fields is FieldHandling.Warn) options.Warnings.AddRange(texts);
        if (options.Fields is not FieldHandling.Strict) return;
        var message = "strict decoding error: " + string.Join(", ", texts);
        if (isPatch)
        {
            throw ApiErrors.Invalid("", "", "", "",
                [FieldError.Invalid("patch", obj.ToJsonString(KubernetesJson.Options), message)]);
        }
        throw ApiErrors.BadRequest(
            $"{type.Kind} in version \"{type.Version}\" cannot be handled as a {type.Kind}: {message}");
    }

    private static JsonObject StatusConfig(JsonObject config)
    {
        var status = new JsonObject();
        foreach (var field in new[] { "apiVersion", "kind", "status" }) status.CopyFrom(config, field);
        status["metadata"] = new JsonObject();
        status.Metadata().CopyFrom(config.Metadata(), "name");
        status.Metadata().CopyFrom(config.Metadata(), "namespace");
        if (status["status"] is null) status.Remove("status");
        return status;
    }

    private void TrackOwners(ResourceType type, JsonObject current, JsonObject next, JsonArray? named,
        WriteOptions options)
    {
        var owners = Owner.Read(current);
        if (!options.IsController && options.Subresource.Length == 0 && named is not null)
        {
            // An explicitly empty list, or one empty entry, is how a client gives up all ownership.
            if (named.Count == 0 || named is [JsonObject { Count: 0 }])
            {
                next.Metadata().Remove("managedFields");
                return;
            }
            var stated = Owner.Read(next);
            if (stated.Count > 0) owners = stated;
        }
        Ownership.Track(current, next, type.Schema, owners, NewOwner(type, options, Operation.Update));
    }

    private Owner NewOwner(ResourceType type, WriteOptions options, Operation operation) =>
        new(options.Manager, operation, type.ApiVersion, options.Subresource, clock.GetUtcNow(), new FieldSet());

    private static JsonObject WithManaged(JsonObject obj, JsonArray? managed)
    {
        if (managed is not null) obj.Metadata()["managedFields"] = managed.DeepClone();
        return obj;
    }

    // The time of an owner's entry alone is no change: else every repeated apply would be one.
    private static bool Unchanged(JsonObject current, JsonObject next)
    {
        if (JsonAccess.Same(current, next)) return true;
        var (one, other) = ((JsonObject)current.DeepClone(), (JsonObject)next.DeepClone());
        foreach (var entry in (one.ListAt("metadata", "managedFields") ?? [])
            .Concat(other.ListAt("metadata", "managedFields") ?? []))
            (entry as JsonObject)?.Remove("time");
        return JsonAccess.Same(one, other);
    }

    private static void CheckType(ResourceType type, JsonObject obj)
    {
        if (type.Custom is null)
        {
            // A built-in type is known by its address; a custom one is only what it says it is.
            obj.Default("apiVersion", type.ApiVersion);
            obj.Default("kind", type.Kind);
        }
        foreach (var (field, called) in new[] { ("kind", "Kind"), ("apiVersion", "apiVersion") })
        {
            if (string.IsNullOrEmpty(obj.Text(field)))
                throw ApiErrors.BadRequest(
                    $"Object '{called}' is missing in '{obj.ToJsonString(KubernetesJson.Options)}'");
        }
        if (obj.Text("apiVersion") != type.ApiVersion)
        {
            throw ApiErrors.BadRequest(
                $"the API version in the data ({obj.Text("apiVersion")}) does not match the expected API version " +
                $"({type.ApiVersion})");
        }
        if (obj.Text("kind") != type.Kind)
            throw ApiErrors.BadRequest(
                $"the kind in the data ({obj.Text("kind")}) does not match the expected kind ({type.Kind})");
        if (obj["metadata"] is not (null or JsonObject)) throw ApiErrors.BadRequest("metadata must be an object");
    }

    private static void CheckPlace(ResourceType type, string? ns, JsonObject obj)
    {
        if (!type.Namespaced)
        {
            obj.Metadata().Remove("namespace");
            return;
        }
        var own = obj.NamespaceOf();
        if (own is { Length: > 0 } && own != ns)
            throw ApiErrors.BadRequest(
                "the namespace of the provided object does not match the namespace sent on the request");
        obj.Metadata()["namespace"] = ns
            ?? throw ApiErrors.BadRequest("an empty namespace may not be set during creation");
    }
}
