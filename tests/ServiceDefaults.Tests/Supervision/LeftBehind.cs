using System.Collections.Concurrent;
using Cloud.ServiceDefaults.Storage;
using Cloud.ServiceDefaults.Supervision;
using Cloud.ServiceDefaults.Tests.Parcels;
using Cloud.TestHost;
using Microsoft.Extensions.DependencyInjection;
using Xunit;

namespace Cloud.ServiceDefaults.Tests.Supervision;

/// <summary>What a process leaves behind that dies after a commit and before it has told anybody. Its loops have
/// stopped already, and its call stands still between the two.</summary>
public sealed class LeftBehind
{
    /// <summary>Far less than the sweeps, which would find it too.</summary>
    private static readonly TimeSpan Soon = TimeSpan.FromSeconds(20);

    private static readonly TimeSpan Step = TimeSpan.FromMilliseconds(5);

    private static CancellationToken Ct => Patience.Token;

    [Fact]
    public async Task A_row_nobody_was_nudged_about_is_found_by_another_process()
    {
        await using var depot = await Depot.OpenAsync(Ct);
        var (dying, other) = await TwoAsync(depot);
        await dying.StopAsync(Ct);
        var hold = dying.Faults.HoldAt("transaction.after-commit");
        var parcel = Parcel.To("A");
        var adding = dying.Store.AddAsync(parcel, Ct);
        await hold.ReachedAsync(Ct);
        var diedAt = depot.Clock.GetUtcNow();

        depot.Clock.Advance(CommitHints.LookAfter);
        await depot.TurnClockUntilAsync(other.UntilAsync(parcel.Id, ParcelState.Delivered, Ct), Step, Ct);
        Assert.InRange(depot.Clock.GetUtcNow() - diedAt, TimeSpan.Zero, Soon);
        hold.Release();
        await adding;
    }

    [Fact]
    public async Task An_event_nobody_numbered_is_numbered_by_another_process()
    {
        await using var depot = await Depot.OpenAsync(Ct);
        var (dying, other) = await TwoAsync(depot);
        var parcel = await dying.DeliverAsync("A", Ct);
        var outbox = other.Services.GetRequiredService<OutboxStore>();
        await depot.TurnClockUntilAsync(async () => (await outbox.ProgressAsync(Ct)).LastSequence == 3, Step, Ct);
        depot.Clock.Advance(CommitHints.SaidEvery);

        // At rest before and after: nobody will write anything more.
        await dying.StopAsync(Ct);
        var hold = dying.Faults.HoldAt("transaction.after-commit");
        var changing = dying.Store.RequestAsync(parcel.Id, p => p with { Fragile = true }, Ct);
        await hold.ReachedAsync(Ct);
        var diedAt = depot.Clock.GetUtcNow();

        depot.Clock.Advance(CommitHints.LookAfter);
        await depot.TurnClockUntilAsync(async () => (await outbox.ProgressAsync(Ct)).LastSequence == 4, Step, Ct);
        Assert.InRange(depot.Clock.GetUtcNow() - diedAt, TimeSpan.Zero, Soon);
        hold.Release();
        await changing;
    }

    [Fact]
    public async Task Who_waits_for_what_a_dead_process_committed_hears_of_it_from_the_feed()
    {
        await using var depot = await Depot.OpenAsync(Ct);
        var (dying, other) = await TwoAsync(depot);
        using var writers = await HearAsync(dying);
        using var hearing = await HearAsync(other);
        var told = await dying.DeliverAsync("A", Ct);
        await dying.Store.RequestAsync(told.Id, p => p with { Depot = "living" }, Ct);
        await NumberedAsync(other, 4);
        await hearing.HeardAsync("living", Ct);

        depot.Clock.Advance(CommitHints.SaidEvery);
        await dying.StopAsync(Ct);
        var hold = dying.Faults.HoldAt("transaction.after-commit");
        var changing = dying.Store.RequestAsync(told.Id, p => p with { Depot = "left" }, Ct);
        await hold.ReachedAsync(Ct);
        await IsToldSoonAsync(depot, hearing);
        // Whoever lives tells by itself who is to be told; the feed says nothing twice.
        Assert.Equal(["living", "left"], hearing.Ids);
        hold.Release();
        await changing;
    }

