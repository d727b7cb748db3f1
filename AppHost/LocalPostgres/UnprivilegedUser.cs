using Cloud.Processes;

namespace Cloud.LocalPostgres;

/// <summary>
/// Who runs PostgreSQL. It refuses to run as root, so root hands it to user <c>postgres</c> (or <c>nobody</c> where
/// that does not exist) through <c>setpriv</c>; everybody else runs it as they are.
/// </summary>
internal sealed class UnprivilegedUser
{
    private readonly string? _name;

    private UnprivilegedUser(string? name) => _name = name;

    public static async Task<UnprivilegedUser> ChooseAsync(CancellationToken cancellationToken)
    {
        if (!Environment.IsPrivilegedProcess || OperatingSystem.IsWindows())
        {
            return new UnprivilegedUser(null);
        }

        if (ProgramPath.Find("setpriv") is null)
        {
            throw new PostgresUnavailableException(
                "PostgreSQL refuses to run as root, and the program setpriv, with which root could hand it to another "
                + "user, is missing. Run as an ordinary user, or install setpriv (package util-linux).");
        }

        foreach (var candidate in new[] { "postgres", "nobody" })
        {
            try
            {
                await ProgramRun.RunAsync(new ProgramStart("id", "-u", candidate), cancellationToken);
                return new UnprivilegedUser(candidate);
            }
            catch (ProgramFailedException)
            {
                // No such user on this machine: the next one.
            }
        }

        throw new PostgresUnavailableException(
            "PostgreSQL refuses to run as root, and this machine has neither a user postgres nor nobody. Run as an "
            + "ordinary user, or add one: useradd --system postgres.");
    }

    /// <summary>The same program, run as the unprivileged user.</summary>
    public ProgramStart Run(string program, params IReadOnlyList<string> arguments) => _name is null
        ? new ProgramStart(program, arguments)
        : new ProgramStart(
            "setpriv", [$"--reuid={_name}", $"--regid={GroupArgument}", "--clear-groups", "--", program, .. arguments]);

    /// <summary>Makes the directory when missing, and the user its owner.</summary>
    public async Task OwnAsync(string directory, CancellationToken cancellationToken)
    {
        Directory.CreateDirectory(directory);
        if (_name is not null)
        {
            await ProgramRun.RunAsync(new ProgramStart("chown", "-R", $"{_name}:", directory), cancellationToken);
        }
    }

    /// <summary>Whether the user gets as far as the path: a directory under /root is closed to everybody
    /// else.</summary>
    public async Task<bool> ReachesAsync(string path, CancellationToken cancellationToken)
    {
        if (_name is null)
        {
            return true;
        }

        try
        {
            await ProgramRun.RunAsync(Run("/bin/sh", "-c", "test -r \"$0\"", path), cancellationToken);
            return true;
        }
        catch (ProgramFailedException)
        {
            return false;
        }
    }

    private string GroupArgument => _name == "nobody" ? "65534" : _name!;
}
