using System.Reflection;
using Cloud.Clusters;
using Cloud.Events;
using Cloud.Placement;
using Cloud.ServiceDefaults.Storage;
using Cloud.ServiceDefaults.Supervision;
using Cloud.Webhooks;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;

namespace Cloud.Surface.Tests.Plans;

/// <summary>
/// Calls the methods of stores, found by reflection, with values that are found by the names of their parameters: a new
/// method is called without a word here, unless it takes something that nobody took before. What takes a transaction
/// is undone.
/// </summary>
internal sealed class StoreCalls(string host, IServiceProvider services, CancellationToken ct)
{
    /// <summary>So often that the driver prepares a statement and PostgreSQL plans it once for all values.</summary>
    private const int Times = 12;

    private static readonly TimeSpan Day = TimeSpan.FromDays(1);

    private static readonly DateTimeOffset Now = TimeProvider.System.GetUtcNow();

    private static readonly string Few = Seeds.Few[^11];

    /// <summary>Values by type and member, by member, or by type alone; the first stands in while another
    /// varies.</summary>
    private readonly Dictionary<string, object?[]> _values = new(StringComparer.OrdinalIgnoreCase)
    {
        ["id"] = [Seeds.Live],
        ["installationId"] = [Seeds.Live],
        ["clusterId"] = [Few],
        ["clusterIds"] = [Seeds.Few],
        ["webhookId"] = [Few],
        ["webhookIds"] = [Seeds.Few],
        ["serverId"] = [Few],
        ["databaseServerId"] = [Few],
        ["ids"] = [Seeds.Few],
        ["DeliveryStore.id"] = [SequenceOf(Few)],
        ["QueueStore.id"] = [SequenceOf(Few)],
        ["displayName"] = ["name-100000"],
        ["states"] = [new[] { "stable" }, new[] { "creation-failed" }, new[] { "stable", "creation-failed" }],
        ["WebhookListFilter.states"] = [new[] { "enabled" }],
        ["DatabaseServerFilter.states"] = [new[] { "stable" }, new[] { "deleted" }],
        ["statuses"] = [new[] { "pending" }, new[] { "failed" }],
        ["owner"] = ["owner-7"],
        ["cluster"] = [$"clusters/{Few}"],
        ["dnsName"] = ["name-99990.example.com", "name-99990"],
        ["version"] = ["10.1", "9.0.0"],
        ["size"] = ["100users", "1000users"],
        ["hosts"] = [new[] { "name-99990.example.com" }],
        ["resource"] = [$"installations/{Seeds.Live}"],
        ["resourcePrefix"] = ["installations/r000000000000000000009999"],
        ["installation"] = [$"installations/{Seeds.Live}"],
        ["resourceTypes"] = [new[] { "installation" }, new[] { "webhook" }],
        ["types"] = [new[] { "state-changed" }, new[] { "deleted" }],
        ["source"] = ["installation"],
        ["EventFilter.source"] = ["installation", "metrics"],
        ["actor"] = ["supervisor", "ada"],
        ["requestId"] = ["request-99990"],
        ["traceId"] = ["trace-99990"],
        ["startTime"] = [Now - Day, Now - (390 * Day)],
        ["endTime"] = [Now - Day, Now - (390 * Day)],
        ["PageKey"] = [null, new PageKey(Now - (100 * Day), Seeds.Live)],
        ["resourceType"] = [NounOf(host), QuietOf(host)],
        ["Int64.after"] = [Seeds.Rows - 100L, 0L],
        ["beyond"] = [null, Seeds.Rows / 2L],
        ["Nullable`1.before"] = [null, Seeds.Rows / 2L],
        ["DateTimeOffset.before"] = [Now - (380 * Day)],
        ["olderThan"] = [Now - (380 * Day), Now],
        ["leftBefore"] = [Now - (380 * Day), Now],
        ["EventStore.through"] = [(long)Seeds.Rows],
        ["OutboxStore.through"] = [Seeds.Rows - 60L],
        ["sequences"] = [new[] { 99_990L, 99_991L }],
        ["prunedThrough"] = [0L],
        ["keptMin"] = [0L, 100_000L],
        ["keptMax"] = [1_000_000L, 99_000L],
        ["kept"] = [10_000, 100],
        ["atMost"] = [1000],
        ["count"] = [51],
        ["limit"] = [51],
        ["max"] = [500],
        ["generation"] = [1L],
        ["epoch"] = [2L],
        ["why"] = ["for its plan"],
        ["reason"] = ["for its plan"],
        ["uid"] = ["uid-99990"],
        ["resources"] = [new[] { $"installations/{Seeds.Live}" }],
        ["OpenAsync.webhookId"] = [Seeds.Fresh],
        ["Room"] = [new Room(1, 1, 1)],
        ["Reservation"] = [NewReservation()],
        ["Observation"] = [new Observation { ClusterId = Few }],
        ["work"] =
        [
            (Func<DatabaseTransaction, WebhookProgress, CancellationToken, Task>)((_, _, _) => Task.CompletedTask),
        ],
    };

