namespace Cloud.Watching.Tests;

public sealed class SiblingsTests
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task One_that_fails_ends_those_that_would_go_on_for_ever_and_is_heard_of()
    {
        var ended = false;
        var error = await Assert.ThrowsAsync<FormatException>(() => Siblings.Run(Ct, Endless, Fail));
        Assert.Equal("a bug", error.Message);
        Assert.True(ended);

        async Task Endless(CancellationToken cancellation)
        {
            await Forever(cancellation).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            ended = true;
        }

        static Task Fail(CancellationToken cancellation) => throw new FormatException("a bug");
    }

    [Fact]
    public async Task One_that_gives_up_with_a_cancellation_of_its_own_is_a_failure()
    {
        await Assert.ThrowsAsync<TaskCanceledException>(() => Siblings.Run(Ct, Forever, GiveUp));

        static async Task GiveUp(CancellationToken cancellation)
        {
            await Task.Yield();
            throw new TaskCanceledException("took too long");
        }
    }

    [Fact]
    public async Task One_that_is_done_leaves_the_others_alone()
    {
        var first = new TaskCompletionSource();
        var second = new TaskCompletionSource();
        var all = Siblings.Run(Ct, cancellation => first.Task.WaitAsync(cancellation), Second);
        first.SetResult();
        second.SetResult();
        await all;

        async Task Second(CancellationToken cancellation)
        {
            await first.Task;
            await second.Task.WaitAsync(cancellation);
            Assert.False(cancellation.IsCancellationRequested);
        }
    }

    private static Task Forever(CancellationToken cancellation) =>
        new TaskCompletionSource().Task.WaitAsync(cancellation);
}
