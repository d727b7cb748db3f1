using System.Text.Json.Nodes;
using Cloud.Simulator.ApiServers.CustomResources;
using Cloud.Simulator.ApiServers.Requests;
using Cloud.Simulator.ApiServers.ResourceTypes;

namespace Cloud.Simulator.ApiServers.Discovery;

/// <summary>Tells clients what is served: versions, groups, resources, health.</summary>
public sealed class DiscoveryRequests(ApiServer server)
{
    private const string AggregatedV2 = "g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
    private const string AggregatedType = "application/json;" + AggregatedV2;
    private static readonly string[] FirstPaths = ["/api", "/api/v1", "/apis"];
    private static readonly string[] LastPaths =
        ["/healthz", "/livez", "/openapi/v2", "/openapi/v3", "/readyz", "/version"];
    private readonly OpenApiRequests _openApi = new(server);

    /// <summary>Answers what anybody may ask: health and version.</summary>
    public async Task<bool> TryAnswerOpenAsync(HttpContext http, string path, CancellationToken ct)
    {
        var first = path.Split('/', StringSplitOptions.RemoveEmptyEntries) is [var head, ..] ? head : "";
        if (first is "healthz" or "livez" or "readyz")
        {
            http.Response.ContentType = "text/plain";
            await http.Response.WriteAsync("ok", ct);
            return true;
        }
        if (path.TrimEnd('/') != "/version") return false;
        await Answers.WriteAsync(http, Version(), StatusCodes.Status200OK, Form.Object, ct);
        return true;
    }

    /// <summary>
    /// Answers /api, /apis and what is directly below them; false when the path is about something else.
    /// </summary>
    public async Task<bool> TryAnswerAsync(HttpContext http, string path, CancellationToken ct)
    {
        if (await _openApi.TryAnswerAsync(http, path, ct)) return true;
        var parts = path.Split('/', StringSplitOptions.RemoveEmptyEntries);
        JsonObject? answer;
        switch (parts)
        {
            case []:
                answer = new JsonObject { ["paths"] = new JsonArray([.. Paths().Select(p => (JsonNode)p)]) };
                break;
            case ["api"] or ["apis"]:
                await AnswerGroupsAsync(http, parts[0], ct);
                return true;
            case ["api", var version]:
                answer = ResourceLists.Of(server.Types, "", version);
                break;
            case ["apis", var group]:
                answer = GroupList.Groups(server.Types).FirstOrDefault(g => (string?)g["name"] == group);
                if (answer is not null) (answer["kind"], answer["apiVersion"]) = ("APIGroup", "v1");
                break;
            case ["apis", var group, var version]:
                answer = ResourceLists.Of(server.Types, group, version);
                break;
            default:
                return false;
        }
        if (answer is null) throw ApiErrors.NoSuchResource();
        await Answers.WriteAsync(http, answer, StatusCodes.Status200OK, Form.Object, ct);
        return true;
    }

    private async Task AnswerGroupsAsync(HttpContext http, string root, CancellationToken ct)
    {
        var accept = http.Request.Headers.Accept.ToString().Replace(" ", "", StringComparison.Ordinal);
        http.Response.Headers.Vary = "Accept";
        if (accept.Contains(AggregatedV2, StringComparison.Ordinal))
        {
            // Clients recognise the aggregated form by the content type alone.
            var all = AggregatedDiscovery.Of(server.Types, legacy: root == "api");
            await Answers.WriteAsync(http, all, StatusCodes.Status200OK, Form.Object, ct, AggregatedType);
            return;
        }
        var answer = root == "api"
            ? new JsonObject
            {
                ["kind"] = "APIVersions",
                ["versions"] = new JsonArray("v1"),
                ["serverAddressByClientCIDRs"] = new JsonArray(new JsonObject
                {
                    ["clientCIDR"] = "0.0.0.0/0", ["serverAddress"] = http.Request.Host.Value,
                }),
            }
            : new JsonObject
            {
                ["kind"] = "APIGroupList",
                ["apiVersion"] = "v1",
                ["groups"] = new JsonArray([.. GroupList.Groups(server.Types)]),
            };
        await Answers.WriteAsync(http, answer, StatusCodes.Status200OK, Form.Object, ct);
    }

    private IEnumerable<string> Paths() =>
        FirstPaths
            .Concat(server.Types.All.Where(t => t.Group.Length > 0)
                .SelectMany(t => new[] { $"/apis/{t.Group}", $"/apis/{t.ApiVersion}" }))
            .Concat(LastPaths).Distinct();

    private static JsonObject Version() => new()
    {
        ["major"] = "1",
        ["minor"] = "33",
        ["gitVersion"] = "v1.33.4",
        ["gitCommit"] = "74cdb4273ff9f0cc30ab8dc3d0d6ffb0bf2f1b93",
        ["gitTreeState"] = "clean",
        ["buildDate"] = "2025-08-13T00:00:00Z",
        ["goVersion"] = "go1.24.5",
        ["compiler"] = "gc",
        ["platform"] = "linux/amd64",
    };
}

/// <summary>The groups under /apis with their versions.</summary>
internal static class GroupList
{
    public static IEnumerable<JsonObject> Groups(ServedTypes types) =>
        types.All.Where(t => t.Group.Length > 0).GroupBy(t => t.Group).Select(group =>
        {
            var versions = group.Select(t => t.Version).Distinct().OrderByDescending(v => v, VersionOrder.Instance)
                .Select(v => new JsonObject { ["groupVersion"] = $"{group.Key}/{v}", ["version"] = v }).ToList();
            return new JsonObject
            {
                ["name"] = group.Key,
                ["versions"] = new JsonArray([.. versions]),
                ["preferredVersion"] = versions[0].DeepClone(),
            };
        });
}
