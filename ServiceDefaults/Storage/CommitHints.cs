namespace Cloud.ServiceDefaults.Storage;

/// <summary>
/// "Something is about to be committed": said to all replicas before a commit, so that they look a moment later for
/// what its process leaves behind if it dies before it has told anybody: events without a number, rows that are due and
/// that nobody was nudged about. Without it the slow sweeps would find them. Said at most once per
/// <see cref="SaidEvery"/>, and silent at rest: it costs one small message a second while there is work, and nothing in
/// PostgreSQL. (NOTIFY in the transaction would say it more exactly, but makes commits wait for each other.)
/// <para>Guarantee: while Redis is there, whatever was committed is looked for within <see cref="LookAfter"/> of its
/// hint, hence later than its commit, unless that took longer than a second. A lost hint costs the sweep.</para>
/// </summary>
public sealed class CommitHints(ServiceIdentity service, INudges nudges, TimeProvider time)
{
    /// <summary>How long a hint stands for the commits that follow it in the same process.</summary>
    public static readonly TimeSpan SaidEvery = TimeSpan.FromSeconds(1);

    /// <summary>How long after a hint its hearers look.</summary>
    public static readonly TimeSpan LookAfter = TimeSpan.FromSeconds(2);

    private readonly string _noun = "commit-" + service.Name;
    private readonly Lock _gate = new();
    private DateTimeOffset _saidAt;
    private DateTimeOffset _heardAt;

    /// <summary>When to look for what was left behind by those who gave a hint so far; in the past when that was
    /// done.</summary>
    public DateTimeOffset LookAt
    {
        get
        {
            lock (_gate)
            {
                return _heardAt + LookAfter;
            }
        }
    }

    /// <summary>Says that a commit follows at once.</summary>
    public async Task SayAsync(CancellationToken ct)
    {
        var now = time.GetUtcNow();
        lock (_gate)
        {
            if (now - _saidAt < SaidEvery)
            {
                return;
            }

            _saidAt = now;
        }

        await nudges.SendAsync(new Nudge(_noun, ""), ct);
    }

    /// <summary>Calls back on every hint, with <see cref="LookAt"/> set; until disposed.</summary>
    public IDisposable Subscribe(Action heard) => nudges.Subscribe(_noun, _ =>
    {
        lock (_gate)
        {
            _heardAt = time.GetUtcNow();
        }

        heard();
    });
}
