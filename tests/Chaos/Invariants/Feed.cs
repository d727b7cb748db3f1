using Cloud.Chaos.Customers;
using Cloud.Chaos.World;

namespace Cloud.Chaos.Invariants;

/// <summary>The feed is the history of the rows: each service's outbox, whole and once, each resource's events in their
/// order and ending where its row stands. What a watch told is the same history.</summary>
internal static class Feed
{
    /// <summary>Codes that no failure may have: they mean a mistake in the code.</summary>
    private static readonly string[] NeverCodes = ["UNEXPECTED", "RULE_BROKEN"];

    /// <summary>Numbered without gaps, and each source's events in it as in its outbox.</summary>
    public static IEnumerable<Breach> Delivered(
        IReadOnlyList<EventRow> feed, IReadOnlyDictionary<string, IReadOnlyList<EventRow>> outboxes)
    {
        for (var i = 0; i < feed.Count; i++)
        {
            if (feed[i].Position != i + 1)
            {
                yield return new Breach("the feed has no gap", feed[i].Resource, $"position {i + 1} is {feed[i]}");
                break;
            }
        }

        foreach (var (source, outbox) in outboxes)
        {
            var delivered = feed.Where(e => e.Source == source).ToList();
            if (delivered.Count != outbox.Count)
            {
                yield return new Breach(
                    "the feed is whole", "",
                    $"{source} wrote {outbox.Count} events, and {delivered.Count} are in the feed");
            }

            for (var i = 0; i < Math.Min(delivered.Count, outbox.Count); i++)
            {
                var (there, here) = (delivered[i], outbox[i]);
                if (here.SourceSequence != i + 1 || there with { Position = 0 } != here with { Position = 0 })
                {
                    yield return new Breach(
                        "the feed is whole", here.Resource,
                        $"event {i + 1} of {source} is {here}, and in the feed {there}");
                    break;
                }
            }
        }
    }

    /// <summary>Each resource's events are one chain from its creation to the state of its row. What was only observed
    /// of a resource, a cluster's being reachable, is told without a new version of it.</summary>
    public static IEnumerable<Breach> Chains(IReadOnlyList<EventRow> feed, IReadOnlyList<Row> rows)
    {
        var byResource = feed.ToLookup(e => e.Resource);
        foreach (var row in rows)
        {
            var chain = byResource[row.Resource].ToList();
            if (chain.Count == 0 || chain[0].Type != "created")
            {
                yield return new Breach("events are the history", row.Resource, "does not begin with its creation");
                continue;
            }

            for (var i = 1; i < chain.Count; i++)
            {
                var (before, after) = (chain[i - 1], chain[i]);
                if (after.OldState != before.NewState || after.ResourceVersion < before.ResourceVersion)
                {
                    yield return new Breach(
                        "events are the history", row.Resource, $"{after} does not follow {before}");
                }
            }

            if (chain[^1].NewState != row.State)
            {
                yield return new Breach(
                    "events are the history", row.Resource, $"is {row.State}, and its last event is {chain[^1]}");
            }
        }
    }

    /// <summary>A watch that was resumed across everything told each change once, in order.</summary>
    public static IEnumerable<Breach> Watched(
        IReadOnlyCollection<Ask> asks, IReadOnlyList<EventRow> outbox, Watcher watcher)
    {
        if (watcher.StartedAnew > 0)
        {
            yield return new Breach("the watch goes on", "", $"it had to begin anew {watcher.StartedAnew} times");
            yield break;
        }

        var made = asks.Where(ask => ask.Verb == Verbs.Create).Select(ask => ask.Installation).OfType<string>();
        foreach (var name in made)
        {
            var written = outbox.Where(e => e.Resource == name).Select(e => e.ResourceVersion).ToList();
            var told = watcher.ChangesOf(name);
            if (!told.SequenceEqual(written))
            {
                yield return new Breach(
                    "the watch goes on", name,
                    $"versions written: {string.Join(' ', written)}; told: {string.Join(' ', told)}");
            }
        }
    }

    /// <summary>No failure that means a mistake in the code.</summary>
    public static IEnumerable<Breach> Mistakes(IReadOnlyList<EventRow> feed, IReadOnlyList<Row> rows) =>
        feed.Where(e => NeverCodes.Contains(e.ErrorCode))
            .Select(e => new Breach("no mistake in the code", e.Resource, e.ToString()))
            .Concat(rows.Where(row => NeverCodes.Contains(row.LastErrorCode))
                .Select(row => new Breach("no mistake in the code", row.Resource, row.ToString())));
}
