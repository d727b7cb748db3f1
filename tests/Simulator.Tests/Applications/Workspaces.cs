using System.Net;
using System.Net.Http.Headers;
using System.Text.Json.Nodes;
using Cloud.Simulator.Controllers;
using Cloud.Simulator.Tests.Controllers;
using Xunit;

namespace Cloud.Simulator.Tests.Applications;

public sealed class Workspaces
{
    private const string Host = "acme.localhost";
    private const string Image = "mattermost/mattermost-enterprise-edition";

    [Fact]
    public async Task A_workspace_makes_its_tables_turns_ready_and_answers_with_its_database()
    {
        await using var database = await WorkspaceDatabase.CreateAsync();
        await using var cluster = await LiveCluster.StartAsync();
        Furnish(cluster, database.Url, "10.1.0");
        await cluster.Until(() => cluster.List("pods").Any(Pods.IsReady));
        Assert.Equal("10.1.0", await database.SystemValueAsync("Version"));

        using var browser = await cluster.BrowseAsync();
        var (status, page) = await GetAsync(browser, Host, "/");
        Assert.Equal(HttpStatusCode.OK, status);
        Assert.Contains("10.1.0", page, StringComparison.Ordinal);
        Assert.Contains("1 ready of 1 wanted", page, StringComparison.Ordinal);
        Assert.Contains(database.Name, page, StringComparison.Ordinal);
        var (_, ping) = await GetAsync(browser, Host + ":8080", "/api/v4/system/ping");
        Assert.Equal("OK", JsonNode.Parse(ping).Text("database_status"));
        var (_, json) = await GetAsync(browser, Host, "/", "application/json");
        Assert.Equal(database.Name, JsonNode.Parse(json).Text("database_user"));

        cluster.Change("deployments.apps", "acme", d => Container(d)["image"] = $"{Image}:10.2.0");
        await cluster.Until(() => cluster.List("pods") is [var pod] && Pods.IsReady(pod)
            && pod.Items("spec", "containers").First().Text("image") == $"{Image}:10.2.0");
        Assert.Equal("10.2.0", await database.SystemValueAsync("Version"));
        Assert.Equal("10.1.0", await database.SystemValueAsync("FirstServerVersion"));
    }

    [Fact]
    public async Task A_workspace_with_a_wrong_password_never_turns_ready_and_says_why()
    {
        await using var database = await WorkspaceDatabase.CreateAsync();
        await using var cluster = await LiveCluster.StartAsync();
        Furnish(cluster, database.UrlWith("wrong"), "10.1.0");
        await cluster.Until(() => Container(cluster).Int("restartCount") >= 3
            && Container(cluster).Text("state", "waiting", "reason") == "CrashLoopBackOff");
        Assert.Contains("password authentication failed",
            Container(cluster).Text("lastState", "terminated", "message"), StringComparison.Ordinal);
        Assert.DoesNotContain(cluster.List("pods"), Pods.IsReady);

        using var browser = await cluster.BrowseAsync();
        var (status, _) = await GetAsync(browser, Host, "/");
        Assert.Equal(HttpStatusCode.ServiceUnavailable, status);

        cluster.Change("secrets", "acme-database", s => s["data"]!["DB_CONNECTION_STRING"] = Encoded(database.Url));
        await cluster.Until(() => cluster.List("pods").Any(Pods.IsReady));
    }

    [Fact]
    public async Task A_migration_job_migrates_and_ends()
    {
        await using var database = await WorkspaceDatabase.CreateAsync();
        await using var cluster = await LiveCluster.StartAsync();
        cluster.Create("secrets", Objects.Secret("acme-database", "DB_CONNECTION_STRING", database.Url));
        cluster.Create("jobs.batch", Migration());
        await cluster.Until(() => Conditions.IsTrue(cluster.Get("jobs.batch", "migrate")!["status"], "Complete"));
        Assert.Equal("10.3.0", await database.SystemValueAsync("Version"));

        cluster.Delete("jobs.batch", "migrate");
        await cluster.Until(() => cluster.List("pods").Count == 0);
        cluster.Change("secrets", "acme-database",
            s => s["data"]!["DB_CONNECTION_STRING"] = Encoded(database.UrlWith("wrong")));
        cluster.Create("jobs.batch", Migration());
        await cluster.Until(() => Conditions.IsTrue(cluster.Get("jobs.batch", "migrate")!["status"], "Failed"));
    }

