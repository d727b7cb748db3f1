using System.Globalization;
using Cloud.Protos.Installation.V1;
using Cloud.Protos.Supervision.V1;
using Grpc.Core;

namespace Cloud.Cli.Tests;

/// <summary>
/// The service of workspaces as its contract describes it, without the work: states change when a test says so. A
/// repeated request id gets the stored answer; a stream is a snapshot and then every change.
/// </summary>
public sealed class ScriptedWorkspaces : InstallationService.InstallationServiceBase
{
    private readonly Lock _lock = new();
    private readonly List<Installation> _all = [];
    private readonly List<(Installation Before, WatchInstallationsResponse Message)> _log = [];
    private readonly Dictionary<string, Installation> _answers = [];
    private readonly Queue<string> _planned = [];
    private TaskCompletionSource _grown = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>The state to which the asked one comes just before the request is taken.</summary>
    public string? JustBefore { get; set; }

    /// <summary>What was asked of a workspace, or for one.</summary>
    public List<string> Asked { get; } = [];

    /// <summary>There is a workspace from the beginning.</summary>
    public Installation Has(string host, string state)
    {
        var row = new Installation
        {
            Name = $"installations/{_all.Count + 1:00000000000000000000000000}", DnsNames = { host }, State = state,
            Url = $"http://{host}/", Etag = "1",
        };
        _all.Add(row);
        return row;
    }

    /// <summary>The states through which a workspace goes once somebody has looked at it.</summary>
    public void Then(params string[] states) => Array.ForEach(states, _planned.Enqueue);

    /// <summary>The answer that a request was given long ago.</summary>
    public void Answered(string requestId, Installation row, string state)
    {
        var answer = row.Clone();
        answer.State = state;
        _answers[requestId] = answer;
    }

    public override Task<Installation> GetInstallation(GetInstallationRequest request, ServerCallContext context)
    {
        lock (_lock)
        {
            var row = Find(request.Name);
            var answer = row.Clone();
            while (_planned.TryDequeue(out var state))
            {
                Move(row, state, "it goes on");
            }

            return Task.FromResult(answer);
        }
    }

    public override Task<ListInstallationsResponse> ListInstallations(
        ListInstallationsRequest request, ServerCallContext context)
    {
        lock (_lock)
        {
            var found = _all.Where(row => Matches(row, row.State, request.Filter)).Select(row => row.Clone());
            return Task.FromResult(new ListInstallationsResponse { Installations = { found } });
        }
    }

    public override Task<Installation> CreateInstallation(
        CreateInstallationRequest request, ServerCallContext context) => OnceAsync(
        request.RequestId,
        () =>
        {
            var row = Has($"{request.NameHint}.localhost", "");
            Move(row, "creation-requested", "it was asked for");
            return row;
        });

    public override Task<Installation> HibernateInstallation(
        HibernateInstallationRequest request, ServerCallContext context) =>
        MoveAsync(request.Name, request.RequestId, "hibernation-requested");

    public override Task<Installation> DeleteInstallation(
        DeleteInstallationRequest request, ServerCallContext context) =>
        MoveAsync(request.Name, request.RequestId, "deletion-pending-requested");

    public override Task<Installation> UpdateInstallation(
        UpdateInstallationRequest request, ServerCallContext context) => OnceAsync(
        request.RequestId,
        () =>
        {
            var row = Find(request.Installation.Name);
            Move(row, "update-requested", "a change was asked for", request.Installation.DnsNames);
            return row;
        });

    public override async Task WatchInstallations(
        WatchInstallationsRequest request,
        IServerStreamWriter<WatchInstallationsResponse> responseStream,
        ServerCallContext context)
    {
        var next = int.TryParse(request.ResumeToken, CultureInfo.InvariantCulture, out var token) ? token : -1;
        if (next < 0)
        {
            List<WatchInstallationsResponse> snapshot;
            lock (_lock)
            {
                next = _log.Count;
                snapshot = [.. _all.Where(row => Matches(row, row.State, request.Filter)).Select(
                    row => new WatchInstallationsResponse { Kind = WatchKind.Snapshot, Installation = row.Clone() })];
            }

            snapshot.Add(new() { Kind = WatchKind.SnapshotEnd, ResumeToken = TokenOf(next) });
            foreach (var message in snapshot)
            {
                await responseStream.WriteAsync(message, context.CancellationToken);
            }
        }

        while (true)
        {
            List<WatchInstallationsResponse> changes;
            Task grown;
            lock (_lock)
            {
                grown = _grown.Task;
                changes = [.. _log.Skip(next).Where(change =>
                    Matches(change.Message.Installation, change.Message.Installation.State, request.Filter)
                    || Matches(change.Before, change.Before.State, request.Filter)).Select(change => change.Message)];
                next = _log.Count;
            }

            foreach (var message in changes)
            {
                await responseStream.WriteAsync(message, context.CancellationToken);
            }

            await grown.WaitAsync(context.CancellationToken);
        }
    }

    private static bool Matches(Installation row, string state, InstallationFilter filter) =>
        (filter.ShowDeleted || state != "deleted")
        && (filter.DnsName.Length == 0
            || row.DnsNames.Any(dns => dns == filter.DnsName || dns.Split('.')[0] == filter.DnsName));

    private static string TokenOf(int next) => next.ToString(CultureInfo.InvariantCulture);

    private Installation Find(string name) => _all.Single(row => row.Name == name);

    private Task<Installation> MoveAsync(string name, string requestId, string state) => OnceAsync(
        requestId,
        () =>
        {
            var row = Find(name);
            Move(row, state, "somebody asked");
            return row;
        });

    private Task<Installation> OnceAsync(string requestId, Func<Installation> work)
    {
        lock (_lock)
        {
            Asked.Add(requestId);
            if (!_answers.TryGetValue(requestId, out var answer))
            {
                if (JustBefore is { } state)
                {
                    Move(_all[^1], state, "it came to rest");
                }

                answer = _answers[requestId] = work().Clone();
            }

            return Task.FromResult(answer.Clone());
        }
    }

    private void Move(Installation row, string state, string reason, IEnumerable<string>? names = null)
    {
        var before = row.Clone();
        if (names?.ToList() is { Count: > 0 } hosts)
        {
            row.DnsNames.Clear();
            row.DnsNames.AddRange(hosts);
        }

        row.State = state;
        row.Etag = (int.Parse(row.Etag, CultureInfo.InvariantCulture) + 1).ToString(CultureInfo.InvariantCulture);
        _log.Add((before, new()
        {
            Kind = WatchKind.Change, Installation = row.Clone(), PreviousState = before.State, Reason = reason,
            ResumeToken = TokenOf(_log.Count + 1),
        }));
        var grown = _grown;
        _grown = new(TaskCreationOptions.RunContinuationsAsynchronously);
        grown.SetResult();
    }
}
