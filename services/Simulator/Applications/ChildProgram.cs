using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Cloud.Simulator.Controllers;

namespace Cloud.Simulator.Applications;

/// <summary>
/// A real program in place of an image: started as a child process with the pod's environment and a kubeconfig of its
/// cluster, stopped with the pod.
/// </summary>
/// <remarks>
/// Pods have their own network, this machine has one: the program is told to listen on a free loopback port through
/// the variable that ASP.NET reads, and is ready when <c>/readyz</c> answers there with success, or, without a
/// readiness probe in its pod, as soon as it lives. It never outlives the simulator (<see cref="ProcessGuard"/>).
/// </remarks>
internal sealed class ChildProgram(string path, RuntimeSettings settings, TimeProvider clock, ILogger logger)
    : IContainerProgram
{
    /// <summary>How much of its output a program that ended has in its termination message.</summary>
    private const int MessageLength = 2048;

    private static readonly TimeSpan StopGrace = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan ProbeEvery = TimeSpan.FromMilliseconds(200);
    private static readonly HttpClient Prober = new() { Timeout = TimeSpan.FromSeconds(2) };

    public bool DiesWithSimulator => true;

    public async Task<ContainerExit> RunAsync(ContainerStart start, Action ready, CancellationToken stop)
    {
        await Task.Yield();
        var port = FreePort();
        using var process = new Process { StartInfo = Describe(start, port) };
        logger.LogInformation("Starting {Program} for pod {Namespace}/{Pod} of {Cluster}",
            path, start.Pod.Namespace(), start.Pod.Name(), start.ClusterName);
        process.Start();
        using var guard = new ProcessGuard(process);
        var log = new ProgramLog(LogPath(start));
        await using var _ = log.ConfigureAwait(false);
        var output = Task.WhenAll(log.CopyAsync(process.StandardOutput), log.CopyAsync(process.StandardError));
        using var over = CancellationTokenSource.CreateLinkedTokenSource(stop);
        var readiness = ProbeAsync(start, port, ready, over.Token);
        try
        {
            await process.WaitForExitAsync(stop);
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            await EndAsync(process);
        }
        await over.CancelAsync();
        await readiness;
        await output;
        return new ContainerExit(process.ExitCode, log.Last(MessageLength));
    }

    private ProcessStartInfo Describe(ContainerStart start, int port)
    {
        var isAssembly = path.EndsWith(".dll", StringComparison.Ordinal);
        var info = new ProcessStartInfo(isAssembly ? DotnetPath() : path)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = Path.GetDirectoryName(Path.GetFullPath(path)),
        };
        if (isAssembly)
        {
            info.ArgumentList.Add("exec");
            info.ArgumentList.Add(Path.GetFullPath(path));
        }
        foreach (var argument in start.Container.Texts("args")) info.ArgumentList.Add(argument);
        // The simulator's own settings are not the program's.
        foreach (var name in info.Environment.Keys.ToList())
        {
            if (IsOurs(name)) info.Environment.Remove(name);
        }
        foreach (var (name, value) in start.Environment) info.Environment[name] = value;
        var url = string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{port}");
        info.Environment["ASPNETCORE_URLS"] = url;
        info.Environment["KUBECONFIG"] = settings.KubeconfigPath(start.ClusterName);
        info.Environment["POD_NAME"] = start.Pod.Name();
        info.Environment["POD_NAMESPACE"] = start.Pod.Namespace();
        return info;
    }

    private static bool IsOurs(string name) =>
        name.StartsWith("Simulator__", StringComparison.Ordinal)
        || name.StartsWith("Kestrel__", StringComparison.Ordinal)
        || name.StartsWith("ASPNETCORE_", StringComparison.Ordinal)
        || name.StartsWith("ConnectionStrings__", StringComparison.Ordinal) || name == "OTEL_SERVICE_NAME";

    private async Task ProbeAsync(ContainerStart start, int port, Action ready, CancellationToken over)
    {
        try
        {
            if (start.Container["readinessProbe"] is not null)
            {
                while (!await AnswersAsync(port, over)) await Task.Delay(ProbeEvery, clock, over);
            }
            ready();
        }
        catch (OperationCanceledException) when (over.IsCancellationRequested)
        {
            // It ended before it was ready.
        }
    }

    private static async Task<bool> AnswersAsync(int port, CancellationToken ct)
    {
        try
        {
            using var answer = await Prober.GetAsync(new Uri($"http://127.0.0.1:{port}/readyz"), ct);
            return answer.IsSuccessStatusCode;
        }
        catch (HttpRequestException)
        {
            return false;
        }
        catch (TaskCanceledException) when (!ct.IsCancellationRequested)
        {
            return false;
        }
    }

    private async Task EndAsync(Process process)
    {
        using var grace = new CancellationTokenSource(StopGrace, clock);
        try
        {
            SendTerm(process);
            await process.WaitForExitAsync(grace.Token);
        }
        catch (OperationCanceledException)
        {
            logger.LogWarning("{Program} did not end within {Grace}; killing it", path, StopGrace);
            process.Kill(entireProcessTree: true);
            using var last = new CancellationTokenSource(StopGrace, clock);
            await process.WaitForExitAsync(last.Token);
        }
    }

    // .NET itself only knows SIGKILL.
    private static void SendTerm(Process process)
    {
        if (process.HasExited) return;
        var kill = new ProcessStartInfo("/bin/kill");
        kill.ArgumentList.Add("-TERM");
        kill.ArgumentList.Add(process.Id.ToString(CultureInfo.InvariantCulture));
        using var sender = Process.Start(kill);
    }

    private string LogPath(ContainerStart start)
    {
        var name = $"{start.Pod.Namespace()}_{start.Pod.Name()}_{start.Container.Text("name")}.log";
        return Path.Combine(settings.ProgramsPath, start.ClusterName, name);
    }

    private static string DotnetPath() => Environment.ProcessPath is { } own
        && Path.GetFileNameWithoutExtension(own) == "dotnet" ? own : "dotnet";

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
