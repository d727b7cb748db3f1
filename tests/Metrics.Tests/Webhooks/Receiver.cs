using System.Globalization;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;

namespace Cloud.Metrics.Tests.Webhooks;

/// <summary>What a receiver got.</summary>
internal sealed record Received(string Method, string Path, IReadOnlyDictionary<string, string> Headers, byte[] Body)
{
    public string Id => Headers["webhook-id"];

    public DateTimeOffset SentAt => DateTimeOffset.FromUnixTimeSeconds(
        long.Parse(Headers["webhook-timestamp"], CultureInfo.InvariantCulture));

    /// <summary>What its event is about.</summary>
    public string Resource => Field("resource");

    /// <summary>Its event's number in the feed.</summary>
    public long Sequence => long.Parse(Field("sequence"), CultureInfo.InvariantCulture);

    private string Field(string name)
    {
        using var body = JsonDocument.Parse(Body);
        return body.RootElement.GetProperty("data").GetProperty(name).GetString()!;
    }
}

/// <summary>A receiver of webhooks: a real HTTP server on a port of this machine.</summary>
internal sealed class Receiver : IAsyncDisposable
{
    private readonly Lock _guard = new();
    private readonly List<Received> _received = [];
    private readonly List<(int Count, TaskCompletionSource Signal)> _waits = [];
    private readonly WebApplication _server;

    private Receiver(WebApplication server) => _server = server;

    /// <summary>How it answers; 200 unless a test says otherwise.</summary>
    public Func<Received, HttpContext, Task> Answer { get; set; } = (_, _) => Task.CompletedTask;

    /// <summary>Where it listens.</summary>
    public string Url => $"{_server.Urls.Single()}/hook";

    public int Port => new Uri(Url).Port;

    /// <summary>What came so far, in order of arrival.</summary>
    public IReadOnlyList<Received> All
    {
        get
        {
            lock (_guard)
            {
                return [.. _received];
            }
        }
    }

    public static async Task<Receiver> OpenAsync(CancellationToken ct)
    {
        // Empty: the settings beside the tests are those of the service under test.
        var builder = WebApplication.CreateEmptyBuilder(new());
        builder.WebHost.UseKestrelCore().UseUrls("http://127.0.0.1:0");
        var server = builder.Build();
        var receiver = new Receiver(server);
        server.Run(receiver.TakeAsync);
        await server.StartAsync(ct);
        return receiver;
    }

    /// <summary>Answers with a status.</summary>
    public void AnswerWith(int status) => Answer = (_, context) =>
    {
        context.Response.StatusCode = status;
        return Task.CompletedTask;
    };

    /// <summary>Waits until so many requests have come in all.</summary>
    public async Task<IReadOnlyList<Received>> ReceivedAsync(int count, CancellationToken ct)
    {
        var signal = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_guard)
        {
            if (_received.Count >= count)
            {
                return [.. _received];
            }

            _waits.Add((count, signal));
        }

        await signal.Task.WaitAsync(WebhookWorld.Patience, ct);
        return All;
    }

    public ValueTask DisposeAsync() => _server.DisposeAsync();

    private async Task TakeAsync(HttpContext context)
    {
        using var body = new MemoryStream();
        await context.Request.Body.CopyToAsync(body, context.RequestAborted);
        var received = new Received(
            context.Request.Method,
            context.Request.Path,
            context.Request.Headers.ToDictionary(h => h.Key.ToLowerInvariant(), h => h.Value.ToString()),
            body.ToArray());
        lock (_guard)
        {
            _received.Add(received);
            foreach (var wait in _waits.FindAll(w => w.Count <= _received.Count))
            {
                _waits.Remove(wait);
                wait.Signal.TrySetResult();
            }
        }

        await Answer(received, context);
    }
}
