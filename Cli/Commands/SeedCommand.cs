using System.CommandLine;
using Cloud.Cli.Output;
using Cloud.Protos.Cluster.V1;
using Cloud.Protos.DatabasePool.V1;
using Cloud.Protos.Installation.V1;
using Grpc.Core;

namespace Cloud.Cli.Commands;

/// <summary>
/// Furnishes a development world: imports each context of a kubeconfig, registers a database server, makes the
/// workspace <c>hello</c> and waits until it answers. What is there already is left alone, so it runs at every start.
/// </summary>
internal static class SeedCommand
{
    private const string FirstWorkspace = "hello";
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(200);

    public static Command Create()
    {
        var kubeconfig = new Option<FileInfo>("--kubeconfig")
        {
            Description = "each of its contexts becomes a cluster", Required = true,
        };
        var contexts = new Option<string[]>("--context")
        {
            Description = "contexts of it, one per cluster", Required = true, AllowMultipleArgumentsPerToken = true,
        };
        var host = new Option<string>("--database-host") { DefaultValueFactory = _ => "127.0.0.1" };
        var port = new Option<int>("--database-port") { Required = true };
        var user = new Option<string>("--database-user") { Required = true };
        var timeout = new Option<double>("--timeout") { Description = "seconds", DefaultValueFactory = _ => 90 }
            .Above(0, Bounds.LongestTimeout.TotalSeconds);
        var command = new Command("seed", "Furnish a development world; ./cloud up does this.")
        {
            kubeconfig, contexts, host, port, user, timeout,
        };
        command.Hidden = true;
        command.Run(async (session, parsed, ct) =>
        {
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(ct);
            limit.CancelAfter(TimeSpan.FromSeconds(parsed.GetValue(timeout)));
            try
            {
                await ClustersAsync(
                    session, parsed.GetValue(kubeconfig)!, parsed.GetValue(contexts)!, limit.Token);
                await ServerAsync(
                    session, parsed.GetValue(host)!, parsed.GetValue(port), parsed.GetValue(user)!, limit.Token);
                await ClustersAreReadyAsync(session, limit.Token);
                await WorkspaceAsync(session, limit.Token);
                return ExitCode.Done;
            }
            catch (Exception e) when (e is OperationCanceledException or RpcException
                                      && limit.IsCancellationRequested && !ct.IsCancellationRequested)
            {
                throw new Refusal(ExitCode.TimedOut, "The development world was not furnished in time.",
                    "Look: cloud status; cloud clusters; cloud databases; cloud why hello");
            }
        });
        return command;
    }

    private static async Task ClustersAsync(
        Session session, FileInfo kubeconfig, string[] contexts, CancellationToken ct)
    {
        var text = await GivenFile.ReadAsync(kubeconfig, ct);
        var known = await Patiently(() => ClusterCommands.AllAsync(session, showDeleted: true, ct), ct);
        foreach (var context in contexts.Where(context => known.TrueForAll(c => c.DisplayName != context)))
        {
            Screen.Note($"importing cluster {context}");
            await Patiently(async () => await session.Clusters.ImportClusterAsync(
                new ImportClusterRequest
                {
                    Cluster = new() { DisplayName = context, AllowInstallations = true },
                    Kubeconfig = text,
                    Context = context,
                },
                cancellationToken: ct), ct);
        }
    }

    /// <summary>Only a first workspace asks for a place before there can be one; waiting here spares it the
    /// retry.</summary>
    private static async Task ClustersAreReadyAsync(Session session, CancellationToken ct)
    {
        while ((await Patiently(() => ClusterCommands.AllAsync(session, showDeleted: false, ct), ct))
            .Exists(cluster => cluster.State.StartsWith("provision-", StringComparison.Ordinal)
                || cluster.State.EndsWith("-requested", StringComparison.Ordinal)))
        {
            await Task.Delay(Pause, TimeProvider.System, ct);
        }
    }

    private static async Task ServerAsync(Session session, string host, int port, string user, CancellationToken ct)
    {
        var known = await Patiently(() => DatabaseCommands.ServersAsync(session, ct), ct);
        if (known.Exists(server => server.Host == host && server.Port == port))
        {
            return;
        }

        Screen.Note("registering the local PostgreSQL as database server");
        var password = Environment.GetEnvironmentVariable("CLOUD_DATABASE_PASSWORD") ?? string.Empty;
        await Patiently(async () => await session.DatabaseServers.RegisterDatabaseServerAsync(
            new RegisterDatabaseServerRequest
            {
                DatabaseServer = new()
                {
                    DisplayName = "local", Host = host, Port = port, AdminUser = user, AllowDatabases = true,
                },
                AdminPassword = password,
            },
            cancellationToken: ct), ct);
    }

    private static async Task WorkspaceAsync(Session session, CancellationToken ct)
    {
        var found = await Patiently(async () => await session.Installations.ListInstallationsAsync(
            new() { Filter = new() { DnsName = FirstWorkspace, ShowDeleted = true } }, cancellationToken: ct), ct);
        if (found.Installations.Count > 0)
        {
            // Whatever was made of it since, even its deletion, is not undone by a restart.
            await SettledAsync(session, found.Installations[0], ct);
            return;
        }

        Screen.Note($"creating workspace {FirstWorkspace}");
        var made = await new Progress(session, Timeout.InfiniteTimeSpan).RunAsync(
            FirstWorkspace,
            token => session.Installations.CreateInstallationAsync(
                new()
                {
                    NameHint = FirstWorkspace,
                    Installation = new() { OwnerId = "example", Size = "miniSingleton" },
                },
                cancellationToken: token).ResponseAsync,
            ct);
        if (made.State != "stable")
        {
            throw new Refusal(
                ExitCode.Failed, $"{FirstWorkspace} is {made.State}.", $"Look: cloud why {FirstWorkspace}");
        }

        await AnswersAsync(made.Url, ct);
    }

    /// <summary>A workspace whose creation was cut short is waited for; one that is up must answer.</summary>
    private static async Task SettledAsync(Session session, Installation first, CancellationToken ct)
    {
        while (first.State.StartsWith("creation-", StringComparison.Ordinal) && first.State != "creation-failed")
        {
            await Task.Delay(Pause, TimeProvider.System, ct);
            var name = first.Name;
            first = await Patiently(
                async () => await session.Installations.GetInstallationAsync(
                    new() { Name = name }, cancellationToken: ct), ct);
        }

        if (first.State == "stable")
        {
            await AnswersAsync(first.Url, ct);
        }
    }

    private static async Task AnswersAsync(string url, CancellationToken ct)
    {
        // A workspace's host name need not resolve on this machine; its first simulated ingress is on loopback.
        using var client = new HttpClient();
        var address = new UriBuilder(url) { Host = "127.0.0.1" }.Uri;
        while (true)
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, address);
            request.Headers.Host = new Uri(url).Authority;
            try
            {
                using var answer = await client.SendAsync(request, ct);
                if (answer.IsSuccessStatusCode)
                {
                    return;
                }
            }
            catch (HttpRequestException)
            {
                // The ingress may still be starting.
            }

            await Task.Delay(Pause, TimeProvider.System, ct);
        }
    }

    /// <summary>The services may still be starting.</summary>
    private static async Task<T> Patiently<T>(Func<Task<T>> ask, CancellationToken ct)
    {
        while (true)
        {
            try
            {
                return await ask();
            }
            catch (RpcException e) when (e.StatusCode is StatusCode.Unavailable or StatusCode.DeadlineExceeded)
            {
                await Task.Delay(Pause, TimeProvider.System, ct);
            }
        }
    }
}
