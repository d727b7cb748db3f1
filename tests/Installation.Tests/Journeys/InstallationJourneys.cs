using Cloud.TestHost.Journeys;

namespace Cloud.Installations.Tests.Journeys;

/// <summary>Everything a customer may ask for, and nothing goes wrong but the fault.</summary>
public sealed class WholeLife : InstallationJourney
{
    public override async Task LiveAsync(JourneyCloud world, Life life, CancellationToken ct)
    {
        await CreateAsync(life, _ => { }, ct);
        await life.UntilAsync("stable", ct);
        await HibernateAsync(life, ct);
        await life.UntilAsync("hibernating", ct);
        await WakeUpAsync(life, ct);
        await life.UntilAsync("stable", ct);
        await UpdateAsync(life, "10.9.9", ct);
        await life.UntilAsync("stable", ct);
        await DeleteAsync(life, "delete", TimeSpan.Zero, ct);
        await life.UntilAsync("deleted", ct);
        await AssertGoneAsync(world, life, made: 1,
        [
            .. Created, "hibernation-requested", "hibernation-in-progress", "hibernating", "wake-up-requested",
            "update-in-progress", "stable", "update-requested", "update-in-progress", "stable", .. Deleted,
        ]);
    }
}

/// <summary>There is no room at first; later its deletion is taken back once.</summary>
public sealed class LateRoomAndSecondThoughts : InstallationJourney
{
    public override async Task LiveAsync(JourneyCloud world, Life life, CancellationToken ct)
    {
        await CreateAsync(life, world.Outside.WithoutRoom.Add, ct);
        await life.UntilAsync("creation-no-compatible-clusters", ct);
        world.Outside.WithoutRoom.Remove(NameOf(life));
        await life.UntilAsync("stable", ct);
        await DeleteAsync(life, "delete later", TimeSpan.FromHours(1), ct);
        await life.UntilAsync("deletion-pending", ct);
        await CancelDeletionAsync(life, ct);
        await life.UntilAsync("stable", ct);
        await DeleteAsync(life, "delete", TimeSpan.Zero, ct);
        await life.UntilAsync("deleted", ct);
        await AssertGoneAsync(world, life, made: 1,
        [
            "creation-requested", "creation-no-compatible-clusters", .. Created[1..], .. Deleted[..3],
            "deletion-cancellation-requested", "update-in-progress", "stable", .. Deleted,
        ]);
    }
}

/// <summary>Its pods do not become ready, and later a change is refused; both are retried.</summary>
public sealed class SecondTries : InstallationJourney
{
    public override async Task LiveAsync(JourneyCloud world, Life life, CancellationToken ct)
    {
        await CreateAsync(life, world.Outside.WithFailingPods.Add, ct);
        await life.UntilAsync("creation-failed", ct);
        world.Outside.WithFailingPods.Remove(NameOf(life));
        await RetryAsync(life, "retry", ct);
        await life.UntilAsync("stable", ct);
        world.Outside.WithRefusedUpdates.Add(NameOf(life));
        await UpdateAsync(life, "10.9.9", ct);
        await life.UntilAsync("update-failed", ct);
        world.Outside.WithRefusedUpdates.Remove(NameOf(life));
        await RetryAsync(life, "retry the update", ct);
        await life.UntilAsync("stable", ct);
        await DeleteAsync(life, "delete", TimeSpan.Zero, ct);
        await life.UntilAsync("deleted", ct);
        await AssertGoneAsync(world, life, made: 2,
        [
            .. Created[..3], "creation-failed", .. Created, "update-requested", "update-failed", "update-requested",
            "update-in-progress", "stable", .. Deleted,
        ]);
    }
}

/// <summary>Deleted while its pods are still starting.</summary>
public sealed class DeletedWhileCreated : InstallationJourney
{
    public override async Task LiveAsync(JourneyCloud world, Life life, CancellationToken ct)
    {
        await CreateAsync(life, world.Outside.WithSlowPods.Add, ct);
        await life.UntilAsync("creation-in-progress", "clusterInstallations/", ct);
        world.Outside.WithSlowPods.Remove(NameOf(life));
        await DeleteAsync(life, "delete", TimeSpan.Zero, ct);
        await life.UntilAsync("deleted", ct);
        await AssertGoneAsync(
            world, life, made: 1,
            [.. Created[..3], "deletion-requested", "deletion-in-progress", "deletion-final-cleanup", "deleted"]);
    }
}
