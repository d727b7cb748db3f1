using Microsoft.Extensions.Time.Testing;

namespace Cloud.Watching.Tests;

public sealed class WorkQueueTests : IDisposable
{
    private readonly FakeTimeProvider _time = new();
    private readonly WorkQueue<string> _queue;

    public WorkQueueTests() =>
        _queue = new WorkQueue<string>(_time, new Backoff(TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(8)));

    [Fact]
    public async Task Adds_of_the_same_key_are_one()
    {
        _queue.Add("a");
        _queue.Add("a");
        _queue.Add("b");
        Assert.Equal(2, _queue.Depth);
        Assert.Equal("a", await Take());
        Assert.Equal("b", await Take());
        Assert.Equal(0, _queue.Depth);
    }

    [Fact]
    public async Task A_key_that_is_worked_on_comes_back_only_when_its_worker_is_done()
    {
        _queue.Add("a");
        await Take();
        _queue.Add("a");
        _queue.Add("a");
        var next = Take();
        Assert.False(next.IsCompleted);
        _queue.Done("a");
        Assert.Equal("a", await next);
        _queue.Done("a");
        Assert.Equal(0, _queue.Depth);
    }

    [Fact]
    public async Task The_earliest_alarm_of_a_key_counts()
    {
        _queue.AddAfter("a", TimeSpan.FromSeconds(10));
        _queue.AddAfter("a", TimeSpan.FromSeconds(3));
        _queue.AddAfter("a", TimeSpan.FromSeconds(20));
        _time.Advance(TimeSpan.FromSeconds(2.9));
        Assert.Equal(0, _queue.Depth);
        _time.Advance(TimeSpan.FromSeconds(0.2));
        Assert.Equal("a", await Take());
        _queue.Done("a");
        _time.Advance(TimeSpan.FromSeconds(60));
        Assert.Equal(0, _queue.Depth);
    }

    [Fact]
    public async Task Taking_a_key_clears_its_alarm()
    {
        _queue.AddAfter("a", TimeSpan.FromSeconds(3));
        _queue.Add("a");
        await Take();
        _queue.Done("a");
        _time.Advance(TimeSpan.FromSeconds(10));
        Assert.Equal(0, _queue.Depth);
    }

    [Fact]
    public void Waits_grow_up_to_the_cap_until_the_key_is_forgotten()
    {
        var waits = Enumerable.Range(0, 6).Select(_ => _queue.Retry("a").TotalSeconds).ToList();
        Assert.All(waits.Zip([1.0, 2, 4, 8, 8, 8]), w => Assert.InRange(w.First, w.Second / 2, w.Second));
        _queue.Forget("a");
        Assert.InRange(_queue.Retry("a").TotalSeconds, 0.5, 1);
    }

    [Fact]
    public void A_wait_the_server_asked_for_is_kept()
    {
        Assert.Equal(TimeSpan.FromMinutes(1), _queue.Retry("a", TimeSpan.FromMinutes(1)));
    }

    public void Dispose() => _queue.Dispose();

    private Task<string> Take() => _queue.Take(TestContext.Current.CancellationToken).AsTask();
}
