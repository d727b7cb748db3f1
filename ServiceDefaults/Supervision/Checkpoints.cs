namespace Cloud.ServiceDefaults.Supervision;

/// <summary>Named places between any two effects of the loop, the stores and the providers: before and after each
/// claim, save, commit, lease call and call to the outside. In production passing one does nothing. Tests register a
/// derived one that crashes, pauses or lets another worker go first there, which is how "crash anywhere" is shown for
/// every journey without changing it.</summary>
public class Checkpoints
{
    /// <summary>Called when work passes a place.</summary>
    /// <param name="place">Its name, for example <c>save.before</c>.</param>
    public virtual ValueTask PassAsync(string place, CancellationToken ct) => ValueTask.CompletedTask;
}
