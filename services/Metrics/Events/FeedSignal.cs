using Cloud.ServiceDefaults.Storage;
using Cloud.ServiceDefaults.Supervision;
using Npgsql;

namespace Cloud.Events;

/// <summary>
/// Wakes whoever follows the feed, in every replica: PostgreSQL announces each commit that made it longer
/// (NOTIFY on <see cref="EventIngestionStore.Channel"/>), one connection of this process listens.
/// <para>
/// Guarantee: a waiter that took its <see cref="NextAsync"/> before it read the feed misses nothing. Lost connections
/// are made again with a growing pause, and everybody is woken once afterwards, since announcements made meanwhile are
/// gone. A connection that died without a word is found by asking something on it every <see cref="AskEvery"/>.
/// </para>
/// </summary>
public sealed class FeedSignal(Database database, SchemaGate schema, TimeProvider time, ILogger<FeedSignal> log)
    : BackgroundService
{
    /// <summary>How long silence is believed.</summary>
    private static readonly TimeSpan AskEvery = TimeSpan.FromSeconds(30);

    /// <summary>How long the answer may take.</summary>
    private const int AnswerWithinSeconds = 5;

    private static readonly TimeSpan ShortestPause = TimeSpan.FromMilliseconds(200);

    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(10);

    private readonly Lock _guard = new();

    private TaskCompletionSource _next = NewSource();

    /// <summary>Ends when the feed has grown after this was asked.</summary>
    public Task NextAsync(CancellationToken ct)
    {
        lock (_guard)
        {
            return _next.Task.WaitAsync(ct);
        }
    }

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await schema.ReadyAsync(stoppingToken);
        var pause = ShortestPause;
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                await using var connection = await database.OpenAsync(stoppingToken);
                connection.Notification += (_, _) => Raise();
                await using (var listen = new NpgsqlCommand($"LISTEN {EventIngestionStore.Channel}", connection))
                {
                    await listen.ExecuteNonQueryAsync(stoppingToken);
                }

                pause = ShortestPause;
                Raise();
                while (true)
                {
                    if (!await connection.WaitAsync(AskEvery, stoppingToken))
                    {
                        await AskAsync(connection, stoppingToken);
                    }
                }
            }
            catch (Exception e) when (e.IsStop(stoppingToken))
            {
                return;
            }
            catch (Exception failure)
            {
                log.LogWarning(failure, "Listening again for new events in {Pause}", pause);
                await Task.Delay(pause, time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                pause = TimeSpan.FromTicks(Math.Min(pause.Ticks * 2, LongestPause.Ticks));
            }
        }
    }

    private static async Task AskAsync(NpgsqlConnection connection, CancellationToken ct)
    {
        await using var ask = new NpgsqlCommand("SELECT 1", connection) { CommandTimeout = AnswerWithinSeconds };
        await ask.ExecuteScalarAsync(ct);
    }

    private static TaskCompletionSource NewSource() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private void Raise()
    {
        TaskCompletionSource raised;
        lock (_guard)
        {
            raised = _next;
            _next = NewSource();
        }

        raised.SetResult();
    }
}
