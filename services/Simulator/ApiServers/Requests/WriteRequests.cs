using System.Text.Json.Nodes;
using Cloud.Simulator.ApiServers.Objects;
using Cloud.Simulator.ApiServers.Patching;
using Cloud.Simulator.ApiServers.Validation;
using Cloud.Simulator.ApiServers.Writes;

namespace Cloud.Simulator.ApiServers.Requests;

/// <summary>Creating, replacing, patching and deleting over HTTP.</summary>
public static class WriteRequests
{
    private const string JsonPatchType = "application/json-patch+json";
    private const string MergePatchType = "application/merge-patch+json";
    private const string StrategicPatchType = "application/strategic-merge-patch+json";
    private const string ApplyType = "application/apply-patch+yaml";

    public static async Task CreateAsync(ResourceRequest request, CancellationToken ct)
    {
        var form = Format.Choose(request.Request);
        var body = await Bodies.ReadObjectAsync(request.Request, ct);
        var options = request.WriteOptions();
        var ns = request.Namespace;
        if (request.Type.Namespaced && ns is null) throw ApiErrors.MethodNotAllowed();
        var made = request.Server.Writer.Create(request.Type, ns, body, options);
        Answers.Warn(request.Http, options.Warnings);
        await ListRequests.WriteOneAsync(request, made, StatusCodes.Status201Created, form, ct);
    }

    public static async Task ReplaceAsync(ResourceRequest request, string subresource, CancellationToken ct)
    {
        var form = Format.Choose(request.Request);
        var body = await Bodies.ReadObjectAsync(request.Request, ct);
        var options = request.WriteOptions(subresource);
        var kept = request.Server.Writer.Update(request.Type, request.Namespace, request.Name, body, options);
        Answers.Warn(request.Http, options.Warnings);
        await ListRequests.WriteOneAsync(request, kept, StatusCodes.Status200OK, form, ct);
    }

    public static async Task PatchAsync(ResourceRequest request, string subresource, CancellationToken ct)
    {
        var form = Format.Choose(request.Request);
        var contentType = Bodies.ContentType(request.Request);
        CheckPatchType(request, contentType);
        var options = request.WriteOptions(subresource);
        var force = request.Flag("force");
        CheckPatchOptions(request, contentType, force);
        var patch = await Bodies.ReadAsync(request.Request, ct)
            ?? throw ApiErrors.BadRequest("error decoding patch: unexpected end of JSON input");
        var code = StatusCodes.Status200OK;
        StoredObject kept;
        if (contentType == ApplyType)
        {
            var config = patch as JsonObject
                ?? throw ApiErrors.BadRequest("error decoding YAML: an object is expected");
            (kept, var created) = request.Server.Writer.Apply(
                request.Type, request.Namespace, request.Name, config, force, options);
            if (created) code = StatusCodes.Status201Created;
        }
        else
        {
            kept = request.Server.Writer.Patch(request.Type, request.Namespace, request.Name,
                current => Change(request, contentType, current, patch), options);
        }
        Answers.Warn(request.Http, options.Warnings);
        await ListRequests.WriteOneAsync(request, kept, code, form, ct);
    }

    /// <summary>A patch of some type, applied to a tree of the kind's schema.</summary>
    public static JsonObject Change(ResourceRequest request, string contentType, JsonObject current, JsonNode patch) =>
        contentType switch
        {
            JsonPatchType => JsonPatch.Apply(current, patch) as JsonObject,
            MergePatchType => MergePatch.Apply(current, patch) as JsonObject,
            _ => patch is JsonObject strategic ? StrategicMerge.Apply(current, strategic, request.Type.Schema) : null,
        } ?? throw ApiErrors.BadRequest("error decoding patch: the result is not an object");

