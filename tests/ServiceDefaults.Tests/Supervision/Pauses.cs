using Cloud.ServiceDefaults.Supervision;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using Xunit;

namespace Cloud.ServiceDefaults.Tests.Supervision;

public sealed class Pauses
{
    private static readonly TimeSpan Longest = TimeSpan.FromSeconds(15);

    private readonly FakeTimeProvider _clock = new();
    private readonly LoopHealth _health = new();
    private readonly LoopPause _pause;

    public Pauses() =>
        _pause = new LoopPause("parcel", TimeSpan.FromSeconds(1), Longest, _health, _clock, NullLogger.Instance);

    [Fact]
    public void Trouble_without_an_end_is_tried_ever_more_rarely()
    {
        var seconds = Enumerable.Range(0, 6).Select(_ =>
        {
            var pause = _pause.Begin(new TimeoutException("no answer"));
            Assert.Equal(pause, _pause.Begin(new TimeoutException("another that began before")));
            _clock.Advance(pause);
            Assert.False(_pause.IsActive);
            return pause.TotalSeconds;
        });

        Assert.Equal([1, 2, 4, 8, 15, 15], seconds);
        Assert.Equal("no answer", Assert.Single(_health.Paused).Reason);
        Assert.True(_pause.End());
        Assert.Empty(_health.Paused);
        Assert.False(_pause.End());
    }

    [Fact]
    public void What_works_beside_new_trouble_does_not_end_its_pause()
    {
        var pause = _pause.Begin(new TimeoutException("no answer"));
        Assert.False(_pause.EndIfOver());
        Assert.Single(_health.Paused);
        _clock.Advance(pause);
        Assert.True(_pause.EndIfOver());
        Assert.Empty(_health.Paused);
    }

    [Fact]
    public void Trouble_that_is_back_soon_is_the_same_trouble_and_later_a_new_one()
    {
        var seconds = Enumerable.Range(0, 3).Select(_ =>
        {
            var pause = _pause.Begin(new TimeoutException("no answer"));
            _clock.Advance(pause);
            Assert.True(_pause.End());
            return pause.TotalSeconds;
        }).ToList();
        _clock.Advance(Longest);

        Assert.Equal([1, 2, 4], seconds);
        Assert.Equal(TimeSpan.FromSeconds(1), _pause.Begin(new TimeoutException("no answer")));
    }
}
