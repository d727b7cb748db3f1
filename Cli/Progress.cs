using System.Diagnostics;
using Cloud.Cli.Output;
using Cloud.Protos.Installation.V1;
using Cloud.Protos.Supervision.V1;
using Grpc.Core;

namespace Cloud.Cli;

/// <summary>
/// Asks for something and follows the workspace until it rests, a line for each state as it happens. The stream is
/// opened before the request is made, so that no state can be missed; when it breaks it is resumed by its token.
/// </summary>
/// <param name="session">What it talks to.</param>
/// <param name="patience">How long it follows.</param>
/// <param name="untilDeleted">Go on past a pending deletion, to the end.</param>
internal sealed class Progress(Session session, TimeSpan patience, bool untilDeleted = false)
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(300);

    private readonly Stopwatch _clock = Stopwatch.StartNew();

    private string _lastState = string.Empty;

    /// <summary>Follows a workspace whose address is known already.</summary>
    /// <param name="dnsName">What the stream is filtered by.</param>
    /// <param name="ask">The request; answers the workspace as it was right after it.</param>
    /// <param name="ct">Ends the following; what was asked for goes on.</param>
    public async Task<Installation> RunAsync(
        string dnsName, Func<CancellationToken, Task<Installation>> ask, CancellationToken ct)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(ct);
        limit.CancelAfter(patience);
        Installation? asked = null;
        try
        {
            return await FollowAsync(dnsName, async token => asked = await ask(token), limit.Token);
        }
        catch (Exception e) when (e is OperationCanceledException or RpcException && limit.IsCancellationRequested
                                  && asked is not null)
        {
            Screen.Note($"Not waiting any longer; the work goes on. See it with: cloud watch {asked.Name}");
            throw ct.IsCancellationRequested
                ? new OperationCanceledException(ct)
                : new Refusal(ExitCode.TimedOut, $"It took longer than {patience.TotalSeconds:0} s (--timeout).",
                    $"What it waits for: cloud why {asked.Name}");
        }
    }

    private async Task<Installation> FollowAsync(
        string dnsName, Func<CancellationToken, Task<Installation>> ask, CancellationToken ct)
    {
        var request = new WatchInstallationsRequest { Filter = new() { DnsName = dnsName } };
        Installation? asked = null;
        while (true)
        {
            try
            {
                using var stream = session.Installations.WatchInstallations(request, cancellationToken: ct);
                await foreach (var message in stream.ResponseStream.ReadAllAsync(ct))
                {
                    request.ResumeToken = message.ResumeToken;
                    if (asked is null && message.Kind is WatchKind.SnapshotEnd)
                    {
                        asked = await ask(ct);
                        if (IsAtRest(asked))
                        {
                            return asked;
                        }

                        Say(asked, string.Empty);
                    }
                    else if (Moved(message, asked) && Ended(message))
                    {
                        return message.Installation;
                    }
                }
            }
            catch (RpcException e) when (e.StatusCode is StatusCode.Unavailable && asked is not null)
            {
                await Task.Delay(Pause, TimeProvider.System, ct);
            }
        }
    }

    /// <summary>Whether a state is one in which nothing happens by itself, or only after a long time.</summary>
    private bool IsAtRest(Installation installation) =>
        installation.State is "stable" or "hibernating" or "deleted"
        || (installation.State is "deletion-pending" && !untilDeleted)
        || installation.State.EndsWith("-failed", StringComparison.Ordinal);

    private static bool Moved(WatchInstallationsResponse message, Installation? asked) =>
        asked is not null && message.Kind is WatchKind.Change && message.Installation.Name == asked.Name
        && message.PreviousState != message.Installation.State && message.PreviousState.Length > 0;

    private bool Ended(WatchInstallationsResponse message)
    {
        if (message.PreviousState != _lastState)
        {
            return false; // Older than what was asked for, or the change that the request itself made.
        }

        Say(message.Installation, message.Reason);
        return IsAtRest(message.Installation);
    }

    private void Say(Installation installation, string reason)
    {
        _lastState = installation.State;
        if (session.Format is OutputFormat.Json)
        {
            return;
        }

        Screen.Note($"{Words.Seconds(_clock.Elapsed)}  {installation.State,-34} {reason}".TrimEnd());
    }
}
