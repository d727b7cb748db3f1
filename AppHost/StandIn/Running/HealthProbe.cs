using Aspire.Hosting.ApplicationModel;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Aspire.Hosting.Running;

/// <summary>Asks one replica how it is: often until it is well for the first time, seldom afterwards.</summary>
internal sealed class HealthProbe(IResource resource, Func<string, int> targetPort, HealthCheckService checks)
{
    private static readonly HttpClient Http = new(
        new SocketsHttpHandler { PooledConnectionLifetime = TimeSpan.FromMinutes(1) })
    {
        Timeout = TimeSpan.FromSeconds(5),
    };

    private static readonly TimeSpan WhileStarting = TimeSpan.FromMilliseconds(150);
    private static readonly TimeSpan WhileIll = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan WhileWell = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan StartingTakes = TimeSpan.FromSeconds(30);

    /// <summary>Reports null (well) or what is wrong, first at once, then at every change. Ends with the
    /// token.</summary>
    public async Task RunAsync(Action<string?> report, CancellationToken cancellationToken)
    {
        var clock = TimeProvider.System;
        var started = clock.GetTimestamp();
        var wasWell = false;
        string? before = "starting";
        while (true)
        {
            var wrong = await AskAsync(cancellationToken);
            if (wrong != before)
            {
                report(wrong);
            }

            before = wrong;
            wasWell |= wrong is null;
            var pause = wrong is null ? WhileWell
                : !wasWell && clock.GetElapsedTime(started) < StartingTakes ? WhileStarting : WhileIll;
            await Task.Delay(pause, clock, cancellationToken);
        }
    }

    private async Task<string?> AskAsync(CancellationToken cancellationToken)
    {
        foreach (var http in resource.Annotations.OfType<HttpHealthAnnotation>())
        {
            if (await AskHttpAsync(http, cancellationToken) is { } wrong)
            {
                return wrong;
            }
        }

        foreach (var check in resource.Annotations.OfType<HealthCheckAnnotation>())
        {
            var report = await checks.CheckHealthAsync(registered => registered.Name == check.Key, cancellationToken);
            if (report.Status != HealthStatus.Healthy)
            {
                return report.Entries.Values.Select(e => e.Description ?? e.Exception?.Message).FirstOrDefault()
                    ?? report.Status.ToString();
            }
        }

        return null;
    }

    private async Task<string?> AskHttpAsync(HttpHealthAnnotation http, CancellationToken cancellationToken)
    {
        var endpoint = http.EndpointName ?? resource.Annotations.OfType<EndpointAnnotation>().First().Name;
        try
        {
            using var answer = await Http.GetAsync(
                new Uri($"http://127.0.0.1:{targetPort(endpoint)}{http.Path}"), cancellationToken);
            return (int)answer.StatusCode == http.StatusCode ? null : $"{http.Path} answers {(int)answer.StatusCode}";
        }
        catch (HttpRequestException e)
        {
            return $"{http.Path} does not answer: {e.HttpRequestError}";
        }
        catch (TaskCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return $"{http.Path} does not answer in {Http.Timeout.TotalSeconds:0} s";
        }
    }
}
