using System.ComponentModel;
using Aspire.Hosting.ApplicationModel;
using Cloud.Processes;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Logging;

namespace Aspire.Hosting.Running;

/// <summary>What a replica needs from the runner.</summary>
internal sealed record ReplicaContext(
    ResourceNotificationService Notifications,
    HealthCheckService Checks,
    ILogger Log,
    string LogDirectory,
    Action<string> GiveUp);

/// <summary>
/// Keeps one program of a resource running. A program with endpoints serves: whenever it ends it is started again,
/// after a pause that doubles with each quick failure. One without endpoints is a job: it runs once.
/// <para>A program that fails <see cref="AttemptsBeforeGivingUp"/> times before it was ever well, or says by its exit
/// code (78, EX_CONFIG) that it cannot work like this, will not get better by itself; the whole application is given
/// up then, with the end of the program's log.</para>
/// </summary>
internal sealed class Replica(
    IResource resource, string id, Func<string, int> targetPort, Action chooseAgain, ReplicaContext context)
{
    private const int AttemptsBeforeGivingUp = 3;
    private const int Misconfigured = 78;
    private const int LogLinesShown = 12;
    private const int LogLineShown = 800;
    private const long LogBytesKept = 10 * 1024 * 1024;
    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan LongLife = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan Settled = TimeSpan.FromSeconds(10);

    private GuardedProcess? _process;
    private bool _wasWell;

    public IResource Resource { get; } = resource;

    /// <summary>Whether connections may be sent here.</summary>
    public bool IsHealthy { get; private set; }

    public int TargetPort(string endpoint) => targetPort(endpoint);

    /// <summary>Runs until the token ends it; the program is gone when this returns.</summary>
    public async Task RunAsync(Task dependencies, CancellationToken stopping)
    {
        try
        {
            Publish(KnownResourceStates.Waiting);
            await dependencies;
            await KeepRunningAsync(stopping);
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            Publish(KnownResourceStates.Finished, exitCode: null);
        }
        catch (Exception e) when (e is Win32Exception or IOException or DistributedApplicationException)
        {
            Publish(KnownResourceStates.FailedToStart);
            context.GiveUp($"{id} cannot be started: {e.Message}");
        }
    }

    private async Task KeepRunningAsync(CancellationToken stopping)
    {
        var isJob = !Resource.Annotations.OfType<EndpointAnnotation>().Any();
        var failures = 0;
        while (true)
        {
            var started = TimeProvider.System.GetTimestamp();
            var exitCode = await RunOnceAsync(stopping);
            var lived = TimeProvider.System.GetElapsedTime(started);
            stopping.ThrowIfCancellationRequested();
            if (isJob)
            {
                Say(exitCode == 0
                    ? $"done ({lived.TotalSeconds:0.0} s)"
                    : $"failed: {Ending(exitCode)}; log: {LogPath}");
                Publish(KnownResourceStates.Finished, exitCode);
                return;
            }

            failures = lived > LongLife ? 1 : failures + 1;
            _wasWell |= lived > Settled;
            if (!_wasWell && (failures >= AttemptsBeforeGivingUp || exitCode == Misconfigured))
            {
                Publish(KnownResourceStates.FailedToStart, exitCode);
                context.GiveUp(
                    $"{id} does not start: {Ending(exitCode)}{(failures > 1 ? $", {failures} times" : "")}. "
                    + $"The end of {LogPath}:\n{await EndOfLogAsync()}");
                return;
            }

            chooseAgain();
            var pause = FirstPause * Math.Pow(2, Math.Min(failures - 1, 10));
            pause = pause > LongestPause ? LongestPause : pause;
            Publish(KnownResourceStates.Starting, exitCode);
            Say($"{Ending(exitCode)}; starting it again in {pause.TotalSeconds:0.#} s; log: {LogPath}");
            await Task.Delay(pause, TimeProvider.System, stopping);
        }
    }

    private async Task<int> RunOnceAsync(CancellationToken stopping)
    {
        var start = await Launch.OfAsync(Resource, id, targetPort, stopping);
        Publish(KnownResourceStates.Starting);
        await using var log = OpenLog();
        await using var process = GuardedProcess.Start(start, log);
        _process = process;
        Publish(KnownResourceStates.Running);
        var began = TimeProvider.System.GetTimestamp();
        using var probing = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        var probe = ProbeAsync(began, probing.Token);
        try
        {
            return await process.Exited.WaitAsync(stopping);
        }
        catch (OperationCanceledException)
        {
            Publish(KnownResourceStates.Stopping);
            await process.StopAsync();
            throw;
        }
        finally
        {
            IsHealthy = false;
            await probing.CancelAsync();
            await probe;
            _process = null;
        }
    }

    private async Task ProbeAsync(long began, CancellationToken cancellationToken)
    {
        try
        {
            await new HealthProbe(Resource, targetPort, context.Checks)
                .RunAsync(wrong => Report(wrong, began), cancellationToken);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // The program ended, or is about to.
        }
    }

    private void Report(string? wrong, long began)
    {
        // Where nothing can be asked, running is all there is to see, and proves little.
        var asked = Resource.Annotations.Any(a => a is HealthCheckAnnotation or HttpHealthAnnotation);
        if (wrong is null && asked)
        {
            var took = TimeProvider.System.GetElapsedTime(began);
            Say(_wasWell ? "well again" : $"ready ({took.TotalSeconds:0.0} s)");
        }
        else if (wrong is not null && IsHealthy)
        {
            Say($"not well: {wrong}");
        }

        IsHealthy = wrong is null;
        _wasWell |= IsHealthy && asked;
        Publish(KnownResourceStates.Running);
    }

    private void Publish(string state, int? exitCode = null)
    {
        var running = state == KnownResourceStates.Running;
        context.Notifications.Publish(new ResourceEvent(Resource, id, new CustomResourceSnapshot
        {
            State = state,
            ExitCode = exitCode,
            HealthStatus = running ? IsHealthy ? HealthStatus.Healthy : HealthStatus.Unhealthy : null,
            Properties = _process is { } process ? [new("executable.pid", process.Id)] : [],
            Urls = [.. Resource.Annotations.OfType<EndpointAnnotation>().SelectMany(UrlsOf)],
        }));
    }

    private IEnumerable<UrlSnapshot> UrlsOf(EndpointAnnotation endpoint)
    {
        yield return new(endpoint.Name, $"{endpoint.UriScheme}://127.0.0.1:{endpoint.AllocatedEndpoint!.Port}", false);
        yield return new(
            $"{endpoint.Name} target port", $"{endpoint.UriScheme}://127.0.0.1:{targetPort(endpoint.Name)}", true);
    }

    private void Say(string what) => context.Log.LogInformation("{Resource,-16} {What}", id, what);

    private static string Ending(int exitCode) => exitCode switch
    {
        128 + 9 => "killed",
        > 128 and < 160 => $"ended by signal {exitCode - 128}",
        _ => $"ended with code {exitCode}",
    };

    private string LogPath => Path.Combine(context.LogDirectory, $"{id}.log");

    private static string Shortened(string line) =>
        line.Length <= LogLineShown ? line : $"{line.AsSpan(0, LogLineShown)}...";

    private FileStream OpenLog()
    {
        Directory.CreateDirectory(context.LogDirectory);
        if (new FileInfo(LogPath) is { Exists: true, Length: > LogBytesKept })
        {
            File.Move(LogPath, $"{LogPath}.old", overwrite: true);
        }

        return new FileStream(LogPath, FileMode.Append, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete);
    }

    private async Task<string> EndOfLogAsync()
    {
        await using var file = new FileStream(LogPath, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        using var reader = new StreamReader(file);
        var lines = (await reader.ReadToEndAsync()).Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Where(line => !line.TrimStart().StartsWith("at ", StringComparison.Ordinal));
        return string.Join('\n', lines.TakeLast(LogLinesShown).Select(line => $"    {Shortened(line)}"));
    }
}
