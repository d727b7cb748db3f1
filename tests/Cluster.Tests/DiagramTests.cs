using Cloud.ClusterInstallations;
using Cloud.Clusters;
using Cloud.ServiceDefaults.Supervision;
using Cloud.TestHost;
using Xunit;

namespace Cloud.ClusterTests;

/// <summary>The README shows the tables as they are. <c>CLOUD_UPDATE_GOLDEN=1</c> draws them anew.</summary>
public sealed class DiagramTests
{
    private const string Begin = "```mermaid\n";
    private const string End = "```\n";

    private static readonly string Path =
        System.IO.Path.Combine(Repository.Root, "services", "Cluster", "README.md");

    [Fact]
    public void The_readme_draws_the_states_of_clusters_as_they_are() => AssertDrawn(
        "## States of a cluster\n",
        Diagram.Of(new ClusterRules(
            new Import(null!, null!, TimeProvider.System),
            new Provisioning(null!, null!, new OperatorOptions(), TimeProvider.System),
            new Cloud.Clusters.Deletion(null!, null!, TimeProvider.System))));

    [Fact]
    public void The_readme_draws_the_states_of_cluster_installations_as_they_are() => AssertDrawn(
        "## States of a cluster installation\n",
        Diagram.Of(new ClusterInstallationRules(
            new Creation(null!, null!, null!),
            new Update(null!, null!, null!),
            new Cloud.ClusterInstallations.Deletion(null!, null!, null!, TimeProvider.System))));

    private static void AssertDrawn(string heading, string diagram)
    {
        var readme = File.ReadAllText(Path);
        var begin = readme.IndexOf(Begin, readme.IndexOf(heading, StringComparison.Ordinal), StringComparison.Ordinal)
            + Begin.Length;
        var end = readme.IndexOf(End, begin, StringComparison.Ordinal);
        if (Environment.GetEnvironmentVariable("CLOUD_UPDATE_GOLDEN") == "1")
            File.WriteAllText(Path, readme[..begin] + diagram + readme[end..]);
        else
            Assert.Equal(diagram, readme[begin..end]);
    }
}
