namespace Cloud.TestHost;

/// <summary>Runs a journey once unharmed to learn the places it passes, then once per place with a crash there. It
/// works for every noun: the journey starts the service with the given checkpoints, asks for something, and drives it
/// to rest, starting a fresh process when <see cref="FaultPoints.Crashed"/> has ended; it asserts on what came of
/// it.</summary>
public static class CrashAnywhere
{
    /// <summary>Runs it.</summary>
    /// <param name="journey">Builds its own world every time.</param>
    /// <returns>The places covered, for the test's output.</returns>
    public static async Task<IReadOnlyList<string>> RunAsync(
        Func<FaultPoints, CancellationToken, Task> journey, CancellationToken ct)
    {
        var unharmed = new FaultPoints();
        await journey(unharmed, ct);
        var places = unharmed.Passed;
        for (var pass = 1; pass <= places.Count; pass++)
        {
            var faults = new FaultPoints();
            faults.CrashAt(pass);
            try
            {
                await journey(faults, ct);
            }
            catch (Exception e)
            {
                throw new InvalidOperationException(
                    $"Crashed at pass {pass} of {places.Count}, {places[pass - 1]}: no recovery: {e.Message}", e);
            }
        }

        return places;
    }
}