    /// <summary>415 for a type of patch that the kind does not take.</summary>
    public static void CheckPatchType(ResourceRequest request, string contentType)
    {
        string[] types = request.Type.Custom is null
            ? [JsonPatchType, MergePatchType, StrategicPatchType, ApplyType]
            : [JsonPatchType, MergePatchType, ApplyType];
        if (!types.Contains(contentType)) throw ApiErrors.UnsupportedMediaType(contentType, string.Join(", ", types));
    }

    public static async Task DeleteAsync(ResourceRequest request, CancellationToken ct)
    {
        var form = Format.Choose(request.Request);
        var options = await DeleteOptionsAsync(request, ct);
        var (last, gone) = request.Server.Deletion.Delete(request.Type, request.Namespace, request.Name, options);
        Answers.Warn(request.Http, options.Warnings);
        if (gone && !request.Type.AnswersDeletedObject)
            await Answers.WriteAsync(request.Http, Answers.Deleted(request.Type, last), StatusCodes.Status200OK, form,
                ct);
        else
            await ListRequests.WriteOneAsync(request, last, StatusCodes.Status200OK, form, ct);
    }

    public static async Task DeleteCollectionAsync(ResourceRequest request, CancellationToken ct)
    {
        var options = await DeleteOptionsAsync(request, ct);
        var selection = request.Selection();
        if (request.Type.Namespaced && request.Namespace is null) throw ApiErrors.MethodNotAllowed();
        var view = request.Server.Store.View(request.Type.StorageKey);
        var items = new JsonArray();
        foreach (var found in view.From(selection.Namespace).Where(selection.Matches))
        {
            try
            {
                var (last, _) = request.Server.Deletion.Delete(request.Type, found.Namespace, found.Name, options);
                items.Add((JsonNode)last.ToJson());
            }
            catch (ApiException gone) when (gone.Code == StatusCodes.Status404NotFound)
            {
                // Somebody else deleted it meanwhile: what was asked for is so.
                continue;
            }
        }
        Answers.Warn(request.Http, options.Warnings);
        await Answers.WriteAsync(request.Http, new JsonObject
        {
            ["kind"] = request.Type.EffectiveListKind,
            ["apiVersion"] = request.Type.ApiVersion,
            ["metadata"] = new JsonObject { ["resourceVersion"] = $"{request.Server.Store.Revision}" },
            ["items"] = items,
        }, StatusCodes.Status200OK, Form.Object, ct);
    }

    /// <summary>What a deletion says in its body and its query.</summary>
    public static async Task<DeleteOptions> DeleteOptionsAsync(ResourceRequest request, CancellationToken ct)
    {
        var body = await Bodies.ReadAsync(request.Request, ct) as JsonObject;
        var dryRun = request.IsDryRun || (body.ListAt("dryRun") ?? []).Any(d => d?.GetValue<string>() == "All");
        var propagation = body.Text("propagationPolicy") ?? NotEmpty(request.Query("propagationPolicy"));
        if (propagation is null && body.At("orphanDependents") is { } orphan)
            propagation = orphan.GetValue<bool>() ? "Orphan" : "Background";
        return new DeleteOptions
        {
            Propagation = propagation,
            GracePeriodSeconds = body.Number("gracePeriodSeconds") ?? request.Number("gracePeriodSeconds"),
            Uid = body.Text("preconditions", "uid"),
            ResourceVersion = body.Text("preconditions", "resourceVersion"),
            DryRun = dryRun,
        };
    }

    private static string? NotEmpty(string text) => text.Length > 0 ? text : null;

    private static void CheckPatchOptions(ResourceRequest request, string contentType, bool force)
    {
        FieldError? error = null;
        if (contentType == ApplyType && request.Query("fieldManager").Length == 0)
            error = FieldError.Required("fieldManager", "is required for apply patch");
        else if (contentType != ApplyType && force)
            error = FieldError.Forbidden("force", "may not be specified for non-apply patch");
        if (error is not null)
            throw ApiErrors.Invalid("PatchOptions.meta.k8s.io", "meta.k8s.io", "PatchOptions", "", [error]);
    }
}
