using System.Collections.Concurrent;
using Cloud.Protos.Api.V1;
using Cloud.ServiceDefaults.Hosting;
using Grpc.Core;
using StackExchange.Redis;

namespace Cloud.Installations.Tests.World;

/// <summary>
/// What the installation service sees of the cluster and the database-pool service: they keep state, fence by epoch,
/// nudge after a change, and can be told to have no room, to fail, to refuse, to hold calls back or to lose replies.
/// One lock guards all of it; nothing waits while holding it.
/// </summary>
internal sealed class OutsideWorld(IConnectionMultiplexer redis)
{
    private readonly Lock _gate = new();
    private readonly Dictionary<(string Service, string Installation), long> _epochs = [];
    private readonly Dictionary<string, CallPlan> _plans = [];
    private readonly Dictionary<string, int> _calls = [];
    private readonly List<string> _log = [];
    private TaskCompletionSource _open = Opened();

    /// <summary>Installations for which there is room in clusters.</summary>
    public int ClusterRoom { get; set; } = int.MaxValue;

    /// <summary>Installations for which there is room on database servers.</summary>
    public int DatabaseRoom { get; set; } = int.MaxValue;

    /// <summary>Whether pods become ready, and stop, by themselves; otherwise see <see
    /// cref="SettleAsync(string)"/>.</summary>
    public bool PodsSettle { get; set; } = true;

    /// <summary>Whether databases are made, and dropped, by themselves.</summary>
    public bool DatabasesSettle { get; set; } = true;

    /// <summary>When set, what the cluster service has under way ends in its failed state with this message.</summary>
    public string? ClusterFailure { get; set; }

    /// <summary>As above, for databases.</summary>
    public string? DatabaseFailure { get; set; }

    /// <summary>Installations for which no cluster has room.</summary>
    public Names WithoutRoom { get; } = new();

    /// <summary>Installations whose pods never become ready.</summary>
    public Names WithFailingPods { get; } = new();

    /// <summary>Installations whose pods are not ready before something else is asked of them.</summary>
    public Names WithSlowPods { get; } = new();

    /// <summary>Installations whose cluster refuses to change them.</summary>
    public Names WithRefusedUpdates { get; } = new();

    /// <summary>Answers a call with a refusal; null lets it pass.</summary>
    public Func<string, RpcException?> Refusal { get; set; } = _ => null;

    /// <summary>What happens just before a method does its work for the first time.</summary>
    public Dictionary<string, Action> Before { get; } = [];

    public List<Resource> Placements { get; } = [];

    public List<Resource> ClusterInstallations { get; } = [];

    public List<Resource> Databases { get; } = [];

    /// <summary>Every call that reached the world, as "installations/{id} Method".</summary>
    public IReadOnlyList<string> Log
    {
        get
        {
            lock (_gate)
            {
                return [.. _log];
            }
        }
    }

    /// <summary>Holds every call back until <see cref="Open"/>.</summary>
    public void Close() => _open = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);

    public void Open() => _open.TrySetResult();

    /// <summary>Lets one call of an installation go wrong.</summary>
    public void Plan(string installation, CallPlan plan)
    {
        lock (_gate)
        {
            _plans[installation] = plan;
        }
    }

    /// <summary>Serves one call: recorded, held, refused, done, its reply perhaps lost; then the installation is
    /// nudged if something began.</summary>
    public async Task<T> ServeAsync<T>(
        string method, string installation, CallEpoch? epoch, Func<(T Reply, bool Began)> work)
    {
        await _open.Task;
        bool isPlanned;
        CallPlan plan;
        lock (_gate)
        {
            _log.Add($"{installation} {method}");
            var call = _calls[installation] = _calls.GetValueOrDefault(installation) + 1;
            isPlanned = _plans.TryGetValue(installation, out plan) && plan.Call == call;
            if (Refusal(method) is { } refusal)
            {
                throw refusal;
            }
        }

        if (isPlanned && !plan.AfterTheWork)
        {
            throw Lost("the call was lost");
        }

        (T Reply, bool Began) done;
        lock (_gate)
        {
            if (Before.Remove(method, out var first))
            {
                first();
            }

            Fence(installation, epoch);
            done = work();
        }

        if (done.Began)
        {
            await SettleAsync(installation, PodsSettle && !WithSlowPods.Has(installation), DatabasesSettle);
        }

        return isPlanned ? throw Lost("the reply was lost") : done.Reply;
    }

    /// <summary>Ends what is under way for an installation, as its service would some time later.</summary>
    public Task SettleAsync(string installation) => SettleAsync(installation, pods: true, databases: true);

    /// <summary>What is left of an installation anywhere.</summary>
    public IReadOnlyList<string> LeftOf(string installation)
    {
        lock (_gate)
        {
            return
            [
                .. Placements.Concat(ClusterInstallations).Concat(Databases)
                    .Where(r => r.Installation == installation && !r.IsGone).Select(r => r.Name),
            ];
        }
    }

    /// <summary>Reads the world without it moving.</summary>
    public T Look<T>(Func<OutsideWorld, T> at)
    {
        lock (_gate)
        {
            return at(this);
        }
    }

    /// <summary>Says "look at this row" as the services do after a commit.</summary>
    public Task NudgeAsync(string installation) => redis.GetSubscriber().PublishAsync(
        RedisChannel.Literal("nudge:installation"), installation["installations/".Length..] + "@world");

    private async Task SettleAsync(string installation, bool pods, bool databases)
    {
        lock (_gate)
        {
            var failure = WithFailingPods.Has(installation) ? "no pod becomes ready" : ClusterFailure;
            foreach (var resource in pods ? ClusterInstallations.Where(r => r.Installation == installation) : [])
            {
                resource.Settle(failure);
            }

            foreach (var resource in databases ? Databases.Where(r => r.Installation == installation) : [])
            {
                resource.Settle(DatabaseFailure);
            }
        }

        await NudgeAsync(installation);
    }

    private void Fence(string installation, CallEpoch? epoch)
    {
        if (epoch is not { } given)
        {
            return;
        }

        var highest = _epochs.GetValueOrDefault((given.Service, installation));
        if (given.Value < highest)
        {
            throw Problem.Aborted(ErrorReason.EpochStale, $"Epoch {given.Value} is older than {highest}.")
                .ToRpcStatus().ToRpcException();
        }

        _epochs[(given.Service, installation)] = given.Value;
    }

    private static RpcException Lost(string why) =>
        Problem.Unavailable(ErrorReason.Interrupted, why, TimeSpan.FromSeconds(1)).ToRpcStatus().ToRpcException();

    private static TaskCompletionSource Opened()
    {
        var open = new TaskCompletionSource();
        open.SetResult();
        return open;
    }
}

/// <summary>The epoch that a call brings. Each service knows only those that it was told.</summary>
internal readonly record struct CallEpoch(string Service, long Value)
{
    public static CallEpoch Cluster(long value) => new("cluster", value);

    public static CallEpoch Databases(long value) => new("database-pool", value);
}

/// <summary>Which call of an installation goes wrong, counted from 1, and whether it had done its work
/// before.</summary>
internal readonly record struct CallPlan(int Call, bool AfterTheWork);

/// <summary>Names of installations that something is special about; lives add and remove theirs side by side.</summary>
internal sealed class Names
{
    private readonly ConcurrentDictionary<string, bool> _names = new(StringComparer.Ordinal);

    public void Add(string name) => _names[name] = true;

    public void Remove(string name) => _names.TryRemove(name, out _);

    public bool Has(string name) => _names.ContainsKey(name);
}
