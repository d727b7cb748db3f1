
namespace Cloud.ServiceDefaults.Storage;

/// <summary>Raised after every commit that wrote an event: wakes the numbering of the outbox.</summary>
public sealed class OutboxSignal(TimeProvider time) : IDisposable
{
    internal Pulse Written { get; } = new(time);

    /// <summary>Says that there is something to number.</summary>
    public void Raise() => Written.Raise();

    /// <inheritdoc/>
    public void Dispose() => Written.Dispose();
}
