using System.Net;
using Cloud.Simulator.Applications;
using Cloud.Simulator.Controllers;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;

namespace Cloud.Simulator.Ingress;

/// <summary>
/// The one ingress of all simulated clusters: answers for every host that some Ingress names, as the workspace behind
/// it would; 404 for a host nobody names, 503 without a ready pod, and what the Ingress itself says where it does.
/// </summary>
internal sealed class IngressServer(
    RuntimeSettings settings, ApplicationStore store, TimeProvider clock, ILogger logger) : IAsyncDisposable
{
    private const string PingPath = "/api/v4/system/ping";
    private WebApplication? _app;
    private IReadOnlyList<IngressRoutes> _routes = [];

    /// <summary>Where it listens; after starting.</summary>
    public Uri Address { get; private set; } = settings.IngressUrl;

    public async Task StartAsync(IReadOnlyList<IngressRoutes> routes, CancellationToken ct)
    {
        _routes = routes;
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Listen(LoopbackOf(settings.IngressUrl), settings.IngressUrl.Port);
        });
        _app = builder.Build();
        _app.Run(AnswerOrExplainAsync);
        try
        {
            await _app.StartAsync(ct);
        }
        catch (IOException problem)
        {
            throw new InvalidOperationException(
                $"The ingress cannot listen at {settings.IngressUrl}: {problem.Message} " +
                "Free that port, or set Simulator:IngressUrl to another one.", problem);
        }
        var addresses = _app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>();
        Address = new Uri(addresses!.Addresses.First());
        logger.LogInformation("The ingress answers at {Address}", Address);
    }

    public async Task StopAsync(CancellationToken ct)
    {
        if (_app is not null) await _app.StopAsync(ct);
    }

    public async ValueTask DisposeAsync()
    {
        if (_app is not null) await _app.DisposeAsync();
    }

    // Loopback only: the pages show what only the person at this machine should see.
    private static IPAddress LoopbackOf(Uri url) =>
        url.HostNameType == UriHostNameType.IPv6 ? IPAddress.IPv6Loopback : IPAddress.Loopback;

    private async Task AnswerOrExplainAsync(HttpContext context)
    {
        try
        {
            await AnswerAsync(context);
        }
        catch (OperationCanceledException) when (context.RequestAborted.IsCancellationRequested)
        {
            // Nobody waits for the answer any more.
        }
        catch (Exception problem)
        {
            logger.LogError(problem, "Failed to answer for {Host}{Path}", context.Request.Host, context.Request.Path);
            if (!context.Response.HasStarted) context.Response.StatusCode = StatusCodes.Status500InternalServerError;
        }
    }

    private async Task AnswerAsync(HttpContext context)
    {
        var request = context.Request;
        var host = request.Host.Host.TrimEnd('.').ToLowerInvariant();
        var path = request.Path.HasValue ? request.Path.Value : "/";
        var isPing = path == PingPath;
        var asJson = isPing
            || request.Headers.Accept.Any(a => a!.Contains("application/json", StringComparison.Ordinal));
        var page = await PageForAsync(host, path, context.RequestAborted);
        context.Response.StatusCode = page.Status;
        context.Response.Headers.CacheControl = "no-store";
        context.Response.Headers["X-Content-Type-Options"] = "nosniff";
        context.Response.ContentType = asJson ? "application/json" : "text/html; charset=utf-8";
        if (page.Status == StatusCodes.Status503ServiceUnavailable) context.Response.Headers.RetryAfter = "1";
        var body = asJson ? page.Json(isPing) : page.Html();
        if (!HttpMethods.IsHead(request.Method)) await context.Response.WriteAsync(body, context.RequestAborted);
    }

    private async Task<WorkspacePage> PageForAsync(string host, string path, CancellationToken ct)
    {
        Route? route = null;
        foreach (var routes in _routes)
        {
            route = await routes.FindAsync(host, path, ct);
            if (route is not null) break;
        }
        var now = clock.GetUtcNow();
        if (route is null)
            return new WorkspacePage(404, host, "There is no workspace here",
                $"No Ingress is for the host {host}.", now);
        if (route.ReturnStatus is { } status)
            return new WorkspacePage(status, host, "This workspace is resting", route.ReturnMessage ?? "", now)
            {
                Route = route,
            };
        if (route.Pod is null)
            return new WorkspacePage(503, host, "This workspace is not available",
                "No pod of it is ready. It may be starting: try again in a moment.", now)
            {
                Route = route,
            };
        var source = route.Environment is { } environment ? DataSource.From(environment, out _) : null;
        var check = source is null ? null : await store.CheckAsync(source, ct);
        var isWell = check?.Problem is null;
        return new WorkspacePage(isWell ? 200 : 500, host,
            isWell ? "This workspace is running" : "The database does not answer", check?.Problem ?? "", now)
        {
            Route = route,
            Source = source,
            Check = check,
        };
    }
}