    [Fact]
    public async Task Who_waits_hears_of_it_also_when_the_event_was_numbered_at_once()
    {
        await using var depot = await Depot.OpenAsync(Ct);
        var (dying, other) = await TwoAsync(depot);
        using var hearing = await HearAsync(other);
        var parcel = await dying.DeliverAsync("A", Ct);
        await NumberedAsync(other, 3);
        await dying.StopAsync(Ct);
        var hold = dying.Faults.HoldAt("transaction.after-commit");
        var changing = dying.Store.RequestAsync(parcel.Id, p => p with { Depot = "left" }, Ct);
        await hold.ReachedAsync(Ct);

        // The service is busy: the pass for another's event takes this one along, before anybody can know.
        await other.DeliverAsync("B", Ct);
        await NumberedAsync(other, 7);
        await IsToldSoonAsync(depot, hearing);
        Assert.Equal(["left"], hearing.Ids);
        hold.Release();
        await changing;
    }

    [Fact]
    public async Task A_parent_is_not_told_of_what_is_still_under_way()
    {
        await using var depot = await Depot.OpenAsync(Ct);
        depot.Post.ArriveAtOnce = false;
        var process = await depot.StartAsync(Ct);
        using var hearing = await HearAsync(process);
        var parcel = await process.Store.AddAsync(Parcel.To("A") with { Depot = "waiting" }, Ct);
        await process.UntilAsync(parcel.Id, p => p.WaitingFor is not null, Ct);
        await NumberedAsync(process, 2);
        depot.Clock.Advance(CommitHints.LookAfter);
        var probe = await process.Store.AddAsync(Parcel.To("B"), Ct);
        await process.UntilAsync(probe.Id, p => p.WaitingFor is not null, Ct);
        await NumberedAsync(process, 4);
        Assert.Empty(hearing.Ids);
    }

    [Fact]
    public async Task A_hint_is_said_once_a_second_and_not_at_rest()
    {
        await using var depot = await Depot.OpenAsync(Ct);
        var process = await depot.StartAsync(Ct);
        var said = 0;
        using var hearing = process.Services.GetRequiredService<INudges>()
            .Subscribe("commit-metrics", id => said += id is null ? 0 : 1);
        await process.DeliverAsync("A", Ct);
        await process.DeliverAsync("B", Ct);
        Assert.Equal(1, said);
        depot.Clock.Advance(TimeSpan.FromMinutes(10));
        Assert.Equal(1, said);
        await process.DeliverAsync("C", Ct);
        Assert.Equal(2, said);
    }

    private static async Task<(ParcelProcess Dying, ParcelProcess Other)> TwoAsync(Depot depot)
    {
        var dying = await depot.StartAsync(Ct);
        await dying.HearsOthersAsync(Ct);
        var other = await depot.StartAsync(Ct);
        await other.HearsOthersAsync(Ct);
        return (dying, other);
    }

    /// <summary>What a process hears of depots, once it certainly hears all of it, and its feed too.</summary>
    private static async Task<Heard> HearAsync(ParcelProcess process)
    {
        process.Services.GetRequiredService<UntoldParents>().Hear("depot");
        var hearing = new Heard(process.Services.GetRequiredService<INudges>(), "depot");
        await process.HearsOthersAsync(Ct);
        return hearing;
    }

    /// <summary>Waits without turning the clock, by which something would be left behind.</summary>
    private static async Task NumberedAsync(ParcelProcess process, long through)
    {
        var outbox = process.Services.GetRequiredService<OutboxStore>();
        while ((await outbox.ProgressAsync(Ct)).LastSequence < through)
        {
            await Task.Delay(Step, TimeProvider.System, Ct);
        }
    }

    private static async Task IsToldSoonAsync(Depot depot, Heard hearing)
    {
        var diedAt = depot.Clock.GetUtcNow();
        depot.Clock.Advance(CommitHints.LookAfter);
        await depot.TurnClockUntilAsync(hearing.HeardAsync("left", Ct), Step, Ct);
        Assert.InRange(depot.Clock.GetUtcNow() - diedAt, TimeSpan.Zero, Soon);
    }

    /// <summary>Ids that a process is nudged about, of one noun.</summary>
    private sealed class Heard : IDisposable
    {
        private readonly ConcurrentQueue<string> _ids = new();
        private readonly ConcurrentDictionary<string, TaskCompletionSource> _signals = new();
        private readonly IDisposable _hearing;

        public Heard(INudges nudges, string noun) => _hearing = nudges.Subscribe(noun, id =>
        {
            if (id is not null)
            {
                _ids.Enqueue(id);
                SignalOf(id).TrySetResult();
            }
        });

        public IReadOnlyCollection<string> Ids => [.. _ids];

        public Task HeardAsync(string id, CancellationToken ct) => SignalOf(id).Task.WaitAsync(ct);

        private TaskCompletionSource SignalOf(string id) => _signals.GetOrAdd(
            id, _ => new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));

        public void Dispose() => _hearing.Dispose();
    }
}
