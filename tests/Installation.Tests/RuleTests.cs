using Cloud.ServiceDefaults.Storage;
using Cloud.ServiceDefaults.Supervision;
using Cloud.TestHost;
using Xunit;

namespace Cloud.Installations.Tests;

/// <summary>The tables by themselves, and the documents that are drawn from them.</summary>
public sealed class RuleTests
{
    private static readonly string Service = Path.Combine(Repository.Root, "services", "Installation");

    // The table only names the journeys' steps; drawing it runs none.
    private static readonly InstallationRules Rules = new(
        new Creation(null!, null!, null!), new Update(null!, null!), new Hibernation(null!),
        new Deletion(null!, null!, null!, null!, null!));

    [Fact]
    public async Task The_diagram_in_the_readme_is_drawn_from_the_table()
    {
        var readme = await File.ReadAllTextAsync(
            Path.Combine(Service, "README.md"), TestContext.Current.CancellationToken);
        var diagram = Diagram.Of(Rules);
        Assert.True(readme.Contains(diagram, StringComparison.Ordinal), $"Put this into README.md:\n{diagram}");
    }

    [Fact]
    public void Every_state_has_the_predecessors_name_and_comes_back_from_it()
    {
        Assert.Equal(
            [
                "creation-requested", "creation-no-compatible-clusters", "creation-pre-provisioning",
                "creation-in-progress", "creation-configuring-dns", "creation-final-tasks", "creation-failed", "stable",
                "update-requested", "update-in-progress", "update-failed", "hibernation-requested",
                "hibernation-in-progress", "hibernating", "wake-up-requested", "deletion-pending-requested",
                "deletion-pending-in-progress", "deletion-pending", "deletion-cancellation-requested",
                "deletion-requested", "deletion-in-progress", "deletion-final-cleanup", "deletion-failed", "deleted",
            ],
            StateNames<InstallationState>.All);
        Assert.All(
            Enum.GetValues<InstallationState>(),
            state => Assert.Equal(state, StateNames<InstallationState>.Parse(StateNames<InstallationState>.Of(state))));
    }

    [Fact]
    public void Every_state_is_reached_by_a_rule_or_a_request()
    {
        var reached = Enum.GetValues<InstallationState>()
            .SelectMany(state => Rules.For(state).To.Concat(Rules.For(state).OnFailure is { } failed ? [failed] : []))
            .Concat(InstallationVerbs.All.SelectMany(verb => verb.Moves.Values))
            .Append(InstallationState.CreationRequested)
            .ToHashSet();
        Assert.Equal(Enum.GetValues<InstallationState>(), reached.Order());
    }

    [Fact]
    public void Every_state_but_the_last_can_be_left()
    {
        foreach (var state in Enum.GetValues<InstallationState>().Where(s => s != InstallationState.Deleted))
        {
            Assert.True(
                Rules.For(state).Step is not null || InstallationVerbs.All.Any(v => v.Moves.ContainsKey(state)),
                $"{state} is a dead end");
            Assert.True(InstallationVerbs.DeleteNow.Moves.ContainsKey(state), $"{state} cannot be deleted");
        }

        Assert.DoesNotContain(InstallationVerbs.All, v => v.Moves.ContainsKey(InstallationState.Deleted));
    }
}
