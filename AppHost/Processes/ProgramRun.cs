using System.Diagnostics;

namespace Cloud.Processes;

/// <summary>Runs a short program to its end.</summary>
public static class ProgramRun
{
    /// <summary>Runs the program and gives back what it printed.</summary>
    /// <exception cref="ProgramFailedException">It could not be started or ended with another code than 0.</exception>
    public static async Task<string> RunAsync(ProgramStart start, CancellationToken cancellationToken)
    {
        var how = new ProcessStartInfo(start.Program, start.Arguments)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = start.WorkingDirectory ?? "",
        };
        foreach (var (name, value) in start.Environment)
        {
            how.Environment[name] = value;
        }

        using var process = StartProcess(how);
        process.StandardInput.Close();
        try
        {
            var output = process.StandardOutput.ReadToEndAsync(cancellationToken);
            var error = process.StandardError.ReadToEndAsync(cancellationToken);
            await process.WaitForExitAsync(cancellationToken);
            return process.ExitCode == 0
                ? await output
                : throw new ProgramFailedException(
                    $"{start.Program} ended with code {process.ExitCode}: {(await error + await output).Trim()}");
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            throw;
        }
    }

    private static Process StartProcess(ProcessStartInfo how)
    {
        try
        {
            return Process.Start(how) ?? throw new ProgramFailedException($"The system did not start {how.FileName}.");
        }
        catch (System.ComponentModel.Win32Exception e)
        {
            throw new ProgramFailedException($"{how.FileName} cannot be started: {e.Message}", e);
        }
    }
}

/// <summary>A program could not be run, or said that it failed.</summary>
public sealed class ProgramFailedException : Exception
{
    public ProgramFailedException(string message)
        : base(message)
    {
    }

    public ProgramFailedException(string message, Exception innerException)
        : base(message, innerException)
    {
    }
}
