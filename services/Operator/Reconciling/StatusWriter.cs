using System.Text.Json;
using System.Text.Json.Nodes;
using Cloud.Operator.Mattermosts;
using Cloud.Watching;
using k8s;

namespace Cloud.Operator.Reconciling;

/// <summary>Writes the status of a resource, and only when it differs from what is there.</summary>
public sealed class StatusWriter(KubernetesApi api, ClusterView view)
{
    /// <summary>
    /// Makes the status be as given; tells whether something had to be written. A resource that is gone needs none.
    /// </summary>
    public async Task<bool> Write(Mattermost mattermost, MattermostStatus status, CancellationToken cancellation)
    {
        var patch = Difference(Document(mattermost.Status), Document(status));
        if (patch.Count == 0)
        {
            return false;
        }

        using var write = view.Mattermosts.BeginWrite(mattermost.Key);
        try
        {
            var answer = await api.MergePatch(
                Mattermost.ResourceKind, mattermost.Key, new JsonObject { ["status"] = patch }, Children.FieldManager,
                "status", cancellation);
            write.Complete(answer);
        }
        catch (KubernetesApiException e) when (e.Kind == KubernetesErrorKind.NotFound)
        {
            return false;
        }

        return true;
    }

    /// <summary>
    /// Says in the status of a resource that does not fit its class why; tells whether that had to be written.
    /// </summary>
    public async Task<bool> WriteUnreadable(UnstructuredObject resource, string error, CancellationToken cancellation)
    {
        var generation = resource.Metadata.Generation;
        if (resource.Value("status", "error") is { ValueKind: JsonValueKind.String } known
            && known.GetString() == error
            && resource.Value("status", "observedGeneration") is { ValueKind: JsonValueKind.Number } about
            && about.GetInt64() == generation)
        {
            return false;
        }

        var status = new JsonObject
        {
            ["state"] = MattermostState.Reconciling, ["error"] = error, ["observedGeneration"] = generation,
        };
        try
        {
            await api.MergePatch(
                Mattermost.ResourceKind.As<UnstructuredObject>(), ObjectKey.Of(resource),
                new JsonObject { ["status"] = status }, Children.FieldManager, "status", cancellation);
        }
        catch (KubernetesApiException e) when (e.Kind == KubernetesErrorKind.NotFound)
        {
            return false;
        }

        return true;
    }

    private static JsonObject Document(MattermostStatus? status) =>
        status is null ? [] : JsonNode.Parse(KubernetesJson.Serialize(status))!.AsObject();

    /// <summary>The merge patch from one to the other: what is missing in the other goes by an explicit null.</summary>
    private static JsonObject Difference(JsonObject from, JsonObject to)
    {
        var patch = new JsonObject();
        foreach (var (name, value) in to)
        {
            if (from[name] is JsonObject before && value is JsonObject after)
            {
                var inner = Difference(before, after);
                if (inner.Count > 0)
                {
                    patch[name] = inner;
                }
            }
            else if (!JsonNode.DeepEquals(from[name], value))
            {
                patch[name] = value?.DeepClone();
            }
        }

        foreach (var (name, _) in from.Where(p => !to.ContainsKey(p.Key)))
        {
            patch[name] = null;
        }

        return patch;
    }
}
