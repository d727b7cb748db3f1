using System.Net.Sockets;
using Cloud.Chaos.Customers;
using Cloud.Chaos.World;
using Cloud.Protos.Metrics.V1;
using Grpc.Core;
using Npgsql;

namespace Cloud.Chaos.Invariants;

/// <summary>Waits until nothing moves any more: every row at rest, every event in the feed.</summary>
internal sealed class Rest(Tables tables, EventService.EventServiceClient events) : IDisposable
{
    /// <summary>How long a look at the tables may be put off when the feed tells nothing.</summary>
    private static readonly TimeSpan LookAgain = TimeSpan.FromSeconds(1);

    /// <summary>States in which the loop has nothing to do, or only looks after what is there. A deletion that is
    /// pending and ends soon moves all the same.</summary>
    private static readonly string[] AtRest =
        ["stable", "hibernating", "deletion-pending", "deleted", "creation-failed", "update-failed", "deletion-failed",
            "provisioning-failed"];

    private readonly SemaphoreSlim _news = new(0);

    public void Dispose() => _news.Dispose();

    /// <summary>Waits.</summary>
    /// <returns>What still moves when the patience is over; empty when all is at rest.</returns>
    public async Task<IReadOnlyList<Breach>> WaitAsync(TimeSpan patience, CancellationToken ct)
    {
        var began = TimeProvider.System.GetTimestamp();
        using var over = CancellationTokenSource.CreateLinkedTokenSource(ct);
        var listening = ListenAsync(over.Token);
        try
        {
            while (true)
            {
                var moving = await MovingAsync(ct);
                if (moving.Count == 0 || TimeProvider.System.GetElapsedTime(began) > patience)
                {
                    return moving;
                }

                await _news.WaitAsync(LookAgain, ct);
            }
        }
        finally
        {
            await over.CancelAsync();
            await listening;
        }
    }

    private async Task<IReadOnlyList<Breach>> MovingAsync(CancellationToken ct)
    {
        try
        {
            var moving = (await tables.RowsAsync(ct)).Where(row => row.EndsSoon || !AtRest.Contains(row.State))
                .Select(row => new Breach(
                    "at rest", row.Resource,
                    $"is {row.State}, waiting for '{row.WaitingFor}', last error {row.LastErrorCode} {row.LastError}"))
                .ToList();
            var undelivered = await tables.UndeliveredAsync(ct);
            if (undelivered > 0)
            {
                moving.Add(new Breach("at rest", "", $"{undelivered} events are not in the feed"));
            }

            return moving;
        }
        catch (Exception e) when (e is NpgsqlException or SocketException)
        {
            return [new Breach("at rest", "", $"PostgreSQL does not answer: {e.Message}")];
        }
    }

    /// <summary>Every new event is news.</summary>
    private async Task ListenAsync(CancellationToken ct)
    {
        while (!ct.IsCancellationRequested)
        {
            try
            {
                using var stream = events.WatchEvents(new() { Filter = new() }, cancellationToken: ct);
                await foreach (var message in stream.ResponseStream.ReadAllAsync(ct))
                {
                    if (message.Event is not null)
                    {
                        _news.Release();
                    }
                }
            }
            catch (Exception e) when (ct.IsCancellationRequested && e is RpcException or OperationCanceledException)
            {
                return;
            }
            catch (RpcException e) when (Transient.Is(e))
            {
                // The service is not back yet; until then the tables are looked at.
                await Task.Delay(LookAgain, TimeProvider.System, ct).ContinueWith(
                    _ => { }, default, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
            }
        }
    }
}
