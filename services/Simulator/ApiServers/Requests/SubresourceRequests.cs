using System.Text.Json.Nodes;
using Cloud.Simulator.ApiServers.Objects;
using Cloud.Simulator.ApiServers.ResourceTypes;
using Cloud.Simulator.ApiServers.Validation;
using Cloud.Simulator.ApiServers.Writes;

namespace Cloud.Simulator.ApiServers.Requests;

/// <summary>Subresources other than status: scale, finalize, binding, eviction, log, token.</summary>
public static class SubresourceRequests
{
    /// <summary>Seconds that a token asked for is said to be valid.</summary>
    private const int TokenSeconds = 3600;

    /// <summary>Answers a request for a subresource; 404 when the kind has no such.</summary>
    public static Task HandleAsync(ResourceRequest request, CancellationToken ct)
    {
        var method = request.Request.Method;
        var subresource = request.Target.Subresource;
        return (subresource, request.Type.Resource) switch
        {
            ("status", _) when request.Type.HasStatus => StatusAsync(request, ct),
            ("scale", _) when request.Type.Scale is { } scale => ScaleAsync(request, scale, ct),
            ("finalize", "namespaces") when HttpMethods.IsPut(method) =>
                WriteRequests.ReplaceAsync(request, subresource, ct),
            ("binding", "pods") when HttpMethods.IsPost(method) => BindAsync(request, ct),
            ("eviction", "pods") when HttpMethods.IsPost(method) => EvictAsync(request, ct),
            ("log", "pods") when HttpMethods.IsGet(method) => PodLogs.AnswerAsync(request, ct),
            ("token", "serviceaccounts") when HttpMethods.IsPost(method) => TokenAsync(request, ct),
            ("ephemeralcontainers", "pods") => StatusAsync(request, ct),
            _ => throw ApiErrors.NoSuchResource(),
        };
    }

    private static Task StatusAsync(ResourceRequest request, CancellationToken ct) => request.Request.Method switch
    {
        "GET" => ListRequests.GetAsync(request, ct),
        "PUT" => WriteRequests.ReplaceAsync(request, request.Target.Subresource, ct),
        "PATCH" => WriteRequests.PatchAsync(request, request.Target.Subresource, ct),
        _ => throw ApiErrors.MethodNotAllowed(),
    };

    private static async Task ScaleAsync(ResourceRequest request, ScalePaths paths, CancellationToken ct)
    {
        var form = Format.Choose(request.Request);
        var (type, store) = (request.Type, request.Server.Store);
        if (HttpMethods.IsGet(request.Request.Method))
        {
            var found = store.Find(type.StorageKey, request.Namespace, request.Name)
                ?? throw ApiErrors.NotFound(type, request.Name);
            await Answers.WriteAsync(request.Http, ScaleOf(found.ToJson(), paths), StatusCodes.Status200OK, form, ct);
            return;
        }
        var contentType = Bodies.ContentType(request.Request);
        var isPatch = HttpMethods.IsPatch(request.Request.Method);
        if (!isPatch && !HttpMethods.IsPut(request.Request.Method)) throw ApiErrors.MethodNotAllowed();
        var body = await Bodies.ReadAsync(request.Request, ct) ?? throw ApiErrors.BadRequest("the body is empty");
        var kept = request.Server.Writer.Patch(type, request.Namespace, request.Name, current =>
        {
            var scale = ScaleOf(current, paths);
            if (isPatch) scale = WriteRequests.Change(request, contentType, scale, body);
            else scale = body as JsonObject ?? throw ApiErrors.BadRequest("a Scale is expected");
            current.Metadata().CopyFrom(scale.ObjectAt("metadata"), "resourceVersion");
            SetReplicas(current, paths.SpecReplicas, scale.Number("spec", "replicas") ?? 0);
            return current;
        }, request.WriteOptions("scale"));
        await Answers.WriteAsync(request.Http, ScaleOf(kept.ToJson(), paths), StatusCodes.Status200OK, form, ct);
    }

    private static JsonObject ScaleOf(JsonObject obj, ScalePaths paths)
    {
        var metadata = new JsonObject();
        foreach (var field in new[] { "name", "namespace", "uid", "resourceVersion", "creationTimestamp" })
            metadata.CopyFrom(obj.Metadata(), field);
        var status = new JsonObject { ["replicas"] = obj.Number(paths.StatusReplicas) ?? 0 };
        if (paths.Selector is not null && SelectorText(obj.At(paths.Selector)) is { Length: > 0 } selector)
            status["selector"] = selector;
        var spec = new JsonObject();
        if (obj.Number(paths.SpecReplicas) is { } replicas) spec["replicas"] = replicas;
        return new JsonObject
        {
            ["kind"] = "Scale", ["apiVersion"] = "autoscaling/v1", ["metadata"] = metadata, ["spec"] = spec,
                ["status"] = status,
        };
    }

