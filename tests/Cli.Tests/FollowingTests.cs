using Xunit;

namespace Cloud.Cli.Tests;

/// <summary>A command that changes a workspace ends when the work does, also when it is given again.</summary>
public sealed class FollowingTests : IAsyncLifetime
{
    /// <summary>A test that hangs ends here, and says so by the exit code.</summary>
    private static readonly string[] Limit = ["--timeout", "60"];

    private readonly ScriptedCloud _cloud = new();

    public ValueTask InitializeAsync() => _cloud.InitializeAsync();

    public ValueTask DisposeAsync() => _cloud.DisposeAsync();

    [Fact]
    public async Task What_is_asked_is_followed_to_its_end_with_every_state()
    {
        _cloud.Workspaces.Has("acme.localhost", "stable");
        _cloud.Workspaces.Then("hibernation-in-progress", "hibernating");

        var run = await _cloud.RunAsync(["hibernate", "acme", .. Limit]);

        Ended(run, 0, "acme.localhost is hibernating");
        Assert.Equal(["hibernation-requested", "hibernation-in-progress", "hibernating"], StatesIn(run));
    }

    [Fact]
    public async Task A_rest_from_before_the_request_is_not_taken_for_its_end()
    {
        _cloud.Workspaces.Has("acme.localhost", "update-in-progress");
        _cloud.Workspaces.JustBefore = "stable";
        _cloud.Workspaces.Then("hibernation-in-progress", "hibernating");

        Ended(await _cloud.RunAsync(["hibernate", "acme", .. Limit]), 0, "acme.localhost is hibernating");
    }

    [Fact]
    public async Task A_creation_that_is_asked_for_again_after_its_end_ends_at_once()
    {
        _cloud.Workspaces.Answered(
            "again", _cloud.Workspaces.Has("acme.localhost", "stable"), "creation-requested");

        Ended(await CreateAgainAsync(), 0, "acme.localhost is stable at http://acme.localhost/");
    }

    [Fact]
    public async Task A_creation_that_is_asked_for_again_while_it_runs_is_followed()
    {
        _cloud.Workspaces.Answered(
            "again", _cloud.Workspaces.Has("acme.localhost", "creation-in-progress"), "creation-requested");
        _cloud.Workspaces.Then("creation-final-tasks", "stable");

        var run = await CreateAgainAsync();

        Ended(run, 0, "acme.localhost is stable");
        Assert.Equal(["creation-in-progress", "creation-final-tasks", "stable"], StatesIn(run));
    }

    [Fact]
    public async Task A_creation_that_is_asked_for_again_after_it_failed_says_that_it_failed()
    {
        _cloud.Workspaces.Answered(
            "again", _cloud.Workspaces.Has("acme.localhost", "creation-failed"), "creation-requested");

        var run = await CreateAgainAsync();

        Assert.Equal(1, run.ExitCode);
        Assert.Contains("acme.localhost is creation-failed", run.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("deletion-pending", "is stopped and will be gone for good")]
    [InlineData("deleted", "acme.localhost is deleted", "--now")]
    public async Task A_deletion_that_is_asked_for_again_after_its_end_ends_at_once(
        string state, string ending, params string[] more)
    {
        _cloud.Workspaces.Answered(
            "again", _cloud.Workspaces.Has("acme.localhost", state), "deletion-pending-requested");

        Ended(await _cloud.RunAsync(["delete", "acme", "--request-id", "again", .. more, .. Limit]), 0, ending);
    }

    [Fact]
    public async Task A_workspace_that_gets_another_address_is_followed_there()
    {
        _cloud.Workspaces.Has("acme.localhost", "stable");
        _cloud.Workspaces.Then("update-in-progress", "stable");

        Ended(
            await _cloud.RunAsync(["update", "acme", "--dns", "better.localhost", .. Limit]),
            0,
            "better.localhost is stable");
    }

    private static IEnumerable<string> StatesIn(Run run) => run.Error
        .Split('\n', StringSplitOptions.RemoveEmptyEntries)
        .Select(line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1]);

    private static void Ended(Run run, int exitCode, string sentence)
    {
        Assert.True(exitCode == run.ExitCode, $"It ended with {run.ExitCode}:\n{run.Output}\n{run.Error}");
        Assert.Contains(sentence, run.Output, StringComparison.Ordinal);
    }

    private Task<Run> CreateAgainAsync() => _cloud.RunAsync(["create", "acme", "--request-id", "again", .. Limit]);
}
