namespace Cloud.Watching;

/// <summary>Tasks that serve one purpose together and of which none may be missing.</summary>
public static class Siblings
{
    /// <summary>
    /// Runs the parts until all have ended. When one of them fails the others are cancelled, and its failure is thrown
    /// once they have ended: most parts never end by themselves, and whoever waited for all of them would not learn of
    /// the one that is missing.
    /// </summary>
    public static async Task Run(
        CancellationToken cancellation, params IEnumerable<Func<CancellationToken, Task>> parts)
    {
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        var token = ending.Token;
        var running = parts.Select(Begin).ToList();
        await foreach (var ended in Task.WhenEach(running))
        {
            if (!ended.IsCompletedSuccessfully)
            {
                await ending.CancelAsync();
            }
        }

        await Task.WhenAll(running);

        // Also a part that throws at once leaves its failure in its task.
        async Task Begin(Func<CancellationToken, Task> part) => await part(token);
    }
}
