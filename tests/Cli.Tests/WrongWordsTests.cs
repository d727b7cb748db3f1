using System.Net;
using System.Net.Sockets;
using Xunit;

namespace Cloud.Cli.Tests;

/// <summary>Whatever a person types, the answer is a sentence and the exit code that the help lists.</summary>
public sealed class WrongWordsTests : IAsyncLifetime
{
    private const int Usage = 2;

    private readonly ScriptedCloud _cloud = new();

    public ValueTask InitializeAsync() => _cloud.InitializeAsync();

    public ValueTask DisposeAsync() => _cloud.DisposeAsync();

    [Theory]
    [InlineData("::1")]
    [InlineData("[::1]")]
    public async Task A_host_may_be_an_address_of_the_newer_kind(string host)
    {
        _cloud.Workspaces.Has("acme.localhost", "stable");

        var run = await _cloud.RunAsync("list", "--host", host);

        Assert.True(run.ExitCode == 0, run.Error);
        Assert.Contains("acme.localhost", run.Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("is no host", "list", "--host", "http://here:7101")]
    [InlineData("There is no file /not/there", "clusters", "import", "a", "--kubeconfig", "/not/there")]
    [InlineData("is a directory", "clusters", "import", "a", "--kubeconfig", "/")]
    [InlineData("There is no file", "seed", "--kubeconfig", "/no", "--context", "a", "--database-port", "1",
        "--database-user", "b")]
    [InlineData("--overlap-hours takes 0 to 87600", "webhooks", "rotate", "a", "--overlap-hours", "1e10")]
    [InlineData("--overlap-hours takes 0 to 87600", "webhooks", "rotate", "a", "--overlap-hours", "-1")]
    [InlineData("--timeout takes more than 0", "seed", "--kubeconfig", "/no", "--context", "a", "--database-port", "1",
        "--database-user", "b", "--timeout", "1e300")]
    [InlineData("--timeout takes more than 0", "create", "acme", "--timeout", "0")]
    [InlineData("--timeout takes more than 0", "create", "acme", "--timeout", "NaN")]
    [InlineData("--pending takes 0 to", "delete", "acme", "--pending", "-1")]
    [InlineData("--env gives A more than one value", "create", "acme", "--env", "A=1", "--env", "A=2")]
    [InlineData("--env wants NAME=value", "create", "acme", "--env", "=2")]
    public async Task Values_that_cannot_be_are_refused_with_a_sentence(string sentence, params string[] words) =>
        Refused(await _cloud.RunAsync(words), Usage, sentence);

    [Theory]
    [InlineData("\"frob\" is not known here", "frob")]
    [InlineData("\"--limit\" is not known here", "list", "--limit", "-1")]
    [InlineData("'update'", "update")]
    [InlineData("a whole number", "events", "--limit", "many")]
    [InlineData("--limit wants a number from 1 on", "events", "--limit", "-1")]
    [InlineData("--now and --pending contradict", "delete", "acme", "--now", "--pending", "60")]
    [InlineData("--after goes with --follow only", "events", "--after", "7")]
    [InlineData("--follow and --limit contradict", "events", "--follow", "--limit", "7")]
    [InlineData("--through goes with --after only", "webhooks", "redeliver", "a", "--through", "7", "--failed")]
    [InlineData("--after and delivery contradict", "webhooks", "redeliver", "a", "17", "--after", "7")]
    [InlineData("--failed and delivery contradict", "webhooks", "redeliver", "a", "17", "--failed")]
    public async Task Words_that_do_not_go_together_are_refused_with_a_sentence(
        string sentence, params string[] words) => Refused(await _cloud.RunAsync(words), Usage, sentence);

    [Theory]
    [InlineData("delete", "")]
    [InlineData("delete", " ")]
    [InlineData("hibernate", ".")]
    [InlineData("create", "")]
    [InlineData("create", " ")]
    [InlineData("list", "--owner", "")]
    public async Task An_empty_word_means_nothing_and_never_any_workspace(params string[] words)
    {
        _cloud.Workspaces.Has("acme.localhost", "stable");

        Refused(await _cloud.RunAsync(words), Usage, "Is a variable not set?");

        Assert.Empty(_cloud.Workspaces.Asked);
    }

    [Fact]
    public async Task A_label_that_two_workspaces_have_is_no_name_of_either()
    {
        _cloud.Workspaces.Has("acme.localhost", "stable");
        _cloud.Workspaces.Has("acme.example.com", "stable");

        Refused(await _cloud.RunAsync("delete", "acme"), Usage, "may be acme.localhost or acme.example.com");

        Assert.Empty(_cloud.Workspaces.Asked);
    }

    [Fact]
    public async Task An_answer_that_does_not_come_within_the_timeout_is_said_to()
    {
        using var silent = new TcpListener(IPAddress.Loopback, 0);
        silent.Start();

        var run = await ScriptedCloud.RunAtAsync(
            ((IPEndPoint)silent.LocalEndpoint).Port, "create", "acme", "--timeout", "0.2");

        Refused(run, 6, "It took longer than 0.2 s");
    }

    [Fact]
    public async Task A_file_that_may_not_be_read_is_said_to()
    {
        // Not even an administrator can read a file whose name is too long.
        var name = "/" + new string('a', 5000);

        Refused(await _cloud.RunAsync("clusters", "import", "a", "--kubeconfig", name), Usage, "cannot be read");
    }

    [Fact]
    public async Task An_offset_of_ports_that_is_none_is_not_taken_for_the_first_world() => Refused(
        await ScriptedCloud.RunInAsync(new() { ["CLOUD_PORT_OFFSET"] = "100O" }, ["list"]),
        Usage,
        "CLOUD_PORT_OFFSET is \"100O\"");

    [Fact]
    public async Task What_nobody_foresaw_is_one_line_without_a_trace_unless_asked_for()
    {
        // A workspace without an address, which the service never has.
        _cloud.Workspaces.Has("acme.localhost", "stable").DnsNames.Clear();

        var run = await _cloud.RunAsync("list");
        var traced = await _cloud.RunAsync("list", "--trace");

        Refused(run, 7, "This is a fault of the program itself");
        Assert.Equal(7, traced.ExitCode);
        Assert.Contains("   at Cloud.Cli", traced.Error, StringComparison.Ordinal);
    }

    private static void Refused(Run run, int exitCode, string sentence)
    {
        Assert.True(exitCode == run.ExitCode, $"It ended with {run.ExitCode}:\n{run.Output}\n{run.Error}");
        Assert.Contains(sentence, run.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", run.Error, StringComparison.Ordinal);
        Assert.InRange(run.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries).Length, 1, 2);
    }
}
