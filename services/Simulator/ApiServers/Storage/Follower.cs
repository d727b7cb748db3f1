using System.Threading.Channels;

namespace Cloud.Simulator.ApiServers.Storage;

/// <summary>
/// One reader over HTTP of the changes of a kind, from a moment on, in order and without gaps.
/// </summary>
/// <remarks>
/// One that stays <see cref="Backlog"/> changes behind is cut off, as a real server does: its channel completes and
/// the client watches again. Who reads in process is a <see cref="Listener"/>, which is never cut off.
/// </remarks>
public sealed class Follower : IDisposable
{
    /// <summary>How many changes a reader may be behind.</summary>
    private const int Backlog = 10_000;

    private readonly Channel<Change> _channel =
        Channel.CreateBounded<Change>(new BoundedChannelOptions(Backlog) { SingleReader = true });

    private readonly string? _namespace;
    private readonly Action<Follower> _leave;

    internal Follower(string? ns, Action<Follower> leave)
    {
        _namespace = ns;
        _leave = leave;
    }

    /// <summary>The changes; completes when the reader was too slow.</summary>
    public ChannelReader<Change> Changes => _channel.Reader;

    /// <summary>Hands a change over; called under the store's gate, so in order.</summary>
    internal void Offer(Change change)
    {
        if (_namespace is not null && change.After.Namespace != _namespace) return;
        if (!_channel.Writer.TryWrite(change)) _channel.Writer.TryComplete();
    }

    /// <summary>Cuts the reader off; what it has not read yet it still gets.</summary>
    internal void Cut() => _channel.Writer.TryComplete(new FollowerCutException());

    public void Dispose()
    {
        _leave(this);
        _channel.Writer.TryComplete();
    }
}

/// <summary>A reader over HTTP was cut off on purpose: its connection is to break.</summary>
internal sealed class FollowerCutException : Exception;
