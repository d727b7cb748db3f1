using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Cloud.LocalPostgres;
using Cloud.Processes;
using Cloud.TestHost;
using Xunit;

namespace Cloud.AppHost.Tests;

/// <summary>The AppHost as a person starts it.</summary>
public sealed class AppHostProgramTests
{
    // A stretch of ports apart from those handed out as free, so that a world's fixed ports meet nobody.
    private const int Offset = 12_000;
    private const int InstallationPort = 7101;

    [Fact]
    public async Task A_fixed_port_in_use_is_named_with_its_holder_and_nothing_is_started()
    {
        using var state = new TemporaryDirectory();
        using var other = new TcpListener(IPAddress.Loopback, InstallationPort + Offset);
        other.Start();

        var (exitCode, output) = await RunAsync(state.Path);

        Assert.Equal(1, exitCode);
        Assert.Contains(
            $"Port {InstallationPort + Offset}, which installation needs, is in use", output, StringComparison.Ordinal);
        Assert.Contains($"by process {Environment.ProcessId}", output, StringComparison.Ordinal);
        Assert.Contains("CLOUD_PORT_OFFSET", output, StringComparison.Ordinal);
        Assert.False(Directory.Exists(Path.Combine(state.Path, "postgres")));
    }

    [Fact]
    public async Task A_second_AppHost_on_the_same_state_says_that_one_is_running()
    {
        using var state = new TemporaryDirectory();
        await using var held = new FileStream(
            Path.Combine(state.Path, "lock"), FileMode.Create, FileAccess.ReadWrite, FileShare.None);
        await File.WriteAllTextAsync(Path.Combine(state.Path, "pid"), "4321", TestContext.Current.CancellationToken);

        var (exitCode, output) = await RunAsync(state.Path);

        Assert.Equal(1, exitCode);
        Assert.Contains("running already (process 4321)", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Children_of_a_killed_parent_end_within_seconds()
    {
        var token = TestContext.Current.CancellationToken;
        using var state = new TemporaryDirectory();
        await using var parent = GuardedProcess.Start(
            new ProgramStart("dotnet", "exec", Path.Combine(AppContext.BaseDirectory, "Cloud.LocalPostgres.dll"))
            {
                Environment = new Dictionary<string, string?>
                {
                    ["Postgres__Directory"] = Path.Combine(state.Path, "postgres"),
                    ["Postgres__Port"] = Application.Text(PostgresProcess.FreePort()),
                    ["Postgres__Password"] = PostgresServer.Password,
                },
            },
            output: new MemoryStream());
        var lockFile = Path.Combine(state.Path, "postgres", "cluster", "postmaster.pid");
        using var child = Process.GetProcessById(await FirstLineAsync(lockFile, token));

        parent.Send(Signal.Kill);

        await child.WaitForExitAsync(token).WaitAsync(TimeSpan.FromSeconds(30), token);
    }

    private static async Task<(int ExitCode, string Output)> RunAsync(string state)
    {
        using var output = new MemoryStream();
        var program = Path.Combine(AppContext.BaseDirectory, "..", "..", "AppHost", "debug", "Cloud.AppHost.dll");
        await using var process = GuardedProcess.Start(
            new ProgramStart("dotnet", "exec", program)
            {
                Environment = new Dictionary<string, string?>
                {
                    ["CLOUD_STATE"] = state, ["CLOUD_PORT_OFFSET"] = Application.Text(Offset),
                },
            },
            output);
        var exitCode = await process.Exited.WaitAsync(TestContext.Current.CancellationToken);
        return (exitCode, System.Text.Encoding.UTF8.GetString(output.ToArray()));
    }

    /// <summary>The number in the first line of a file that another process is about to write.</summary>
    private static async Task<int> FirstLineAsync(string path, CancellationToken cancellationToken)
    {
        while (true)
        {
            var lines = File.Exists(path) ? await File.ReadAllLinesAsync(path, cancellationToken) : [];
            if (int.TryParse(lines.FirstOrDefault(), out var number))
            {
                return number;
            }

            await Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System, cancellationToken);
        }
    }
}
