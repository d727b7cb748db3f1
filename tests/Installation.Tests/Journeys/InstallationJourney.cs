using Cloud.TestHost.Journeys;
using Xunit;
using Proto = Cloud.Protos.Installation.V1;

namespace Cloud.Installations.Tests.Journeys;

/// <summary>What the journeys of an installation are told with.</summary>
public abstract class InstallationJourney : Journey<JourneyCloud>
{
    protected static readonly string[] Created =
    [
        "creation-requested", "creation-pre-provisioning", "creation-in-progress", "creation-configuring-dns",
        "creation-final-tasks", "stable",
    ];

    protected static readonly string[] Deleted =
    [
        "deletion-pending-requested", "deletion-pending-in-progress", "deletion-pending", "deletion-requested",
        "deletion-in-progress", "deletion-final-cleanup", "deleted",
    ];

    public override string Noun => "installation";

    public override Task<IReadOnlyList<string>> OutsideAsync(JourneyCloud world, Life life, CancellationToken ct) =>
        Task.FromResult<IReadOnlyList<string>>(world.Outside.Look(w => w.Placements.Concat(w.ClusterInstallations)
            .Concat(w.Databases).Where(r => r.Installation == NameOf(life))
            .Select(r => $"{r.Name} {r.State} {r.Spec}").ToList()));

    protected static string NameOf(Life life) => $"installations/{life.RowId}";

    /// <summary>Asks for it. No step runs before <paramref name="before"/> has been told its name.</summary>
    protected static Task<Proto.Installation> CreateAsync(Life life, Action<string> before, CancellationToken ct)
    {
        var client = ClientOf(life);
        return life.BeginAsync(
            "create",
            token => client.CreateInstallationAsync(
                new() { NameHint = $"acme-{life.Id}", RequestId = life.RequestId }, cancellationToken: token),
            made =>
            {
                before(made.Name);
                return made.Name;
            },
            ct);
    }

    protected static Task<Proto.Installation> HibernateAsync(Life life, CancellationToken ct) => life.AskAsync(
        "hibernate",
        token => ClientOf(life).HibernateInstallationAsync(
            new() { Name = NameOf(life), RequestId = life.RequestId }, cancellationToken: token),
        ct);

    protected static Task<Proto.Installation> WakeUpAsync(Life life, CancellationToken ct) => life.AskAsync(
        "wake up",
        token => ClientOf(life).WakeUpInstallationAsync(
            new() { Name = NameOf(life), RequestId = life.RequestId }, cancellationToken: token),
        ct);

    protected static Task<Proto.Installation> UpdateAsync(Life life, string version, CancellationToken ct) =>
        life.AskAsync(
            "update",
            token => ClientOf(life).UpdateInstallationAsync(
                new()
                {
                    Installation = new() { Name = NameOf(life), Version = version },
                    UpdateMask = new() { Paths = { "version" } },
                    RequestId = life.RequestId,
                },
                cancellationToken: token),
            ct);

    protected static Task<Proto.Installation> RetryAsync(Life life, string verb, CancellationToken ct) =>
        life.AskAsync(
            verb,
            token => ClientOf(life).RetryInstallationAsync(
                new() { Name = NameOf(life), RequestId = life.RequestId }, cancellationToken: token),
            ct);

    protected static Task<Proto.Installation> DeleteAsync(
        Life life, string verb, TimeSpan pending, CancellationToken ct) => life.AskAsync(
        verb,
        token => ClientOf(life).DeleteInstallationAsync(
            new()
            {
                Name = NameOf(life),
                PendingTime = Google.Protobuf.WellKnownTypes.Duration.FromTimeSpan(pending),
                RequestId = life.RequestId,
            },
            cancellationToken: token),
        ct);

    protected static Task<Proto.Installation> CancelDeletionAsync(Life life, CancellationToken ct) => life.AskAsync(
        "cancel the deletion",
        token => ClientOf(life).CancelInstallationDeletionAsync(
            new() { Name = NameOf(life), RequestId = life.RequestId }, cancellationToken: token),
        ct);

    /// <summary>Nothing is left, what there was was made so many times, and the feed tells the story once.</summary>
    protected static async Task AssertGoneAsync(JourneyCloud world, Life life, int made, IEnumerable<string> states)
    {
        var name = NameOf(life);
        Assert.Empty(world.Outside.LeftOf(name));
        Assert.Equal(made, world.Outside.Look(w => w.ClusterInstallations.Count(r => r.Installation == name)));
        Assert.Equal(1, world.Outside.Look(w => w.Databases.Count(r => r.Installation == name)));
        Assert.Equal(states, await world.System.StatesOfAsync(name));
    }

    private static Proto.InstallationService.InstallationServiceClient ClientOf(Life life) => new(life.Invoker);
}