    [Fact]
    public async Task A_hibernated_workspace_answers_what_its_ingress_says_and_an_unknown_host_404()
    {
        await using var cluster = await LiveCluster.StartAsync();
        var ingress = Objects.Ingress("acme", Host);
        ingress["metadata"]!["annotations"] = new JsonObject
        {
            ["cloud.mattermost.com/return-status"] = "410",
            ["cloud.mattermost.com/return-message"] = "This workspace is <b>hibernated</b>.",
        };
        cluster.Create("ingresses.networking.k8s.io", ingress);
        await cluster.Until(() => cluster.Get("ingresses.networking.k8s.io", "acme")
            .Items("status", "loadBalancer", "ingress").Any());
        using var browser = await cluster.BrowseAsync();
        var (status, page) = await GetAsync(browser, Host, "/any/where");
        Assert.Equal(HttpStatusCode.Gone, status);
        Assert.Contains("&lt;b&gt;hibernated", page, StringComparison.Ordinal);
        var (unknown, _) = await GetAsync(browser, "nobody.localhost", "/");
        Assert.Equal(HttpStatusCode.NotFound, unknown);
    }

    [Fact]
    public async Task A_workspace_whose_database_is_gone_says_so()
    {
        await using var cluster = await LiveCluster.StartAsync();
        await using (var database = await WorkspaceDatabase.CreateAsync())
        {
            Furnish(cluster, database.Url, "10.1.0");
            await cluster.Until(() => cluster.List("pods").Any(Pods.IsReady));
        }
        using var browser = await cluster.BrowseAsync();
        var (status, ping) = await GetAsync(browser, Host, "/api/v4/system/ping");
        Assert.Equal(HttpStatusCode.InternalServerError, status);
        Assert.Equal("UNHEALTHY", JsonNode.Parse(ping).Text("database_status"));
    }

    private static void Furnish(LiveCluster cluster, string url, string version)
    {
        cluster.Create("secrets", Objects.Secret("acme-database", "DB_CONNECTION_STRING", url));
        cluster.Create("services", Objects.Service("acme"));
        cluster.Create("ingresses.networking.k8s.io", Objects.Ingress("acme", Host));
        var deployment = Objects.Deployment("acme", 1, $"{Image}:{version}");
        Container(deployment)["env"] = DatabaseVariable();
        cluster.Create("deployments.apps", deployment);
    }

    private static JsonObject Migration()
    {
        var job = Objects.Job("migrate", "mattermost", backoffLimit: 1);
        var container = Container(job);
        container["image"] = $"{Image}:10.3.0";
        container["args"] = new JsonArray("db", "migrate");
        container["env"] = DatabaseVariable();
        return job;
    }

    private static JsonArray DatabaseVariable() =>
    [
        new JsonObject
        {
            ["name"] = "MM_CONFIG",
            ["valueFrom"] = new JsonObject
            {
                ["secretKeyRef"] = new JsonObject { ["name"] = "acme-database", ["key"] = "DB_CONNECTION_STRING" },
            },
        },
    ];

    private static string Encoded(string text) => Convert.ToBase64String(System.Text.Encoding.UTF8.GetBytes(text));

    private static JsonObject Container(JsonObject workload) =>
        workload.Items("spec", "template", "spec", "containers").First();

    private static JsonObject? Container(LiveCluster cluster) =>
        cluster.List("pods").SelectMany(p => p.Items("status", "containerStatuses")).FirstOrDefault();

    private static async Task<(HttpStatusCode Status, string Body)> GetAsync(
        HttpClient browser, string host, string path, string accept = "text/html")
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, path);
        request.Headers.Host = host;
        request.Headers.Accept.Add(new MediaTypeWithQualityHeaderValue(accept));
        using var answer = await browser.SendAsync(request, TestContext.Current.CancellationToken);
        return (answer.StatusCode, await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken));
    }
}
