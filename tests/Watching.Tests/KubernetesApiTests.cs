using System.Diagnostics.Metrics;
using k8s.Models;

namespace Cloud.Watching.Tests;

public sealed class KubernetesApiTests
{
    private const string Context =
        "current-context: c\ncontexts: [{name: c, context: {cluster: c, user: u}}]\n";

    [Theory]
    [InlineData(401, "Unauthorized", KubernetesErrorKind.Unauthorized, false)]
    [InlineData(403, "Forbidden", KubernetesErrorKind.Forbidden, false)]
    [InlineData(404, "NotFound", KubernetesErrorKind.NotFound, false)]
    [InlineData(409, "Conflict", KubernetesErrorKind.Conflict, true)]
    [InlineData(409, "AlreadyExists", KubernetesErrorKind.AlreadyExists, false)]
    [InlineData(410, "Expired", KubernetesErrorKind.Gone, true)]
    [InlineData(422, "Invalid", KubernetesErrorKind.Invalid, false)]
    [InlineData(429, "TooManyRequests", KubernetesErrorKind.TooManyRequests, true)]
    [InlineData(400, "BadRequest", KubernetesErrorKind.BadRequest, false)]
    [InlineData(503, "ServiceUnavailable", KubernetesErrorKind.ServerFault, true)]
    public async Task Every_refusal_has_a_kind(int code, string reason, KubernetesErrorKind kind, bool transient)
    {
        await using var server = await ScriptedServer.Start();
        using var api = server.Connect();
        server.ThenStatus(code, reason, "so it is");
        var error = await Assert.ThrowsAsync<KubernetesApiException>(() => Get(api));
        Assert.Equal((kind, transient, "so it is"), (error.Kind, error.IsTransient, error.Message));
    }

    [Fact]
    public async Task Times_of_calls_have_buckets_below_a_second()
    {
        Histogram<double>? durations = null;
        using var listener = new MeterListener
        {
            InstrumentPublished = (instrument, _) => durations =
                instrument.Name == "cloud.provider.call.duration" ? (Histogram<double>)instrument : durations,
        };
        listener.Start();
        await using var server = await ScriptedServer.Start();
        using var api = server.Connect();
        server.ThenStatus(404, "NotFound", "gone");
        await Assert.ThrowsAsync<KubernetesApiException>(() => Get(api));

        var buckets = durations?.Advice?.HistogramBucketBoundaries;
        Assert.NotNull(buckets);
        Assert.Contains(buckets, boundary => boundary < 0.01);
    }

    [Fact]
    public async Task The_wait_that_a_server_asks_for_is_told()
    {
        await using var server = await ScriptedServer.Start();
        using var api = server.Connect();
        server.Then(context =>
        {
            context.Response.StatusCode = 429;
            context.Response.Headers.RetryAfter = "7";
            return Task.CompletedTask;
        });
        var error = await Assert.ThrowsAsync<KubernetesApiException>(() => Get(api));
        Assert.Equal(TimeSpan.FromSeconds(7), error.RetryAfter);
    }

    [Fact]
    public async Task A_server_that_is_not_there_is_unreachable()
    {
        var server = await ScriptedServer.Start();
        using var api = server.Connect();
        await server.DisposeAsync();
        var error = await Assert.ThrowsAsync<KubernetesApiException>(() => Get(api));
        Assert.Equal(KubernetesErrorKind.Unreachable, error.Kind);
    }

    [Fact]
    public async Task The_generated_client_of_the_same_connection_honours_the_base_path_and_its_failures_classify()
    {
        await using var server = await ScriptedServer.Start();
        using var api = server.Connect(path: "/clusters/local-a");
        server.ThenStatus(404, "NotFound", "gone");
        var thrown = await Record.ExceptionAsync(() =>
            k8s.CoreV1OperationsExtensions.ReadNamespaceAsync(
                api.Client.CoreV1, "n", cancellationToken: TestContext.Current.CancellationToken));
        Assert.Equal("/clusters/local-a/api/v1/namespaces/n", (await server.Next()).Path);
        Assert.Equal(
            KubernetesErrorKind.NotFound,
            KubernetesApiException.From(thrown!, TestContext.Current.CancellationToken)!.Kind);
    }

    [Fact]
    public async Task A_generated_call_that_takes_too_long_is_unreachable_unless_its_caller_gave_it_up()
    {
        await using var server = await ScriptedServer.Start();
        var time = new TaskCompletionSource();
        server.Then(_ => time.Task);
        using var api = server.Connect();
        // As the client ends a call after its 100 s: by a token of its own that is linked to the caller's.
        using var client = new CancellationTokenSource();
        var call = k8s.VersionOperationsExtensions.GetCodeAsync(api.Client.Version, client.Token);
        await server.Next();
        await client.CancelAsync();
        var thrown = await Record.ExceptionAsync(() => call);
        time.SetResult();

        Assert.Equal(
            KubernetesErrorKind.Unreachable,
            KubernetesApiException.From(thrown!, TestContext.Current.CancellationToken)!.Kind);
        Assert.Null(KubernetesApiException.From(thrown!, client.Token));
    }

    [Fact]
    public async Task Deleting_what_is_gone_or_replaced_is_no_failure()
    {
        await using var server = await ScriptedServer.Start();
        using var api = server.Connect();
        server.ThenStatus(404, "NotFound", "").ThenStatus(409, "Conflict", "uid");
        Assert.False(await api.Delete(ResourceKinds.Pods, new("n", "a"), null, TestContext.Current.CancellationToken));
        Assert.False(await api.Delete(ResourceKinds.Pods, new("n", "a"), "u", TestContext.Current.CancellationToken));
        await server.Next();
        Assert.Contains("\"uid\":\"u\"", (await server.Next()).Body, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("nonsense: [", "not valid YAML")]
    [InlineData("", "empty")]
    [InlineData("kind: Config", "no current context")]
    [InlineData(
        Context + "clusters: [{name: c, cluster: {}}]",
        "no server address")]
    [InlineData(
        Context + "clusters: [{name: c, cluster: {server: 'http://x'}}]\n"
        + "users: [{name: u, user: {exec: {command: rm, apiVersion: v1}}}]",
        "run a program")]
    [InlineData(
        Context + "clusters: [{name: c, cluster: {server: 'https://x', certificate-authority: /etc/passwd}}]",
        "certificate-authority-data")]
    public void A_kubeconfig_that_cannot_be_used_says_why(string text, string part)
    {
        var error = Assert.Throws<InvalidKubeconfigException>(
            () => KubernetesClients.FromKubeconfig(text, null, TimeProvider.System));
        Assert.Contains(part, error.Message, StringComparison.Ordinal);
    }

    private static Task<V1ConfigMap> Get(KubernetesApi api) =>
        api.Get(ResourceKinds.ConfigMaps, new("n", "a"), TestContext.Current.CancellationToken);
}
