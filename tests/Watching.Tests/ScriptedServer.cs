using System.Collections.Concurrent;
using System.Threading.Channels;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Cloud.Watching.Tests;

/// <summary>One request that reached the server.</summary>
public sealed record SeenRequest(string Method, string Path, IQueryCollection Query, string ContentType, string Body)
{
    public bool IsWatch => Query["watch"] == "true";
}

/// <summary>
/// An HTTP server that answers each request with the next step of a script. Where a script ends, watches stay open and
/// everything else is a 500, so that a test sees what it did not foresee.
/// </summary>
public sealed class ScriptedServer : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly ConcurrentQueue<Func<HttpContext, Task>> _script = new();
    private readonly Channel<SeenRequest> _seen = Channel.CreateUnbounded<SeenRequest>();

    private ScriptedServer(WebApplication app) => _app = app;

    public string Address => _app.Urls.First();

    public static async Task<ScriptedServer> Start()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Logging.ClearProviders();
        var server = new ScriptedServer(builder.Build());
        server._app.Run(server.Answer);
        await server._app.StartAsync(TestContext.Current.CancellationToken);
        return server;
    }

    public KubernetesApi Connect(TimeProvider? time = null, string path = "") => KubernetesClients.FromKubeconfig(
        $$$"""
        apiVersion: v1
        kind: Config
        current-context: c
        contexts: [{name: c, context: {cluster: c, user: u}}]
        clusters: [{name: c, cluster: {server: "{{{Address}}}{{{path}}}"}}]
        users: [{name: u, user: {token: secret}}]
        """, null, time ?? TimeProvider.System);

    public ScriptedServer Then(Func<HttpContext, Task> step)
    {
        _script.Enqueue(step);
        return this;
    }

    public ScriptedServer ThenJson(string body, int code = 200) => Then(context =>
    {
        context.Response.StatusCode = code;
        context.Response.ContentType = "application/json";
        return context.Response.WriteAsync(body);
    });

    public ScriptedServer ThenList(string version, string? next, params string[] items) => ThenJson(
        $$"""
        {"kind":"ConfigMapList","apiVersion":"v1","metadata":{"resourceVersion":"{{version}}","continue":"{{next}}"},
         "items":[{{string.Join(',', items)}}]}
        """);

    /// <summary>A watch that sends these lines and is then ended in order.</summary>
    public ScriptedServer ThenWatch(params string[] lines) => Then(context => Send(context, lines));

    /// <summary>A watch that sends these lines and stays open.</summary>
    public ScriptedServer ThenOpenWatch(params string[] lines) => Then(async context =>
    {
        await Send(context, lines);
        await Forever(context);
    });

    /// <summary>A watch whose connection is torn in the middle, at a time of the test's choice.</summary>
    public ScriptedServer ThenCutWatch(Task when, params string[] lines) => Then(async context =>
    {
        await Send(context, lines);
        await when;
        context.Abort();
    });

    public ScriptedServer ThenStatus(int code, string reason, string message) =>
        ThenJson(Status(code, reason, message), code);

    public ValueTask<SeenRequest> Next() => _seen.Reader.ReadAsync(TestContext.Current.CancellationToken);

    /// <summary>The next request that is a watch, skipping others.</summary>
    public async Task<SeenRequest> NextWatch()
    {
        while (true)
        {
            if (await Next() is { IsWatch: true } request)
            {
                return request;
            }
        }
    }

    public static string Status(int code, string reason, string message) =>
        $$"""{"kind":"Status","status":"Failure","reason":"{{reason}}","message":"{{message}}","code":{{code}}}""";

    public static string Event(string type, string item) => $$"""{"type":"{{type}}","object":{{item}}}""";

    public static string ConfigMap(string name, string version, string value = "x") =>
        $$$"""{"metadata":{"name":"{{{name}}}","namespace":"n","uid":"{{{name}}}","resourceVersion":"{{{version}}}"},"""
        + $$$""" "data":{"k":"{{{value}}}"}}""";

    public async ValueTask DisposeAsync()
    {
        using var deadline = new CancellationTokenSource(TimeSpan.FromMilliseconds(100));
        await _app.StopAsync(deadline.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await _app.DisposeAsync();
    }

    private async Task Answer(HttpContext context)
    {
        using var reader = new StreamReader(context.Request.Body);
        var body = await reader.ReadToEndAsync(context.RequestAborted);
        var request = new SeenRequest(
            context.Request.Method, context.Request.Path, context.Request.Query, context.Request.ContentType ?? "",
            body);
        _seen.Writer.TryWrite(request);
        if (_script.TryDequeue(out var step))
        {
            await step(context);
        }
        else if (request.IsWatch)
        {
            await Send(context, []);
            await Forever(context);
        }
        else
        {
            context.Response.StatusCode = 500;
        }
    }

    private static async Task Send(HttpContext context, string[] lines)
    {
        context.Response.ContentType = "application/json";
        await context.Response.StartAsync(context.RequestAborted);
        foreach (var line in lines)
        {
            await context.Response.WriteAsync(line + "\n", context.RequestAborted);
        }

        await context.Response.Body.FlushAsync(context.RequestAborted);
    }

    private static async Task Forever(HttpContext context)
    {
        var ended = new TaskCompletionSource();
        await using var registration = context.RequestAborted.Register(ended.SetResult);
        await ended.Task;
    }
}
