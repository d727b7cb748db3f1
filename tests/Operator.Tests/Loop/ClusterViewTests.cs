using Cloud.Operator.Reconciling;
using Cloud.TestHost;
using Microsoft.Extensions.Logging.Abstractions;

namespace Cloud.Operator.Tests.Loop;

public sealed class ClusterViewTests
{
    [Fact]
    public async Task A_watch_that_a_bug_ends_does_not_leave_the_others_running_without_it()
    {
        await using var world = await World.Start();
        var view = new ClusterView(world.Api, TimeProvider.System, NullLoggerFactory.Instance);
        view.Secrets.Changed += _ => throw new InvalidOperationException("a bug");
        var running = view.Run(Patience.Token);

        await world.CreateSecret("any");

        var error = await Assert.ThrowsAsync<InvalidOperationException>(() => running);
        Assert.Equal("a bug", error.Message);
    }
}