    private static string SelectorText(JsonNode? selector) => selector switch
    {
        JsonValue text => text.ToString(),
        JsonObject obj => string.Join(',', (obj.ObjectAt("matchLabels") ?? []).Select(l => $"{l.Key}={l.Value}")),
        _ => "",
    };

    private static void SetReplicas(JsonObject obj, string[] path, long replicas)
    {
        foreach (var name in path[..^1]) obj = obj.Ensure(name);
        obj[path[^1]] = replicas;
    }

    private static async Task BindAsync(ResourceRequest request, CancellationToken ct)
    {
        var body = await Bodies.ReadObjectAsync(request.Request, ct);
        var node = body.Text("target", "name") ?? throw ApiErrors.BadRequest("target.name is required");
        request.Server.Writer.Patch(request.Type, request.Namespace, request.Name, pod =>
        {
            if (pod.Text("spec", "nodeName") is { Length: > 0 } bound)
                throw ApiErrors.Conflict(request.Type, request.Name,
                    $"pod {request.Name} is already assigned to node \"{bound}\"");
            pod.Ensure("spec")["nodeName"] = node;
            return pod;
        }, request.WriteOptions("binding") with { IsController = true });
        await SuccessAsync(request, ct);
    }

    private static async Task EvictAsync(ResourceRequest request, CancellationToken ct)
    {
        var body = await Bodies.ReadObjectAsync(request.Request, ct);
        var pod = request.Server.Store.Find(request.Type.StorageKey, request.Namespace, request.Name)
            ?? throw ApiErrors.NotFound(request.Type, request.Name);
        RequireBudget(request, pod.ToJson());
        request.Server.Deletion.Delete(request.Type, request.Namespace, request.Name, new DeleteOptions
        {
            GracePeriodSeconds = body.Number("deleteOptions", "gracePeriodSeconds"),
            Uid = body.Text("deleteOptions", "preconditions", "uid"),
            DryRun = request.IsDryRun,
        });
        await SuccessAsync(request, ct);
    }

    /// <summary>
    /// 429 when a disruption budget of the pod allows no loss now. A pod that does not serve costs none.
    /// </summary>
    private static void RequireBudget(ResourceRequest request, JsonObject pod)
    {
        if (pod.IsBeingDeleted() || pod.Text("status", "phase") is "Succeeded" or "Failed" or "Pending") return;
        var labels = pod.ObjectAt("metadata", "labels");
        var budgets = request.Server.Store.View("poddisruptionbudgets.policy").From(request.Namespace)
            .Select(b => b.ToJson())
            .Where(b => b.ObjectAt("spec", "selector") is { } selector && Rules.Selects(selector, labels)).ToList();
        if (budgets.Count > 1)
            throw ApiErrors.Internal(
                "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.");
        if (budgets is not [var budget] || budget.Number("status", "disruptionsAllowed") is > 0) return;
        var ready = (pod.ListAt("status", "conditions") ?? [])
            .Any(c => c.Text("type") == "Ready" && c.Text("status") == "True");
        var (healthy, desired) = (budget.Number("status", "currentHealthy"), budget.Number("status", "desiredHealthy"));
        if (!ready && desired > 0 && healthy >= desired) return;
        throw new ApiException(
            429, "TooManyRequests", "Cannot evict pod as it would violate the pod's disruption budget.")
        {
            Details = new JsonObject
            {
                ["causes"] = new JsonArray(new JsonObject
                {
                    ["reason"] = "DisruptionBudget",
                    ["message"] = $"The disruption budget {budget.NameOf()} needs "
                        + $"{desired ?? 0} healthy pods and has {healthy ?? 0} currently",
                }),
            },
        };
    }

    private static async Task TokenAsync(ResourceRequest request, CancellationToken ct)
    {
        if (request.Server.Store.Find(request.Type.StorageKey, request.Namespace, request.Name) is null)
            throw ApiErrors.NotFound(request.Type, request.Name);
        var body = await Bodies.ReadObjectAsync(request.Request, ct);
        body["kind"] = "TokenRequest";
        body["apiVersion"] = "authentication.k8s.io/v1";
        body["status"] = new JsonObject
        {
            ["token"] = request.Server.Settings.EffectiveToken,
            ["expirationTimestamp"] = Metadata.Stamp(request.Now.AddSeconds(TokenSeconds)),
        };
        await Answers.WriteAsync(request.Http, body, StatusCodes.Status201Created, Form.Object, ct);
    }

    private static Task SuccessAsync(ResourceRequest request, CancellationToken ct) => Answers.WriteAsync(
        request.Http,
        new JsonObject
        {
            ["kind"] = "Status", ["apiVersion"] = "v1", ["metadata"] = new JsonObject(),
            ["status"] = "Success", ["code"] = StatusCodes.Status201Created,
        },
        StatusCodes.Status201Created, Form.Object, ct);
}
