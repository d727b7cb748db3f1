using System.CommandLine;
using System.Globalization;
using Cloud.Cli.Output;
using Cloud.Protos.Cluster.V1;

namespace Cloud.Cli.Commands;

/// <summary>Application clusters: looked at, imported, opened or closed for new workspaces, let go.</summary>
internal static class ClusterCommands
{
    private static readonly string[] Headers =
        ["NAME", "STATE", "REACHABLE", "NODES", "CPU", "MEMORY", "PODS", "WORKSPACES", "PLACES", "VERSION", "ID"];

    public static Command Create()
    {
        var deleted = new Option<bool>("--deleted") { Description = "also those that were let go" };
        var command = new Command("clusters", "The application clusters and the room in them.")
        {
            deleted, Import(), Provision(), Allow("open", true), Allow("close", false), Delete(), Why(),
        };
        command.Run(async (session, parsed, ct) =>
        {
            var found = await AllAsync(session, parsed.GetValue(deleted), ct);
            if (session.Format is OutputFormat.Json)
            {
                Screen.Documents(found);
            }
            else if (found.Count == 0)
            {
                Screen.Note("No clusters. Take one in: cloud clusters import --help");
            }
            else
            {
                Screen.Table(Headers, found.Select(Row));
            }

            return ExitCode.Done;
        });
        return command;
    }

    public static Task<List<Cluster>> AllAsync(Session session, bool showDeleted, CancellationToken ct) =>
        Pages.ReadAsync(
            (size, token) => session.Clusters.ListClustersAsync(
                new() { ShowDeleted = showDeleted, PageSize = size, PageToken = token }, cancellationToken: ct),
            page => (page.Clusters, page.NextPageToken));

    private static Command Import()
    {
        var name = new Argument<string>("name") { Description = "what people will call it" };
        var file = new Option<FileInfo>("--kubeconfig") { Description = "kubeconfig file", Required = true };
        var context = new Option<string>("--context") { Description = "context in it (default: its current one)" };
        var command = new Command("import", "Take an existing cluster under management.") { name, file, context };
        command.Run(async (session, parsed, ct) =>
        {
            var cluster = await session.Clusters.ImportClusterAsync(
                new()
                {
                    Cluster = new() { DisplayName = parsed.GetValue(name)!, AllowInstallations = true },
                    Kubeconfig = await GivenFile.ReadAsync(parsed.GetValue(file)!, ct),
                    Context = parsed.GetValue(context) ?? string.Empty,
                },
                cancellationToken: ct);
            return Tell(session, cluster, $"{cluster.DisplayName} is {cluster.State}. See it with: cloud clusters");
        });
        return command;
    }

    private static Command Allow(string word, bool allow)
    {
        var name = Name();
        var command = new Command(word, allow ? "Let new workspaces in." : "No new workspaces; those in it stay.")
        {
            name,
        };
        command.Run(async (session, parsed, ct) =>
        {
            var found = await FindAsync(session, parsed.GetValue(name)!, ct);
            var cluster = await session.Clusters.UpdateClusterAsync(
                new()
                {
                    Cluster = new() { Name = found.Name, AllowInstallations = allow },
                    UpdateMask = new() { Paths = { "allow_installations" } },
                },
                cancellationToken: ct);
            return Tell(session, cluster, $"{cluster.DisplayName} {(allow ? "takes" : "takes no")} new workspaces.");
        });
        return command;
    }

    private static Command Provision()
    {
        var name = Name();
        var command = new Command("provision", "Install what belongs into a cluster again; the way out of a failure.")
        {
            name,
        };
        command.Run(async (session, parsed, ct) =>
        {
            var found = await FindAsync(session, parsed.GetValue(name)!, ct);
            var cluster = await session.Clusters.ProvisionClusterAsync(
                new() { Name = found.Name }, cancellationToken: ct);
            return Tell(session, cluster, $"{cluster.DisplayName} is {cluster.State}. See it with: cloud clusters");
        });
        return command;
    }

    private static Command Delete()
    {
        var name = Name();
        var force = new Option<bool>("--force")
        {
            Description = "forget it though it does not answer; what is ours in it stays there",
        };
        var command = new Command("delete", "Let a cluster without workspaces go; the cluster itself stays.")
        {
            name, force,
        };
        command.Run(async (session, parsed, ct) =>
        {
            var found = await FindAsync(session, parsed.GetValue(name)!, ct);
            var cluster = await session.Clusters.DeleteClusterAsync(
                new() { Name = found.Name, Force = parsed.GetValue(force) }, cancellationToken: ct);
            var left = cluster.LeftBehind.Count == 0
                ? string.Empty
                : $" Left behind in it: {string.Join(", ", cluster.LeftBehind)}.";
            return Tell(session, cluster, $"{cluster.DisplayName} is {cluster.State}.{left}");
        });
        return command;
    }

    private static Command Why()
    {
        var name = Name();
        var command = new Command("why", "What a cluster waits for, and who can act.") { name };
        command.Run(async (session, parsed, ct) =>
        {
            var found = await FindAsync(session, parsed.GetValue(name)!, ct);
            var why = await session.Clusters.WhyClusterAsync(new() { Name = found.Name }, cancellationToken: ct);
            Chain.Print(session, why, why.Chain);
            return ExitCode.Done;
        });
        return command;
    }

    private static Argument<string> Name() => new("cluster") { Description = "its name, id or clusters/<id>" };

    private static async Task<Cluster> FindAsync(Session session, string words, CancellationToken ct)
    {
        var all = await AllAsync(session, showDeleted: false, ct);
        return all.Find(c => c.DisplayName == words || c.Name == words || Words.Id(c.Name) == words)
            ?? throw new Refusal(ExitCode.NotFound, $"There is no cluster \"{words}\".", "See: cloud clusters");
    }

    private static int Tell(Session session, Cluster cluster, string sentence)
    {
        if (session.Format is OutputFormat.Json)
        {
            Screen.Document(cluster);
        }
        else
        {
            Screen.Line(sentence);
        }

        return ExitCode.Done;
    }

    private static IReadOnlyList<string> Row(Cluster cluster)
    {
        var room = cluster.Capacity ?? new();
        return
        [
            cluster.DisplayName, cluster.State, cluster.Reachable ? "yes" : $"no: {cluster.UnreachableReason}",
            room.Nodes.ToString(CultureInfo.InvariantCulture),
            $"{Words.Cores(room.CpuMillisRequested)}/{Words.Cores(room.CpuMillisAllocatable)}",
            $"{Words.Gibibytes(room.MemoryBytesRequested)}/{Words.Gibibytes(room.MemoryBytesAllocatable)}",
            string.Create(CultureInfo.InvariantCulture, $"{room.PodsRequested}/{room.PodsAllocatable}"),
            cluster.InstallationCount.ToString(CultureInfo.InvariantCulture),
            cluster.AllowInstallations ? "open" : "closed", Words.OrNone(cluster.KubernetesVersion),
            Words.Id(cluster.Name),
        ];
    }
}
