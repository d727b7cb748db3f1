using System.Globalization;
using Cloud.Protos.Cluster.V1;
using Cloud.Protos.DatabasePool.V1;
using Cloud.Protos.Installation.V1;
using Cloud.Protos.Metrics.V1;
using Cloud.ServiceDefaults.Storage;
using Google.Protobuf;
using Google.Rpc;
using Grpc.Core;
using Npgsql;
using Xunit;

namespace Cloud.Surface.Tests.Fuzz;

/// <summary>
/// Thousands of generated requests over every RPC. Whatever is asked: nothing fails without saying whose fault it is,
/// nothing is logged as an error, a refusal, a reading or a rehearsal changes no row, and a request that is sent again
/// gets the same answer. <c>CLOUD_FUZZ_REQUESTS</c> and <c>CLOUD_FUZZ_SEED</c> ask for more, and for the same again.
/// </summary>
[Collection(TheCloudlet.Name)]
public sealed class FuzzTests(Cloudlet cloudlet, ITestOutputHelper output)
{
    private const int RequestsDefault = 10_000;

    private static readonly TimeSpan StreamsFor = TimeSpan.FromMilliseconds(30);

    private static readonly StatusCode[] Bugs =
        [StatusCode.Internal, StatusCode.Unknown, StatusCode.Unimplemented, StatusCode.DataLoss];

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Nothing_that_can_be_asked_breaks_anything()
    {
        var count = Setting("CLOUD_FUZZ_REQUESTS", RequestsDefault);
        var seed = Setting("CLOUD_FUZZ_SEED", Random.Shared.Next());
        output.WriteLine($"CLOUD_FUZZ_SEED={seed} CLOUD_FUZZ_REQUESTS={count}");
        await FurnishAsync();
        var perHost = count / cloudlet.Hosts.Count();
        var wrong = await Task.WhenAll(cloudlet.Hosts.Order(StringComparer.Ordinal)
            .Select((host, n) => Task.Run(() => FuzzAsync(host, seed + n, perHost), Ct)));
        var all = wrong.SelectMany(list => list).Concat(cloudlet.Errors.Select(e => $"logged: {e}")).Take(20).ToList();
        Assert.True(all.Count == 0, $"seed {seed}:\n{string.Join("\n\n", all)}");
    }

    private async Task<IReadOnlyList<string>> FuzzAsync(string host, int seed, int count)
    {
        var random = new Random(seed);
        var words = new Vocabulary();
        var generator = new RequestGenerator(words, random);
        var rpcs = Rpc.All.Where(rpc => rpc.Host == host).ToList();
        await using var connection = await cloudlet.OpenAsync(host, Ct);
        var rows = await RowWatch.OfAsync(connection, Ct);
        await LearnAsync(words);
        var trial = new Trial(cloudlet.Invoker(host), rows, words, await rows.SumAsync(Ct));
        for (var n = 0; n < count && trial.Wrong.Count < 20; n++)
        {
            var rpc = rpcs[random.Next(rpcs.Count)];
            await TryAsync(trial, rpc, generator.RequestFor(rpc));
        }

        lock (output)
        {
            output.WriteLine($"{host}: {string.Join(", ", trial.Answers.OrderByDescending(a => a.Value)
                .Select(a => $"{a.Key} {a.Value}"))}");
        }