    private int _eventsMade;

    /// <summary>Every store of the service, those of the machinery included.</summary>
    public static IEnumerable<Type> StoresOf(Assembly service) =>
        service.GetTypes().Concat(typeof(Database).Assembly.GetTypes())
            .Where(t => t is { IsAbstract: false, IsClass: true }
                && t.Name.EndsWith("Store", StringComparison.Ordinal));

    /// <summary>What can be asked of a store. Not what is held until it is disposed: nobody here would.</summary>
    public static IEnumerable<MethodInfo> MethodsOf(Type store) => store
        .GetMethods(BindingFlags.Public | BindingFlags.Instance | BindingFlags.Static | BindingFlags.DeclaredOnly)
        .Where(m => !m.IsSpecialName
            && !m.ReturnType.GenericTypeArguments.Any(given => given.IsAssignableTo(typeof(IAsyncDisposable))));

    /// <summary>Calls a method with each value of each parameter.</summary>
    public async Task CallAsync(MethodInfo method)
    {
        var store = services.GetRequiredService(method.DeclaringType!);
        var choices = new List<object?[]>();
        foreach (var parameter in method.GetParameters())
        {
            choices.Add(await ChoicesAsync(method, parameter.Name!, parameter.ParameterType));
        }

        foreach (var arguments in OneByOne(choices))
        {
            for (var time = 0; time < Times; time++)
            {
                await CallAsync(method, store, arguments);
            }
        }
    }

    /// <summary>The first of each, and then each other one in its place.</summary>
    private static IEnumerable<object?[]> OneByOne(List<object?[]> choices)
    {
        var first = choices.Select(c => c[0]).ToArray();
        yield return first;
        for (var at = 0; at < choices.Count; at++)
        {
            foreach (var other in choices[at].Skip(1))
            {
                yield return [.. first[..at], other, .. first[(at + 1)..]];
            }
        }
    }

    private Task CallAsync(MethodInfo method, object store, object?[] arguments)
    {
        if (method.ReturnType == typeof(Func<DatabaseTransaction, CancellationToken, Task>))
        {
            var write = (Func<DatabaseTransaction, CancellationToken, Task>)method.Invoke(store, arguments)!;
            return RehearseAsync(tx => write(tx, ct));
        }

        Task Ask(DatabaseTransaction? tx) => (Task)method.Invoke(
            store,
            [
                .. arguments.Zip(method.GetParameters(), (argument, parameter) =>
                    parameter.ParameterType == typeof(DatabaseTransaction) ? tx
                    : parameter.ParameterType == typeof(NpgsqlConnection) ? tx!.Connection
                    : argument is Func<object> make ? make() : argument),
            ])!;
        return method.GetParameters().Any(p => IsOfTransaction(p.ParameterType)) ? RehearseAsync(Ask) : Ask(null);
    }

    private static bool IsOfTransaction(Type type) =>
        type == typeof(DatabaseTransaction) || type == typeof(NpgsqlConnection);

    private Task<bool> RehearseAsync(Func<DatabaseTransaction, Task> work) =>
        services.GetRequiredService<Database>().RehearseAsync(
            async (tx, _) =>
            {
                await work(tx);
                return true;
            },
            ct);

    private async Task<object?[]> ChoicesAsync(MethodInfo method, string name, Type type)
    {
        if (type == typeof(CancellationToken) || IsOfTransaction(type))
        {
            return [type == typeof(CancellationToken) ? ct : null];
        }

        if (typeof(StoredRow).IsAssignableFrom(type))
        {
            return [await RowAsync(type)];
        }

        if (type == typeof(WebhookDelivery) || type == typeof(WebhookProgress))
        {
            var deliveries = services.GetRequiredService<DeliveryStore>();
            return
            [
                type == typeof(WebhookDelivery)
                    ? await deliveries.FindAsync(Few, SequenceOf(Few), ct)
                    : await deliveries.ProgressAsync(Few, ct),
            ];
        }

        if (type == typeof(IReadOnlyList<RecordedEvent>))
        {
            var known = await services.GetRequiredService<EventStore>()
                .ReadAsync(new EventFilter { Hash = "" }, Seeds.Rows - 100, Seeds.Rows, 100, ct);
            return [known, () => (object)MoreEvents(known)];
        }

        return type.Name.EndsWith("Filter", StringComparison.Ordinal)
            ? [.. Filters(type)]
            : [.. (_values.GetValueOrDefault($"{method.Name}.{name}") ?? Known(method.DeclaringType!.Name, name, type))
                .Select(value => As(type, value))];
    }

