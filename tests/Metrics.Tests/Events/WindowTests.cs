using Google.Protobuf.WellKnownTypes;
using Xunit;
using Proto = Cloud.Protos.Metrics.V1;

namespace Cloud.Metrics.Tests.Events;

/// <summary>Windows of time, among events that were told at once and events that were told late.</summary>
public sealed class WindowTests(FeedWorld world) : IClassFixture<FeedWorld>
{
    private static readonly DateTimeOffset Now = TimeProvider.System.GetUtcNow();

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_window_has_what_occurred_in_it_whenever_it_was_told()
    {
        await world.AppendAsync("installation", Ct, At(1, 0), At(2, -120), At(3, 0), At(4, -30), At(5, -121));

        Assert.Equal([5, 4, 3, 2, 1], await SequencesAsync(-1000, 1000));
        Assert.Equal([3, 1], await SequencesAsync(-1, 1));
        Assert.Equal([4], await SequencesAsync(-60, 0));
        Assert.Equal([5, 4, 2], await SequencesAsync(null, -1));
        Assert.Equal([5, 2], await SequencesAsync(-121, -30));
        Assert.Equal([4, 3, 1], await SequencesAsync(-30, null));
        Assert.Empty(await SequencesAsync(null, -121));
        Assert.Empty(await SequencesAsync(1, null));
    }

    private static Proto.Event At(long sequence, int minutes)
    {
        var e = FeedWorld.Event(sequence);
        e.OccurTime = Timestamp.FromDateTimeOffset(Now.AddMinutes(minutes));
        return e;
    }

    private async Task<IEnumerable<long>> SequencesAsync(int? from, int? to) =>
        (await world.Events.ListEventsAsync(
            new()
            {
                Filter = new()
                {
                    StartTime = from is { } start ? Timestamp.FromDateTimeOffset(Now.AddMinutes(start)) : null,
                    EndTime = to is { } end ? Timestamp.FromDateTimeOffset(Now.AddMinutes(end)) : null,
                },
            },
            cancellationToken: Ct)).Events.Select(e => e.Sequence);
}
