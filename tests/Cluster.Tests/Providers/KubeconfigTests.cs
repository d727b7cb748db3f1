using System.Text.Json.Nodes;
using Cloud.Protos.Api.V1;
using Cloud.Providers;
using Cloud.ServiceDefaults.Hosting;
using Cloud.Watching;
using Xunit;

namespace Cloud.ClusterTests.Providers;

public sealed class KubeconfigTests
{
    private const string Sound =
        """
        apiVersion: v1
        kind: Config
        current-context: east
        clusters:
        - name: east-cluster
          cluster: {server: "https://10.0.0.1:6443/k8s", certificate-authority-data: Y2E=}
        - name: west-cluster
          cluster: {server: "https://10.0.0.2:6443"}
        users:
        - name: admin
          user: {token: secret}
        - name: other
          user: {client-certificate-data: Y2VydA==, client-key-data: a2V5}
        contexts:
        - name: east
          context: {cluster: east-cluster, user: admin, namespace: default}
        - name: west
          context: {cluster: west-cluster, user: other}
        """;

    [Fact]
    public void A_sound_one_is_reduced_to_its_context()
    {
        var kubeconfig = Read(Sound, "", out var problems);

        Assert.Empty(problems);
        Assert.Equal(new Uri("https://10.0.0.1:6443/k8s"), kubeconfig!.Server);
        Assert.DoesNotContain("10.0.0.2", kubeconfig.Document, StringComparison.Ordinal);
        var user = JsonNode.Parse(kubeconfig.Document)!["users"]![0]!["user"]!;
        Assert.Equal("secret", user["token"]!.GetValue<string>());
    }

    [Fact]
    public void Another_context_can_be_named() =>
        Assert.Equal(new Uri("https://10.0.0.2:6443"), Read(Sound, "west", out _)!.Server);

    [Fact]
    public void What_is_kept_is_a_kubeconfig_again()
    {
        var kubeconfig = Read(Sound, "", out _)!;

        Assert.Equal(kubeconfig.Server, Read(kubeconfig.Document, "", out _)!.Server);
    }

    [Fact]
    public void What_is_kept_makes_a_connection()
    {
        var text = Sound.Replace(", certificate-authority-data: Y2E=", "", StringComparison.Ordinal);
        using var api = KubernetesClients.FromKubeconfig(Read(text, "", out _)!.Document, null, TimeProvider.System);

        Assert.Equal("10.0.0.1", api.Address.Host);
    }

    [Theory]
    [InlineData("", "KUBECONFIG_EMPTY")]
    [InlineData("   \n", "KUBECONFIG_EMPTY")]
    [InlineData("just words", "KUBECONFIG_MALFORMED")]
    [InlineData("{\"a\": [", "KUBECONFIG_MALFORMED")]
    [InlineData("- a\n- b", "KUBECONFIG_MALFORMED")]
    [InlineData("a: &x [*x, *x]\ncurrent-context: a", "KUBECONFIG_CONTEXT_UNKNOWN")]
    [InlineData("apiVersion: v1", "KUBECONFIG_CONTEXT_MISSING")]
    [InlineData("current-context: lost", "KUBECONFIG_CONTEXT_UNKNOWN")]
    [InlineData("%PDF-1.4\n\0\u0001", "KUBECONFIG_MALFORMED")]
    public void Garbage_is_refused(string text, string reason)
    {
        Assert.Null(Read(text, "", out var problems));
        Assert.Equal([reason], problems.Select(p => p.Reason.Text()));
    }

    [Fact]
    public void Too_much_text_is_not_even_read()
    {
        Assert.Null(Read(new string('a', Kubeconfig.LengthMax + 1), "", out var problems));
        Assert.Equal(ErrorReason.KubeconfigTooLarge, Assert.Single(problems).Reason);
    }

    [Fact]
    public void An_unknown_context_is_told_which_there_are()
    {
        Assert.Null(Read(Sound, "north", out var problems));
        Assert.Contains("east, west", Assert.Single(problems).Description, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("{server: 'https://a', certificate-authority: /etc/ca.crt}", "{token: t}",
        "KUBECONFIG_FILE_REFERENCE_REFUSED")]
    [InlineData("{server: 'https://a'}", "{tokenFile: /run/token}", "KUBECONFIG_FILE_REFERENCE_REFUSED")]
    [InlineData("{server: 'https://a'}", "{exec: {command: rm}}", "KUBECONFIG_EXEC_REFUSED")]
    [InlineData("{server: 'https://a'}", "{auth-provider: {name: gcp}}", "KUBECONFIG_EXEC_REFUSED")]
    [InlineData("{server: 'https://a'}", "{}", "KUBECONFIG_CREDENTIALS_MISSING")]
    [InlineData("{server: 'https://a'}", "{client-certificate-data: Y2E=}", "KUBECONFIG_CREDENTIALS_MISSING")]
    [InlineData("{server: 'https://a'}", "{client-certificate-data: '!', client-key-data: Y2E=}",
        "KUBECONFIG_CERTIFICATE_INVALID")]
    [InlineData("{}", "{token: t}", "KUBECONFIG_SERVER_MISSING")]
    [InlineData("{server: 'a.b.c'}", "{token: t}", "KUBECONFIG_SERVER_INVALID")]
    [InlineData("{server: 'ftp://a'}", "{token: t}", "KUBECONFIG_SERVER_INVALID")]
    [InlineData("{server: 'https://u:p@a'}", "{token: t}", "KUBECONFIG_SERVER_INVALID")]
    [InlineData("{server: 'http://a.example.org'}", "{token: t}", "KUBECONFIG_SERVER_INSECURE")]
    [InlineData("{server: 'https://a', proxy-url: 'http://b'}", "{token: t}", "KUBECONFIG_PROXY_REFUSED")]
    public void What_cannot_be_used_is_named(string cluster, string user, string reason)
    {
        Assert.Null(Read(Of(cluster, user), "", out var problems));
        Assert.Equal([reason], problems.Select(p => p.Reason.Text()));
    }

    [Fact]
    public void Several_mistakes_are_named_at_once()
    {
        Read(Of("{server: nowhere, certificate-authority: /ca}", "{exec: {}, client-key: /key}"), "", out var problems);

        Assert.Equal(
            ["KUBECONFIG_EXEC_REFUSED", "KUBECONFIG_FILE_REFERENCE_REFUSED", "KUBECONFIG_FILE_REFERENCE_REFUSED",
                "KUBECONFIG_SERVER_INVALID"],
            problems.Select(p => p.Reason.Text()).Order());
    }

    [Fact]
    public void References_that_lead_nowhere_are_both_named()
    {
        Read("current-context: c\ncontexts:\n- {name: c, context: {cluster: x, user: y}}", "", out var problems);

        Assert.Equal(["KUBECONFIG_CLUSTER_UNKNOWN", "KUBECONFIG_USER_UNKNOWN"], problems.Select(p => p.Reason.Text()));
    }

    [Fact]
    public void Plain_http_is_good_enough_for_this_machine() =>
        Assert.NotNull(Read(Of("{server: 'http://127.0.0.1:7107/clusters/a'}", "{token: t}"), "", out _));

    private static string Of(string cluster, string user) =>
        $"""
         current-context: c
         contexts: [{"{"}name: c, context: {"{"}cluster: c, user: u{"}}"}]
         clusters: [{"{"}name: c, cluster: {cluster}{"}"}]
         users: [{"{"}name: u, user: {user}{"}"}]
         """;

    private static Kubeconfig? Read(string text, string context, out List<KubeconfigProblem> problems)
    {
        problems = [];
        return Kubeconfig.Read(text, context, problems);
    }
}
