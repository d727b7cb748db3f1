using Cloud.Clusters;
using Cloud.Providers;
using Cloud.Watching;
using Xunit;

namespace Cloud.ClusterTests.Providers;

public sealed class ClusterFailuresTests
{
    [Fact]
    public void Only_a_cluster_that_is_silent_or_overloaded_holds_back_what_else_is_done_in_it()
    {
        var cluster = new Cluster
        {
            Id = "a", State = ClusterState.Stable, DisplayName = "a", Server = "https://a", EncryptedKubeconfig = [],
        };

        var holding = Enum.GetValues<KubernetesErrorKind>().Where(
            kind => ClusterFailures.Of(new KubernetesApiException(kind, "so"), cluster).TargetFailed);

        Assert.Equal(
            [
                KubernetesErrorKind.Unreachable, KubernetesErrorKind.TooManyRequests, KubernetesErrorKind.Gone,
                KubernetesErrorKind.ServerFault,
            ],
            holding);
    }
}