        return trial.Wrong;
    }

    private static async Task TryAsync(Trial trial, Rpc rpc, IMessage request)
    {
        var status = StatusCode.OK;
        var reason = $"{status}";
        IMessage? answer = null;
        try
        {
            if (rpc.IsStream)
            {
                await rpc.FollowAsync(trial.Invoker, request, StreamsFor, Ct);
            }
            else
            {
                answer = await rpc.AskAsync(trial.Invoker, request, Ct);
                trial.Words.Learn(answer);
            }
        }
        catch (RpcException e)
        {
            status = e.StatusCode;
            reason = e.GetRpcStatus()?.GetDetail<ErrorInfo>()?.Reason ?? "";
            if (Bugs.Contains(status) || reason.Length == 0)
            {
                trial.Blame(rpc, request, $"{status}: {e.Status.Detail}");
            }
        }

        trial.Answers[reason] = trial.Answers.GetValueOrDefault(reason) + 1;
        var after = await trial.Rows.SumAsync(Ct);
        if (after != trial.Sum && !MayChange(rpc, request, status))
        {
            trial.Blame(rpc, request, $"answered {status} and changed rows:\n{trial.Sum}\n{after}");
        }

        trial.Sum = after;
        if (answer is not null && !rpc.IsRead && IdOf(rpc, request).Length > 0 && !IsRehearsal(rpc, request))
        {
            await RepeatAsync(trial, rpc, request, answer);
        }
    }

    /// <summary>The same request again: the same answer, and nothing done.</summary>
    private static async Task RepeatAsync(Trial trial, Rpc rpc, IMessage request, IMessage answer)
    {
        var again = await rpc.AskAsync(trial.Invoker, request, Ct);
        if (!again.Equals(answer))
        {
            trial.Blame(rpc, request, $"answered {answer} and, asked again, {again}");
        }

        if (await trial.Rows.SumAsync(Ct) != trial.Sum)
        {
            trial.Blame(rpc, request, "changed rows when it was asked again");
        }
    }

    /// <summary>Who found no room is noted as waiting, so that it can be told when there is some.</summary>
    private static bool MayChange(Rpc rpc, IMessage request, StatusCode status) => !rpc.IsRead
        && !IsRehearsal(rpc, request) && status is StatusCode.OK or StatusCode.ResourceExhausted;

    private static bool IsRehearsal(Rpc rpc, IMessage request) =>
        rpc.Field("validate_only")?.Accessor.GetValue(request) is true;

    private static string IdOf(Rpc rpc, IMessage request) =>
        rpc.Field("request_id")?.Accessor.GetValue(request) as string ?? "";

    private static int Setting(string name, int otherwise) => int.TryParse(
        Environment.GetEnvironmentVariable(name), NumberStyles.None, CultureInfo.InvariantCulture, out var value)
        ? value : otherwise;

    private async Task LearnAsync(Vocabulary words)
    {
        foreach (var list in Rpc.All.Where(rpc => rpc.Method.Name.StartsWith("List", StringComparison.Ordinal)))
        {
            try
            {
                var request = list.Method.InputType.Parser.ParseFrom(ByteString.Empty);
                list.Field("page_size")?.Accessor.SetValue(request, 3);
                words.Learn(await list.AskAsync(cloudlet.Invoker(list.Host), request, Ct));
            }
            catch (RpcException e) when (e.StatusCode == StatusCode.InvalidArgument)
            {
                // A list below another resource needs to know which.
            }
        }
    }

    /// <summary>A few of every noun, in every state that there is.</summary>
    private async Task FurnishAsync()
    {
        var installations = new InstallationService.InstallationServiceClient(cloudlet.Invoker("installation"));
        var clusters = new ClusterService.ClusterServiceClient(cloudlet.Invoker("cluster"));
        var servers = new DatabaseServerService.DatabaseServerServiceClient(cloudlet.Invoker("databasepool"));
        var databases = new LogicalDatabaseService.LogicalDatabaseServiceClient(cloudlet.Invoker("databasepool"));
        var made = new ClusterInstallationService.ClusterInstallationServiceClient(cloudlet.Invoker("cluster"));
        var server = await servers.RegisterDatabaseServerAsync(
            new()
            {
                DatabaseServer = new() { DisplayName = "first", Host = "127.0.0.1", Port = 1, AdminUser = "a" },
                AdminPassword = "p",
            },
            cancellationToken: Ct);
        await ExecuteAsync("databasepool", "UPDATE database_servers SET state = 'stable', reachable = true");
        var cluster = await clusters.ImportClusterAsync(
            new() { Cluster = new() { DisplayName = "first" }, Kubeconfig = Kubeconfig }, cancellationToken: Ct);
        foreach (var n in Enumerable.Range(0, 24))
        {
            var installation = await installations.CreateInstallationAsync(
                new() { NameHint = $"furniture{n}" }, cancellationToken: Ct);
            var database = await databases.CreateLogicalDatabaseAsync(
                new() { LogicalDatabase = new() { Installation = installation.Name } }, cancellationToken: Ct);
            await made.CreateClusterInstallationAsync(
                new()
                {
                    ClusterInstallation = new()
                    {
                        Installation = installation.Name,
                        Cluster = cluster.Name,
                        Spec = new()
                        {
                            Version = "1", Image = "i", Size = "miniSingleton", DnsNames = { "a.localhost" },
                            LogicalDatabase = database.Name,
                        },
                    },
                },
                cancellationToken: Ct);
        }

        await SpreadAsync("installation", "installations", StateNames<Installations.InstallationState>.All);
        await SpreadAsync(
            "cluster", "cluster_installations", StateNames<ClusterInstallations.ClusterInstallationState>.All);
        await SpreadAsync(
            "databasepool", "logical_databases", StateNames<LogicalDatabases.LogicalDatabaseState>.All);
        await FurnishWebhooksAsync();
        Assert.NotEmpty(server.Name);
    }

    /// <summary>Webhooks of a receiver that is not there, each with a delivery.</summary>
    private async Task FurnishWebhooksAsync()
    {
        var webhooks = new WebhookService.WebhookServiceClient(cloudlet.Invoker("metrics"));
        foreach (var n in Enumerable.Range(0, 3))
        {
            var webhook = await webhooks.CreateWebhookAsync(
                new() { Webhook = new() { DisplayName = $"furniture{n}", Url = "http://127.0.0.1:9/hook" } },
                cancellationToken: Ct);
            await webhooks.TestWebhookAsync(new() { Name = webhook.Name }, cancellationToken: Ct);
        }
    }

    private const string Kubeconfig =
        """
        {"current-context":"c","clusters":[{"name":"c","cluster":{"server":"https://127.0.0.1:9"}}],
        "users":[{"name":"u","user":{"token":"t"}}],"contexts":[{"name":"c","context":{"cluster":"c","user":"u"}}]}
        """;

    private Task SpreadAsync(string host, string table, IReadOnlyList<string> states) => ExecuteAsync(
        host,
        $"""
        UPDATE {table} AS t SET state = (ARRAY['{string.Join("','", states)}'])[1 + n % {states.Count}]
          FROM (SELECT id, row_number() OVER (ORDER BY id)::int AS n FROM {table}) AS numbered
         WHERE numbered.id = t.id
        """);

    private async Task ExecuteAsync(string host, string sql)
    {
        await using var connection = await cloudlet.OpenAsync(host, Ct);
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync(Ct);
    }

    private sealed class Trial(CallInvoker invoker, RowWatch rows, Vocabulary words, string sum)
    {
        public CallInvoker Invoker => invoker;

        public RowWatch Rows => rows;

        public Vocabulary Words => words;

        public string Sum { get; set; } = sum;

        /// <summary>How often each code was the answer.</summary>
        public Dictionary<string, int> Answers { get; } = [];

        public List<string> Wrong { get; } = [];

        public void Blame(Rpc rpc, IMessage request, string what)
        {
            var shown = request.ToString()!;
            Wrong.Add($"{rpc}: {what}\n  {(shown.Length > 600 ? shown[..600] + "..." : shown)}");
        }
    }
}
