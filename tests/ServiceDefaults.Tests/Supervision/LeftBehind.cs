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
        using var hearing = new Heard(other.Services.GetRequiredService<INudges>(), "depot");
        var told = await dying.DeliverAsync("A", Ct);
        await dying.Store.RequestAsync(told.Id, p => p with { Depot = "living" }, Ct);
        var outbox = other.Services.GetRequiredService<OutboxStore>();
        while ((await outbox.ProgressAsync(Ct)).LastSequence < 4)
        {
            // Without turning the clock, by which it would be left behind.
            await Task.Delay(Step, TimeProvider.System, Ct);
        }

        depot.Clock.Advance(CommitHints.SaidEvery);
        await dying.StopAsync(Ct);
        var hold = dying.Faults.HoldAt("transaction.after-commit");
        var changing = dying.Store.RequestAsync(told.Id, p => p with { Depot = "left" }, Ct);
        await hold.ReachedAsync(Ct);
        var diedAt = depot.Clock.GetUtcNow();

        depot.Clock.Advance(CommitHints.LookAfter);
        await depot.TurnClockUntilAsync(() => Task.FromResult(hearing.Ids.Contains("left")), Step, Ct);
        Assert.InRange(depot.Clock.GetUtcNow() - diedAt, TimeSpan.Zero, Soon);
        // Whoever lives tells by itself who is to be told; the feed says nothing twice.
        Assert.Equal(["left"], hearing.Ids);
        hold.Release();
        await changing;
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

    /// <summary>Ids that a process is nudged about, of one noun.</summary>
    private sealed class Heard : IDisposable
    {
        private readonly ConcurrentQueue<string> _ids = new();
        private readonly IDisposable _hearing;

        public Heard(INudges nudges, string noun) => _hearing = nudges.Subscribe(noun, id =>
        {
            if (id is not null)
            {
                _ids.Enqueue(id);
            }
        });

        public IReadOnlyCollection<string> Ids => [.. _ids];

        public void Dispose() => _hearing.Dispose();
    }
}
