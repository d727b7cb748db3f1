using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Cloud.Benchmarks.Provisioning;

/// <summary>Everything the product wrote into a cluster for one workspace, as the cluster has it: what a bare program
/// must write to make another.</summary>
/// <param name="Definition">The resource definition without which the custom resource cannot be.</param>
/// <param name="Objects">Path and text of each, in an order in which they can be made.</param>
/// <param name="Server">Host and port of its database.</param>
/// <param name="Password">With which the workspace reaches its database.</param>
internal sealed record WorkspaceTemplate(
    string Definition,
    IReadOnlyList<(string Path, string Body)> Objects,
    string Id,
    string Label,
    string Server,
    string Password)
{
    private const string ConnectionString = "DB_CONNECTION_STRING";
    private const string Namespaces = "api/v1/namespaces/";
    private const string Definitions =
        "apis/apiextensions.k8s.io/v1/customresourcedefinitions/mattermosts.installation.mattermost.com";

    /// <summary>The managers under which the product writes begin with it.</summary>
    private const string Ours = "cloud-";

    private static readonly string[] Given =
    [
        "uid", "resourceVersion", "creationTimestamp", "generation", "managedFields", "ownerReferences", "finalizers",
    ];

    private static readonly string[] GivenToSpec = ["clusterIP", "clusterIPs", "finalizers"];

    /// <summary>Reads a workspace that stands.</summary>
    /// <param name="id">Its id, which is its namespace.</param>
    /// <param name="label">The first label of its DNS name.</param>
    public static async Task<WorkspaceTemplate> ReadAsync(
        ClusterApi cluster, string id, string label, CancellationToken ct)
    {
        var database = new Uri("postgres://nobody@nowhere");
        var objects = new List<(string, string)>
        {
            (Namespaces + id, Bare(await cluster.GetAsync(Namespaces + id, ct))),
        };
        foreach (var (group, resource) in await ResourcesAsync(cluster, ct))
        {
            var path = $"{group}/namespaces/{id}/{resource}";
            var list = await cluster.GetAsync(path, ct);
            objects.AddRange(list["items"]!.AsArray().Where(IsOurs).Select(item =>
            {
                item!["apiVersion"] ??= list["apiVersion"]!.DeepClone();
                item["kind"] ??= list["kind"]!.GetValue<string>()[..^"List".Length];
                database = Opened(item) ?? database;
                return ($"{path}/{item["metadata"]!["name"]}", Bare(item));
            }));
        }

        var definition = Bare(await cluster.GetAsync(Definitions, ct));
        return new WorkspaceTemplate(
            definition, objects, id, label, database.Authority, database.UserInfo.Split(':')[^1]);
    }

    /// <summary>Makes the definition known to a cluster.</summary>
    public Task DefineAsync(ClusterApi cluster, CancellationToken ct) =>
        cluster.ApplyAsync(Definitions, Definition, ct);

    /// <summary>Makes one more workspace's objects.</summary>
    /// <param name="server">Host and port of its database.</param>
    public async Task ApplyAsync(ClusterApi cluster, string id, string label, string server, CancellationToken ct)
    {
        foreach (var (path, body) in Objects)
        {
            await cluster.ApplyAsync(For(path), For(body), ct);
        }

        string For(string text) => text.Replace(Id, id, StringComparison.Ordinal)
            .Replace(Label, label, StringComparison.Ordinal).Replace(Server, server, StringComparison.Ordinal);
    }

    private static bool IsOurs(JsonNode? item) =>
        item!["kind"]?.GetValue<string>() != "Event"
        && (item["metadata"]!["managedFields"]?.AsArray() ?? []).Any(
            m => m!["manager"]!.GetValue<string>().StartsWith(Ours, StringComparison.Ordinal)
                && m["subresource"] is null);

    /// <summary>Makes a secret's values text, so that names in them can be replaced.</summary>
    /// <returns>How the database is reached, when it says.</returns>
    private static Uri? Opened(JsonNode item)
    {
        if (item["kind"]!.GetValue<string>() != "Secret")
        {
            return null;
        }

        var values = item["data"]!.AsObject().ToDictionary(
            pair => pair.Key,
            pair => Encoding.UTF8.GetString(Convert.FromBase64String(pair.Value!.GetValue<string>())));
        item.AsObject().Remove("data");
        item["stringData"] = JsonSerializer.SerializeToNode(values);
        return values.TryGetValue(ConnectionString, out var connection)
            ? new Uri(connection)
            : null;
    }

    private static string Bare(JsonNode item)
    {
        item.AsObject().Remove("status");
        foreach (var field in Given)
        {
            item["metadata"]!.AsObject().Remove(field);
        }

        foreach (var field in GivenToSpec)
        {
            (item["spec"] as JsonObject)?.Remove(field);
        }

        return item.ToJsonString();
    }

    /// <summary>Namespaced kinds that can be listed, but for events.</summary>
    private static async Task<IReadOnlyList<(string Group, string Resource)>> ResourcesAsync(
        ClusterApi cluster, CancellationToken ct)
    {
        var groups = (await cluster.GetAsync("apis", ct))["groups"]!.AsArray()
            .Select(g => "apis/" + g!["preferredVersion"]!["groupVersion"]).Prepend("api/v1");
        var found = new List<(string, string)>();
        foreach (var group in groups)
        {
            var resources = (await cluster.GetAsync(group, ct))["resources"]!.AsArray();
            found.AddRange(resources
                .Where(r => r!["namespaced"]!.GetValue<bool>() && r["name"]!.GetValue<string>() != "events"
                    && r["verbs"]!.AsArray().Any(verb => verb!.GetValue<string>() == "list"))
                .Select(r => (group, r!["name"]!.GetValue<string>())));
        }

        return found;
    }
}
