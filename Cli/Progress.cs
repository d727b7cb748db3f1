using System.Diagnostics;
using Cloud.Cli.Output;
using Cloud.Protos.Installation.V1;
using Cloud.Protos.Supervision.V1;
using Grpc.Core;

namespace Cloud.Cli;

/// <summary>
/// Asks for something and follows the workspace until it rests, a line for each state as it happens. The stream is
/// opened before the request is made, so that no state can be missed; when it breaks it is resumed by its token. Where
/// the workspace stands is read anew after the request and whenever the stream says that it came to rest: a repeated
/// request is answered as the first one was, however long ago the work ended, and what the stream tells may be older
/// than the request.
/// </summary>
/// <param name="session">What it talks to.</param>
/// <param name="patience">How long it follows.</param>
/// <param name="untilDeleted">Go on past a pending deletion, to the end.</param>
internal sealed class Progress(Session session, TimeSpan patience, bool untilDeleted = false)
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(300);

    private readonly Stopwatch _clock = Stopwatch.StartNew();

    private string _toldState = string.Empty;

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
        catch (Exception e) when (
            e is OperationCanceledException or RpcException && limit.IsCancellationRequested
            && (asked is not null || !ct.IsCancellationRequested))
        {
            if (asked is not null)
            {
                Screen.Note($"Not waiting any longer; the work goes on. See it with: cloud watch {asked.Name}");
            }

            throw ct.IsCancellationRequested
                ? new OperationCanceledException(ct)
                : new Refusal(ExitCode.TimedOut, $"It took longer than {patience.TotalSeconds:0.###} s (--timeout).",
                    asked is null
                        ? "What was asked may still take effect; look how it stands before asking again."
                        : $"What it waits for: cloud why {asked.Name}");
        }
    }

    private async Task<Installation> FollowAsync(
        string dnsName, Func<CancellationToken, Task<Installation>> ask, CancellationToken ct)
    {
        var request = new WatchInstallationsRequest { Filter = new() { DnsName = dnsName } };
        var before = new Dictionary<string, Installation>(StringComparer.Ordinal);
        Installation? asked = null;
        while (true)
        {
            try
            {
                if (asked is not null)
                {
                    var now = await session.Installations.GetInstallationAsync(
                        new() { Name = asked.Name }, cancellationToken: ct);
                    if (IsAtRest(now))
                    {
                        return now;
                    }

                    request = Following(now, request);
                }

                using var stream = session.Installations.WatchInstallations(request, cancellationToken: ct);
                await foreach (var message in stream.ResponseStream.ReadAllAsync(ct))
                {
                    request.ResumeToken = message.ResumeToken;
                    if (asked is null && message.Kind is WatchKind.Snapshot)
                    {
                        before[message.Installation.Name] = message.Installation;
                    }
                    else if (asked is null)
                    {
                        asked = await ask(ct);
                        if (before.TryGetValue(asked.Name, out var known) && !IsAtRest(known))
                        {
                            Tell(known, string.Empty);
                        }

                        break;
                    }
                    else if (message.Kind is WatchKind.SnapshotEnd || IsEnd(message, asked))
                    {
                        break;
                    }
                }
            }
            catch (RpcException e) when (
                asked is not null && e.StatusCode is StatusCode.Unavailable or StatusCode.DeadlineExceeded)
            {
                await Task.Delay(Pause, TimeProvider.System, ct);
            }
        }
    }

    /// <summary>Goes on with the stream; with one by its new address when the request took away the one before.
    /// </summary>
    private static WatchInstallationsRequest Following(Installation now, WatchInstallationsRequest request)
    {
        var name = request.Filter.DnsName;
        return now.DnsNames.Any(dns => dns == name || dns.StartsWith(name + ".", StringComparison.Ordinal))
            ? request
            : new() { Filter = new() { DnsName = now.DnsNames[0] } };
    }

    /// <summary>Whether a state is one in which nothing happens by itself, or only after a long time.</summary>
    private bool IsAtRest(Installation installation) =>
        installation.State is "stable" or "hibernating" or "deleted"
        || (installation.State is "deletion-pending" && !untilDeleted)
        || installation.State.EndsWith("-failed", StringComparison.Ordinal);

    /// <summary>Tells what happened; answers whether it may be the end, which another look shows.</summary>
    private bool IsEnd(WatchInstallationsResponse message, Installation asked)
    {
        if (message.Installation?.Name != asked.Name)
        {
            return false;
        }

        Tell(message.Installation, message.Reason);
        return IsAtRest(message.Installation);
    }

    private void Tell(Installation installation, string reason)
    {
        if (installation.State == _toldState)
        {
            return;
        }

        _toldState = installation.State;
        if (session.Format is OutputFormat.Table)
        {
            Screen.Note($"{Words.Seconds(_clock.Elapsed)}  {installation.State,-34} {reason}".TrimEnd());
        }
    }
}
