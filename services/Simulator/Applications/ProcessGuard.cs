using System.Diagnostics;

namespace Cloud.Simulator.Applications;

/// <summary>
/// Sees to it that a child process does not outlive this one, however this one ends.
/// </summary>
/// <remarks>
/// A shell waits for the end of its input, a pipe of which this process holds the only other end. When this process
/// dies, even by SIGKILL, the kernel closes the pipe and the shell ends the child: SIGTERM at once, SIGKILL after five
/// seconds. Disposing it lets the child go. (PR_SET_PDEATHSIG is no use: it follows the thread that forked.)
/// </remarks>
internal sealed class ProcessGuard : IDisposable
{
    private const string Script = """
        cat >/dev/null; kill -TERM "$0" 2>/dev/null
        for i in 1 2 3 4 5; do kill -0 "$0" 2>/dev/null || exit 0; sleep 1; done
        kill -KILL "$0" 2>/dev/null
        """;

    private readonly Process _shell;

    public ProcessGuard(Process child)
    {
        var start = new ProcessStartInfo("/bin/sh") { RedirectStandardInput = true };
        start.ArgumentList.Add("-c");
        start.ArgumentList.Add(Script);
        start.ArgumentList.Add(child.Id.ToString(System.Globalization.CultureInfo.InvariantCulture));
        _shell = Process.Start(start) ?? throw new InvalidOperationException("/bin/sh did not start");
    }

    public void Dispose()
    {
        // First the shell, then its pipe: closing the pipe would make it kill whoever has the child's number now.
        _shell.Kill();
        _shell.Dispose();
    }
}
