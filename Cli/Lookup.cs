using Cloud.Protos.Installation.V1;

namespace Cloud.Cli;

/// <summary>Finds the workspace a person means.</summary>
internal static class Lookup
{
    private const string Prefix = "installations/";
    private const int IdLength = 26;

    /// <summary>
    /// By resource name, id, host name or its first label. A live workspace wins over deleted ones that had the name
    /// before; of those the newest is meant. Of several live ones none is.
    /// </summary>
    public static async Task<Installation> InstallationAsync(Session session, string words, CancellationToken ct)
    {
        if (words.StartsWith(Prefix, StringComparison.Ordinal))
        {
            return await session.Installations.GetInstallationAsync(new() { Name = words }, cancellationToken: ct);
        }

        // The service takes an empty name for any, and a deletion would then mean the newest of all.
        if (words.Trim().TrimEnd('.').Length == 0)
        {
            throw new Refusal(ExitCode.Usage, "The workspace has no name. Is a variable not set?");
        }

        foreach (var showDeleted in new[] { false, true })
        {
            var found = await NamedAsync(session, words, showDeleted, ct);
            if (found.Count > 1 && !showDeleted)
            {
                throw new Refusal(
                    ExitCode.Usage,
                    $"\"{words}\" may be {string.Join(" or ", found.Select(i => i.DnsNames[0]))}: say which.");
            }

            if (found.Count > 0)
            {
                return found[^1];
            }
        }

        if (words.Length == IdLength && words.All(char.IsAsciiLetterOrDigit))
        {
            return await session.Installations.GetInstallationAsync(
                new() { Name = Prefix + words }, cancellationToken: ct);
        }

        throw new Refusal(
            ExitCode.NotFound, $"There is no workspace \"{words}\".", "`./cloud list` shows those there are.");
    }

    private static Task<List<Installation>> NamedAsync(
        Session session, string words, bool showDeleted, CancellationToken ct)
    {
        var filter = new InstallationFilter { DnsName = words.ToLowerInvariant(), ShowDeleted = showDeleted };
        return Pages.ReadAsync(
            (size, token) => session.Installations.ListInstallationsAsync(
                new() { Filter = filter, PageSize = size, PageToken = token }, cancellationToken: ct),
            page => (page.Installations, page.NextPageToken));
    }
}
