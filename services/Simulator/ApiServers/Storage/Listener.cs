namespace Cloud.Simulator.ApiServers.Storage;

/// <summary>One in this process that is told the changes of a kind; disposed, it is told no more.</summary>
internal sealed class Listener(Action<Change> hear, Action<Listener> leave) : IDisposable
{
    public void Hear(Change change) => hear(change);

    public void Dispose() => leave(this);
}
