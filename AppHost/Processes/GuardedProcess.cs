using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;

namespace Cloud.Processes;

/// <summary>
/// A child process that ends with its parent, however the parent ends.
/// <para>Guarantees: the child runs in a session of its own, so that Ctrl+C in a terminal reaches only the parent,
/// which then decides the order of stopping. A guard (one <c>sh</c> blocked on reading a pipe from the parent) sees
/// the pipe close when the parent is gone, even by <c>kill -9</c>, and ends the child's whole process group: first
/// politely, then by force. What the child itself started ends with it, unless it left the group.</para>
/// <para>Failures: a parent killed in the instant between starting the child and starting its guard leaves the child
/// behind. Killing the guard and the parent together does too. Without the <c>setsid</c> program (macOS) the child
/// shares the parent's session, and only the child itself is ended, not what it started.</para>
/// </summary>
public sealed class GuardedProcess : IAsyncDisposable
{
    private static readonly string? SetSid = ProgramPath.Find("setsid");

    // Reads one line: "done" from a parent whose child has ended, end-of-file from a parent that is no more.
    private const string GuardScript =
        """
        read -r line && exit 0
        kill -s "$2" -- "$1" 2>/dev/null
        left=$3
        while kill -s 0 -- "$1" 2>/dev/null && [ "$left" -gt 0 ]; do sleep 0.1; left=$((left - 1)); done
        kill -s KILL -- "$1" 2>/dev/null
        [ -z "$4" ] || rm -rf -- "$4"
        """;

    private readonly Process _process;
    private readonly Process _guard;
    private readonly ProgramStart _start;
    private readonly Task<int> _exited;

    private GuardedProcess(Process process, Process guard, ProgramStart start, Task pumps)
    {
        _process = process;
        _guard = guard;
        _start = start;
        Id = process.Id;
        _exited = WaitAsync(pumps);
    }

    /// <summary>The process id; also the id of its process group.</summary>
    public int Id { get; }

    /// <summary>Completes with the exit code (128 + signal for a killed program) after the last output was
    /// written.</summary>
    public Task<int> Exited => _exited;

    /// <summary>Starts the program.</summary>
    /// <param name="start">What to start.</param>
    /// <param name="output">Receives standard output and error as they come; null lets the child write to ours.</param>
    /// <exception cref="System.ComponentModel.Win32Exception">The program does not exist or may not be run.</exception>
    public static GuardedProcess Start(ProgramStart start, Stream? output)
    {
        var process = Launch(start.Program, start.Arguments, start, output is not null);
        process.StandardInput.Close();
        var target = SetSid is null ? process.Id : -process.Id;
        var guard = Launch(
            "/bin/sh",
            ["-c", GuardScript, "guard", target.ToString(CultureInfo.InvariantCulture), NameOf(start.StopSignal),
                Tenths(start.StopWithin), start.RemoveWhenOrphaned ?? ""],
            new ProgramStart("/bin/sh") { WorkingDirectory = "/" },
            redirectOutput: false);
        var pumps = output is null ? Task.CompletedTask : PumpAsync(process, output);
        return new GuardedProcess(process, guard, start, pumps);
    }

    /// <summary>Sends a signal to the program alone. A program that has ended is left alone.</summary>
    public void Send(Signal signal)
    {
        if (!_exited.IsCompleted && !_process.HasExited)
        {
            _ = SendSignal(Id, (int)signal);
        }
    }

    /// <summary>Asks the program to end, kills it when it does not within its time, and returns when it is
    /// gone.</summary>
    public async Task<int> StopAsync()
    {
        Send(_start.StopSignal);
        try
        {
            return await _exited.WaitAsync(_start.StopWithin, TimeProvider.System);
        }
        catch (TimeoutException)
        {
            KillGroup();
            return await _exited;
        }
    }

    public async ValueTask DisposeAsync()
    {
        KillGroup();
        await _exited;
        _process.Dispose();
    }

    private static Process Launch(
        string program, IReadOnlyList<string> arguments, ProgramStart start, bool redirectOutput)
    {
        var how = new ProcessStartInfo(SetSid ?? program)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = redirectOutput,
            RedirectStandardError = redirectOutput,
            WorkingDirectory = start.WorkingDirectory ?? "",
        };
        if (SetSid is not null)
        {
            how.ArgumentList.Add(ProgramPath.Find(program) ?? program);
        }

        foreach (var argument in arguments)
        {
            how.ArgumentList.Add(argument);
        }

        foreach (var (name, value) in start.Environment)
        {
            how.Environment[name] = value;
        }

        return Process.Start(how)
            ?? throw new InvalidOperationException($"The system did not start {program}.");
    }

    private static async Task PumpAsync(Process process, Stream output)
    {
        using var turn = new SemaphoreSlim(1);
        await Task.WhenAll(
            CopyAsync(process.StandardOutput.BaseStream), CopyAsync(process.StandardError.BaseStream));

        async Task CopyAsync(Stream from)
        {
            var buffer = new byte[16 * 1024];
            while (await from.ReadAsync(buffer) is var count and > 0)
            {
                await turn.WaitAsync();
                try
                {
                    await output.WriteAsync(buffer.AsMemory(0, count));
                    await output.FlushAsync();
                }
                finally
                {
                    turn.Release();
                }
            }
        }
    }

    private async Task<int> WaitAsync(Task pumps)
    {
        await _process.WaitForExitAsync();
        var exitCode = _process.ExitCode;
        KillLeftovers();
        await pumps;
        await ReleaseGuardAsync();
        return exitCode;
    }

    private async Task ReleaseGuardAsync()
    {
        try
        {
            await _guard.StandardInput.WriteLineAsync("done");
            _guard.StandardInput.Close();
        }
        catch (IOException)
        {
            // Somebody killed the guard; there is nothing left for it to guard.
        }

        await _guard.WaitForExitAsync();
        _guard.Dispose();
    }

    private void KillGroup()
    {
        if (!_exited.IsCompleted && !_process.HasExited)
        {
            _ = SendSignal(SetSid is null ? Id : -Id, (int)Signal.Kill);
        }
    }

    // A pipe stays open while any descendant holds it, so descendants must go before the output is read to its end.
    private void KillLeftovers()
    {
        if (SetSid is not null)
        {
            _ = SendSignal(-Id, (int)Signal.Kill);
        }
    }

    private static string Tenths(TimeSpan time) =>
        ((int)(time.TotalMilliseconds / 100)).ToString(CultureInfo.InvariantCulture);

    private static string NameOf(Signal signal) => signal switch
    {
        Signal.Interrupt => "INT",
        Signal.Quit => "QUIT",
        Signal.Kill => "KILL",
        Signal.Terminate => "TERM",
    };

    [DllImport("libc", EntryPoint = "kill", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int SendSignal(int processId, int signal);
}
