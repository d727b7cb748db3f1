using System.Globalization;
using Cloud.Chaos.Customers;
using Cloud.Chaos.World;
using Cloud.Protos.Installation.V1;
using Cloud.ServiceDefaults.Storage;

namespace Cloud.Chaos.Invariants;

/// <summary>Every acknowledged request took effect exactly once, what came of an installation is what was asked last,
/// and nobody was told what no request may be told.</summary>
internal static class Wishes
{
    /// <summary>Longer than that, a deletion is still pending when the run ends.</summary>
    private static readonly TimeSpan LastsBeyondTheRun = TimeSpan.FromMinutes(30);

    /// <summary>One event per acknowledged request, at the version that was answered; none for a refused one.</summary>
    public static IEnumerable<Breach> Once(IReadOnlyCollection<Ask> asks, IReadOnlyList<EventRow> outbox)
    {
        // The steps that follow carry the request's id, too; what the request itself did is what its caller did.
        var caused = outbox.Where(e => e.RequestId.Length > 0 && e.Actor != RequestContext.SupervisorActor)
            .ToLookup(e => e.RequestId);
        foreach (var ask in asks)
        {
            var events = caused[ask.RequestId].ToList();
            var subject = ask.Installation ?? ask.Subject;
            switch (ask.Verdict)
            {
                case Verdict.Broken:
                    yield return new Breach(
                        "answered as promised", subject, $"{ask.Verb} ({ask.RequestId}): {ask.Refusal}");
                    break;
                case Verdict.Unknown:
                    yield return new Breach(
                        "answered as promised", subject,
                        $"{ask.Verb} ({ask.RequestId}) is not answered in the calm either");
                    break;
                case Verdict.Refused when events.Count > 0:
                    yield return new Breach(
                        "every request once", subject,
                        $"{ask.Verb} ({ask.RequestId}) was refused, and yet: {events[0]}");
                    break;
                case Verdict.Acknowledged when events.Count > 1:
                    yield return new Breach(
                        "every request once", subject,
                        $"{ask.Verb} ({ask.RequestId}) took effect {events.Count} times: {string.Join("; ", events)}");
                    break;
                case Verdict.Acknowledged when events.Count == 0 && !MayChangeNothing(ask):
                    yield return new Breach(
                        "every request once", subject,
                        $"{ask.Verb} ({ask.RequestId}) was acknowledged, and no event tells of it");
                    break;
                case Verdict.Acknowledged when events.Count == 1 && events[0].ResourceVersion != VersionOf(ask.Answer!):
                    yield return new Breach(
                        "every request once", subject,
                        $"{ask.Verb} ({ask.RequestId}) answered etag {ask.Answer!.Etag} and made {events[0]}");
                    break;
            }
        }
    }

    /// <summary>The last acknowledged request of each installation is what it has become.</summary>
    public static IEnumerable<Breach> Kept(
        IReadOnlyCollection<Ask> asks, IReadOnlyList<Installation> all)
    {
        var byName = all.ToDictionary(i => i.Name);
        var answered = asks.Where(ask => ask.Verdict is Verdict.Acknowledged).GroupBy(ask => ask.Installation!);
        foreach (var group in answered)
        {
            if (!byName.TryGetValue(group.Key, out var now))
            {
                yield return new Breach("nothing is lost", group.Key, "was acknowledged and does not exist");
                continue;
            }

            // A deletion that changes nothing answers the row as it stands, at the version of somebody else's change.
            var last = group.OrderBy(ask => VersionOf(ask.Answer!)).ThenBy(ask => ask.Verb == Verbs.Delete).Last();
            var wanted = Becomes(last);
            if (now.State != wanted)
            {
                yield return new Breach(
                    "nothing is lost", group.Key,
                    $"is {now.State} and should be {wanted} after {last.Verb} ({last.RequestId}); "
                    + $"waiting for '{now.Progress?.WaitingFor}', last error {now.Progress?.LastError}");
            }

            if (now.Version != last.Answer!.Version || now.Size != last.Answer.Size)
            {
                yield return new Breach(
                    "nothing is lost", group.Key,
                    $"has version {now.Version} and size {now.Size}; the last answer said {last.Answer.Version} and "
                    + last.Answer.Size);
            }
        }

        // Each creation makes one: a repeated one must not have made another of the same name.
        var byHost = all.Where(i => i.DnsNames.Count > 0).GroupBy(i => i.DnsNames[0]);
        foreach (var twins in byHost.Where(g => g.Count() > 1))
        {
            yield return new Breach(
                "every request once", twins.First().Name, $"there are {twins.Count()} of {twins.Key}");
        }
    }

    /// <summary>A request that was acknowledged once is answered the same ever after.</summary>
    public static async Task<IReadOnlyList<Breach>> RepeatedAsync(
        IReadOnlyCollection<Ask> asks, Desk desk, CancellationToken ct)
    {
        var breaches = new List<Breach>();
        foreach (var ask in asks.Where(ask => ask.Verdict is Verdict.Acknowledged))
        {
            var (verdict, again, status) = await desk.SendAsync(ask, ct);
            if (verdict is not Verdict.Acknowledged || !ask.Answer!.Equals(again))
            {
                breaches.Add(new Breach(
                    "the same answer", ask.Installation!,
                    $"{ask.Verb} ({ask.RequestId}) answered {ask.Answer}, and repeated {verdict} {again}{status}"));
            }
        }

        return breaches;
    }

    private static bool MayChangeNothing(Ask ask) => ask.Verb switch
    {
        Verbs.Update => true,
        Verbs.Delete => ask.Answer!.State.StartsWith("delet", StringComparison.Ordinal),
        _ => false,
    };

    private static string Becomes(Ask last) => last.Verb switch
    {
        Verbs.Hibernate => "hibernating",
        Verbs.Delete => last.Answer!.State.StartsWith("deletion-pending", StringComparison.Ordinal)
            && last.PendingTime > LastsBeyondTheRun
            ? "deletion-pending"
            : "deleted",
        Verbs.Retry => last.Answer!.State.StartsWith("deletion", StringComparison.Ordinal) ? "deleted" : "stable",
        _ => "stable",
    };

    private static long VersionOf(Installation installation) =>
        long.Parse(installation.Etag, CultureInfo.InvariantCulture);
}
