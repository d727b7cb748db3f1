using System.Text.Json.Nodes;
using Cloud.Simulator.ApiServers;

namespace Cloud.ClusterTests;

/// <summary>
/// Reports on <c>Mattermost</c> resources as the operator does, without making pods: writes a default into a new spec
/// (which makes a new generation), then says stable for the generation that it saw. While <see cref="Held"/> it only
/// says that it is at work.
/// </summary>
public sealed class OperatorDouble : IAsyncDisposable
{
    /// <summary>A version that ends so gets only some of its pods ready.</summary>
    public const string SlowPods = "-slow";

    private const string Resources = "mattermosts.installation.mattermost.com";
    private const string Definitions = "customresourcedefinitions.apiextensions.k8s.io";

    private readonly IClusterApi _api;
    private readonly CancellationTokenSource _ending = new();
    private readonly Task _running;

    public OperatorDouble(IClusterApi api)
    {
        _api = api;
        _running = Task.Run(RunAsync);
    }

    /// <summary>Whether it holds its reports back.</summary>
    public bool Held { get; private set; }

    /// <summary>What it says is wrong; empty for nothing.</summary>
    public string Error { get; set; } = "";

    /// <summary>Holds its reports back from now on.</summary>
    public void Hold() => Held = true;

    /// <summary>Says what it held back.</summary>
    public void Release()
    {
        Held = false;
        foreach (var resource in _api.List(Resources)) Report(resource);
    }

    public async ValueTask DisposeAsync()
    {
        await _ending.CancelAsync();
        await _running;
        _ending.Dispose();
    }

    private async Task RunAsync()
    {
        try
        {
            await foreach (var change in _api.FollowAsync(Definitions, _ending.Token))
                if (change.Object.Value["metadata"]!["name"]!.GetValue<string>() == Resources
                    && change.Object.Value["status"]?["conditions"] is JsonArray { Count: > 0 }) break;
            await foreach (var change in _api.FollowAsync(Resources, _ending.Token))
                if (change.Type != "DELETED") Report(change.Object.Value);
        }
        catch (OperationCanceledException) when (_ending.IsCancellationRequested)
        {
            // The test is over.
        }
    }

    private void Report(JsonObject resource)
    {
        try
        {
            if (resource["spec"]!["imagePullPolicy"] is null)
            {
                resource["spec"]!["imagePullPolicy"] = "IfNotPresent";
                _api.Update(Resources, resource, "mattermost-operator");
                return;
            }
            var generation = resource["metadata"]!["generation"]!.GetValue<long>();
            var isSlow = resource["spec"]!["version"]!.GetValue<string>().EndsWith(SlowPods, StringComparison.Ordinal);
            var state = Held ? "reconciling" : isSlow ? "ready" : "stable";
            var status = resource["status"];
            if (status?["observedGeneration"]?.GetValue<long>() == generation
                && status["state"]?.GetValue<string>() == state) return;
            var replicas = resource["spec"]!["replicas"]!.GetValue<int>();
            resource["status"] = new JsonObject
            {
                ["state"] = state,
                ["observedGeneration"] = generation,
                ["replicas"] = Held ? 0 : replicas,
                ["updatedReplicas"] = Held ? 0 : replicas,
                ["version"] = resource["spec"]!["version"]!.GetValue<string>(),
                ["image"] = resource["spec"]!["image"]!.GetValue<string>(),
                ["endpoint"] = resource["spec"]!["ingress"]!["host"]!.GetValue<string>(),
                ["error"] = Error,
            };
            _api.UpdateStatus(Resources, resource, "mattermost-operator");
        }
        catch (ApiException e) when (e.Code is 404 or 409)
        {
            // Gone, or changed meanwhile: that change comes as well.
        }
    }
}
