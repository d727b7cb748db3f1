using Grpc.Core;
using Microsoft.Extensions.Logging;

namespace Cloud.ServiceDefaults.Supervision;

/// <summary>How a loop bears what it cannot change, such as PostgreSQL away or refusing: it pauses, doubling up to a
/// limit, says so once in the log and as long as it lasts in the health, and says when it goes on. Trouble that is
/// back before the longest pause has passed is the same trouble: the doubling goes on where it was, so that work of
/// which only the first part succeeds does not spin. Whatever the trouble, it never ends the process: the other loops
/// may be well.</summary>
internal sealed class LoopPause(
    string loop, TimeSpan first, TimeSpan longest, LoopHealth health, TimeProvider time, ILogger logger)
{
    private readonly Lock _gate = new();
    private bool _troubled;
    private TimeSpan _pause;
    private DateTimeOffset _since;
    private DateTimeOffset _endedAt;

    /// <summary>Until when the loop pauses; in the past when it does not.</summary>
    public DateTimeOffset Until { get; private set; }

    /// <summary>Whether the loop pauses now.</summary>
    public bool IsActive => Until > time.GetUtcNow();

    /// <summary>Something failed: pause, longer than the last time. While it pauses already, nothing changes.</summary>
    /// <returns>How long from now.</returns>
    public TimeSpan Begin(Exception reason)
    {
        var now = time.GetUtcNow();
        lock (_gate)
        {
            if (Until > now)
            {
                return Until - now;
            }

            if (!_troubled)
            {
                _troubled = true;
                _since = now;
                _pause = now - _endedAt < longest ? _pause : TimeSpan.Zero;
                Log(reason);
            }

            _pause = _pause == TimeSpan.Zero ? first : _pause * 2 < longest ? _pause * 2 : longest;
            Until = now + _pause;
            health.Pauses(new PausedLoop(loop, _since, DatabaseTrouble.Words(reason)));
            return _pause;
        }
    }

    /// <summary>It works. The next trouble begins with a short pause again, unless it comes soon.</summary>
    /// <returns>Whether it had paused.</returns>
    public bool End() => EndAt(DateTimeOffset.MaxValue);

    /// <summary>As <see cref="End"/>, unless work that runs beside the loop has begun a pause meanwhile.</summary>
    public bool EndIfOver() => EndAt(time.GetUtcNow());

    private bool EndAt(DateTimeOffset latest)
    {
        lock (_gate)
        {
            if (!_troubled || Until > latest)
            {
                return false;
            }

            _troubled = false;
            _endedAt = time.GetUtcNow();
            logger.LogInformation("Resuming {Loop} after {Trouble:0} s", loop, (_endedAt - _since).TotalSeconds);
            Until = default;
            health.Runs(loop);
            return true;
        }
    }

    private void Log(Exception reason)
    {
        if (reason is RpcException || DatabaseTrouble.EndsByItself(reason))
        {
            logger.LogWarning("Pausing {Loop} until it works: {Reason}", loop, DatabaseTrouble.Words(reason));
        }
        else
        {
            logger.LogError(reason, "Pausing {Loop} until it works", loop);
        }
    }
}
