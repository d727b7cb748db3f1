using System.Globalization;

namespace Cloud.ServiceDefaults.Storage;

/// <summary>Limits of Watch streams.</summary>
public sealed class WatchOptions
{
    /// <summary>Streams open at once in this process. Default 1,000. One costs a query per change of its noun, and
    /// holds at most one batch of events.</summary>
    public int StreamsMax { get; set; } = 1000;

    /// <summary>How long a client may take to accept one message before its stream is ended. Default 30
    /// seconds.</summary>
    public TimeSpan SendWithin { get; set; } = TimeSpan.FromSeconds(30);
}

/// <summary>Counts the Watch streams of this process, shows them as <c>cloud.watch.clients</c> by resource type, and
/// refuses those beyond the limit.</summary>
public sealed class WatchClients(WatchOptions options, StorageMeter meter)
{
    private static readonly TimeSpan RetryAfter = TimeSpan.FromSeconds(10);

    private int _open;

    /// <summary>One more; dispose the result when it ends.</summary>
    /// <exception cref="ProblemException"><c>TOO_MANY_WATCHES</c> (ResourceExhausted).</exception>
    public IDisposable Enter(string resourceType)
    {
        if (Interlocked.Increment(ref _open) > options.StreamsMax)
        {
            Interlocked.Decrement(ref _open);
            throw Problem.Exhausted(
                "TOO_MANY_WATCHES",
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"This process serves {options.StreamsMax} streams already: try another replica, or later."),
                retryAfter: RetryAfter);
        }

        meter.WatchOpened(resourceType);
        return new Client(this, resourceType);
    }

    private void Leave(string resourceType)
    {
        Interlocked.Decrement(ref _open);
        meter.WatchClosed(resourceType);
    }

    private sealed class Client(WatchClients clients, string resourceType) : IDisposable
    {
        private int _left;

        public void Dispose()
        {
            if (Interlocked.Exchange(ref _left, 1) == 0)
            {
                clients.Leave(resourceType);
            }
        }
    }
}
