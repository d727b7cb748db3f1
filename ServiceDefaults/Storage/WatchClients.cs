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
public sealed class WatchClients(WatchOptions options, StorageMeter meter, TimeProvider time)
{
    private static readonly TimeSpan RetryAfter = TimeSpan.FromSeconds(10);

    private int _open;

    /// <summary>One more; dispose it when its stream ends.</summary>
    /// <exception cref="ProblemException"><c>WATCHES_TOO_MANY</c> (ResourceExhausted).</exception>
    public WatchClient Enter(string resourceType)
    {
        if (Interlocked.Increment(ref _open) > options.StreamsMax)
        {
            Interlocked.Decrement(ref _open);
            throw Problem.Exhausted(
                ErrorReason.WatchesTooMany,
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"This process serves {options.StreamsMax} streams already: try another replica, or later."),
                retryAfter: RetryAfter);
        }

        meter.WatchOpened(resourceType);
        return new WatchClient(options.SendWithin, time, () => Leave(resourceType));
    }

    private void Leave(string resourceType)
    {
        Interlocked.Decrement(ref _open);
        meter.WatchClosed(resourceType);
    }
}

/// <summary>One client of a Watch stream.</summary>
public sealed class WatchClient : IDisposable
{
    private readonly TimeSpan _sendWithin;
    private readonly TimeProvider _time;
    private Action? _leave;

    internal WatchClient(TimeSpan sendWithin, TimeProvider time, Action leave) =>
        (_sendWithin, _time, _leave) = (sendWithin, time, leave);

    /// <summary>Sends a message and waits until the client has taken it, but not for longer than
    /// <see cref="WatchOptions.SendWithin"/>. Nothing is queued for it meanwhile.</summary>
    /// <param name="send">Writes the message. It gets no token: one that fires while gRPC writes, as that of a stop
    /// does, resets the whole stream, and the client never hears why it ended.</param>
    /// <param name="ct">Ends the waiting.</param>
    /// <exception cref="ProblemException"><c>WATCHER_TOO_SLOW</c> (ResourceExhausted).</exception>
    public async Task SendAsync(Func<Task> send, CancellationToken ct)
    {
        ct.ThrowIfCancellationRequested();
        var sending = send();
        if (sending.IsCompletedSuccessfully)
        {
            return;
        }

        try
        {
            await sending.WaitAsync(_sendWithin, _time, ct);
        }
        catch (TimeoutException)
        {
            throw Problem.Exhausted(
                ErrorReason.WatcherTooSlow,
                $"A message was not taken within {_sendWithin}: resume with the newest token, and read faster.");
        }
    }

    /// <inheritdoc/>
    public void Dispose() => Interlocked.Exchange(ref _leave, null)?.Invoke();
}
