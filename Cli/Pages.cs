using Grpc.Core;

namespace Cloud.Cli;

/// <summary>Lists come in pages; people want all of one, or the first so many.</summary>
internal static class Pages
{
    private const int Largest = 1000;

    /// <param name="ask">asks for a page of at most so many, from this token on</param>
    /// <param name="read">what a page holds, and the token of the next one</param>
    /// <param name="limit">so many are enough: what <c>--limit</c> says, where a command has it</param>
    public static async Task<List<T>> ReadAsync<TPage, T>(
        Func<int, string, AsyncUnaryCall<TPage>> ask,
        Func<TPage, (IEnumerable<T> Items, string Next)> read,
        int limit = int.MaxValue)
    {
        if (limit < 1)
        {
            throw new Refusal(ExitCode.Usage, "--limit wants a number from 1 on.");
        }

        var found = new List<T>();
        var token = "";
        do
        {
            var (items, next) = read(await ask(Math.Min(limit - found.Count, Largest), token));
            found.AddRange(items);
            token = next;
        }
        while (token.Length > 0 && found.Count < limit);

        return found;
    }
}
