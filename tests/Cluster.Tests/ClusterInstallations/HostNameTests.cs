using Cloud.ClusterInstallations;
using Xunit;

namespace Cloud.ClusterTests.ClusterInstallations;

public sealed class HostNameTests
{
    [Theory]
    [InlineData("acme.localhost", true)]
    [InlineData("a-1.cloud.example.com", true)]
    [InlineData("", false)]
    [InlineData("Acme.localhost", false)]
    [InlineData("a_b.localhost", false)]
    [InlineData("-a.localhost", false)]
    [InlineData("a..localhost", false)]
    [InlineData("a.localhost.", false)]
    public void A_host_name_is_one_that_an_ingress_takes(string name, bool isTaken) =>
        Assert.Equal(isTaken, ClusterInstallationChecks.IsHostName(name));

    [Fact]
    public void A_label_has_at_most_63_characters()
    {
        Assert.True(ClusterInstallationChecks.IsHostName(new string('a', 63) + ".localhost"));
        Assert.False(ClusterInstallationChecks.IsHostName(new string('a', 64) + ".localhost"));
    }
}