    private object?[] Known(string owner, string name, Type type) =>
        _values.GetValueOrDefault($"{owner}.{name}") ?? _values.GetValueOrDefault($"{type.Name}.{name}")
        ?? _values.GetValueOrDefault(name) ?? _values.GetValueOrDefault(type.Name)
        ?? (type == typeof(bool) ? new object?[] { false, true } : null)
        ?? throw new InvalidOperationException($"What shall {owner} be given for {name} ({type.Name})? Say it above.");

    /// <summary>The filter that does not restrict, and one for each value of each of its members.</summary>
    private IEnumerable<object> Filters(Type type)
    {
        var parameters = type.GetConstructors().MinBy(c => c.GetParameters().Length)!.GetParameters();
        var members = parameters.Length > 0
            ? parameters.Select(p => type.GetProperty(p.Name!)!).ToList()
            : [.. type.GetProperties().Where(p => p.CanWrite && p.Name != "Hash")];
        yield return Make(null, null);
        foreach (var member in members)
        {
            foreach (var value in Known(type.Name, member.Name, member.PropertyType)
                .Where(v => v is not null and not false))
            {
                yield return Make(member.Name, value);
            }
        }

        object Make(string? restricted, object? value)
        {
            // Deliveries are always those of one webhook.
            object? Of(PropertyInfo member) => As(
                member.PropertyType,
                member.Name == restricted ? value
                    : member.Name == nameof(DeliveryFilter.WebhookId) ? Few
                    : Nothing(member));
            if (parameters.Length > 0)
            {
                return Activator.CreateInstance(type, [.. members.Select(Of)])!;
            }

            var made = Activator.CreateInstance(type)!;
            foreach (var member in members)
            {
                member.SetValue(made, Of(member));
            }

            return made;
        }
    }

    private static object? Nothing(PropertyInfo member) => member.PropertyType switch
    {
        _ when new NullabilityInfoContext().Create(member).ReadState == NullabilityState.Nullable => null,
        var type when type == typeof(string) => "",
        var type when type == typeof(bool) => false,
        { IsGenericType: true } type when type.GetGenericTypeDefinition() == typeof(IReadOnlyList<>) =>
            Array.Empty<string>(),
        var type => throw new InvalidOperationException($"What of a {type.Name} does not restrict?"),
    };

    /// <summary>Names of states where states are wanted.</summary>
    private static object? As(Type type, object? value)
    {
        if (value is not string[] names || type.GenericTypeArguments is not [{ IsEnum: true } state])
        {
            return value;
        }

        var states = Array.CreateInstance(state, names.Length);
        for (var n = 0; n < names.Length; n++)
        {
            states.SetValue(
                Enum.Parse(state, names[n].Replace("-", "", StringComparison.Ordinal), ignoreCase: true), n);
        }

        return states;
    }

    private async Task<object?> RowAsync(Type type)
    {
        var state = type.BaseType!.GenericTypeArguments[0];
        dynamic store = services.GetRequiredService(typeof(SupervisedStore<,>).MakeGenericType(type, state));
        return await store.FindAsync(Seeds.Live, ct);
    }

    private IReadOnlyList<RecordedEvent> MoreEvents(IReadOnlyList<RecordedEvent> like)
    {
        var first = Seeds.Rows + 1 + _eventsMade;
        _eventsMade += like.Count;
        return [.. like.Select((e, n) => e with { SourceSequence = first + n })];
    }

    /// <summary>The newest of the events that a webhook was sent, by the seeds.</summary>
    private static string SequenceOf(string webhookId) => webhookId.TrimStart('r').TrimStart('0');

    private static string NounOf(string host) => host switch
    {
        "cluster" => "cluster_installation",
        "databasepool" => "logical_database",
        _ => "installation",
    };

    private static string QuietOf(string host) => host switch
    {
        "cluster" => "cluster",
        "databasepool" => "database_server",
        "metrics" => "webhook",
        _ => "installation",
    };

    private static Reservation NewReservation() => new()
    {
        InstallationId = ResourceId.New(),
        ClusterId = Few,
        Size = "100users",
        Affinity = Affinity.Multitenant,
        CpuMillis = 1,
        MemoryBytes = 1,
        Pods = 1,
        Reason = "for its plan",
        CreateTime = Now,
    };
}
