using System.CommandLine;
using System.Globalization;
using Cloud.Cli.Output;
using Cloud.Protos.DatabasePool.V1;

namespace Cloud.Cli.Commands;

/// <summary>The PostgreSQL servers of the pool and the workspaces' databases on them.</summary>
internal static class DatabaseCommands
{
    /// <summary>Where the password of the administrating role is read from: an argument would show in process
    /// lists.</summary>
    private const string PasswordVariable = "CLOUD_DATABASE_PASSWORD";

    private static readonly string[] ServerHeaders =
        ["NAME", "STATE", "REACHABLE", "ADDRESS", "DATABASES", "WEIGHT", "PLACES", "VERSION", "ID"];

    private static readonly string[] DatabaseHeaders =
        ["DATABASE", "STATE", "SERVER", "INSTALLATION", "IN STATE", "ID"];

    public static Command Create()
    {
        var command = new Command("databases", "The database servers and the room on them.")
        {
            Logical(), Register(), Allow("open", true), Allow("close", false), Delete(), Why(),
        };
        command.Run(async (session, _, ct) =>
        {
            var found = await ServersAsync(session, ct);
            if (session.Format is OutputFormat.Json)
            {
                Screen.Documents(found);
            }
            else if (found.Count == 0)
            {
                Screen.Note("No database servers. Take one in: cloud databases register --help");
            }
            else
            {
                Screen.Table(ServerHeaders, found.Select(Row));
            }

            return ExitCode.Done;
        });
        return command;
    }

    public static Task<List<DatabaseServer>> ServersAsync(Session session, CancellationToken ct) =>
        Pages.ReadAsync(
            (size, token) => session.DatabaseServers.ListDatabaseServersAsync(
                new() { PageSize = size, PageToken = token }, cancellationToken: ct),
            page => (page.DatabaseServers, page.NextPageToken));

    private static Command Logical()
    {
        var command = new Command("logical", "The workspaces' own databases.");
        command.Run(async (session, _, ct) =>
        {
            var found = await Pages.ReadAsync(
                (size, token) => session.LogicalDatabases.ListLogicalDatabasesAsync(
                    new() { PageSize = size, PageToken = token }, cancellationToken: ct),
                page => (page.LogicalDatabases, page.NextPageToken));
            if (session.Format is OutputFormat.Json)
            {
                Screen.Documents(found);
            }
            else
            {
                Screen.Table(DatabaseHeaders, found.Select(d => (IReadOnlyList<string>)
                [
                    d.DatabaseName, d.State, Words.Id(d.DatabaseServer), Words.Id(d.Installation),
                    Words.Age(d.Progress?.StateSince), Words.Id(d.Name),
                ]));
            }

            return ExitCode.Done;
        });
        return command;
    }

    private static Command Register()
    {
        var name = new Argument<string>("name") { Description = "what people will call it" };
        var host = new Option<string>("--host-name")
        {
            Description = "host that services and clusters reach it by", Required = true,
        };
        var port = new Option<int>("--port") { Description = "port", DefaultValueFactory = _ => 5432 };
        var user = new Option<string>("--user") { Description = "role with CREATEDB and CREATEROLE", Required = true };
        var limit = new Option<int>("--max-databases") { Description = "how many databases fit (default 300)" };
        var weight = new Option<int>("--weight") { Description = "preference among servers with room (default 100)" };
        var command = new Command(
            "register", $"Take a PostgreSQL server into the pool. Its password is read from {PasswordVariable}.")
        {
            name, host, port, user, limit, weight,
        };
        command.Run(async (session, parsed, ct) =>
        {
            var password = Environment.GetEnvironmentVariable(PasswordVariable)
                ?? throw new Refusal(ExitCode.Usage, $"The password is expected in {PasswordVariable}.");
            var server = await session.DatabaseServers.RegisterDatabaseServerAsync(
                new()
                {
                    DatabaseServer = new()
                    {
                        DisplayName = parsed.GetValue(name)!,
                        Host = parsed.GetValue(host)!,
                        Port = parsed.GetValue(port),
                        AdminUser = parsed.GetValue(user)!,
                        MaxDatabases = parsed.GetValue(limit),
                        Weight = parsed.GetValue(weight),
                        AllowDatabases = true,
                    },
                    AdminPassword = password,
                },
                cancellationToken: ct);
            return Tell(session, server, $"{server.DisplayName} is {server.State}. See it with: cloud databases");
        });
        return command;
    }

    private static Command Allow(string word, bool allow)
    {
        var name = Name();
        var summary = allow ? "Let new databases in." : "No new databases; those on it stay.";
        var command = new Command(word, summary) { name };
        command.Run(async (session, parsed, ct) =>
        {
            var found = await FindAsync(session, parsed.GetValue(name)!, ct);
            var server = await session.DatabaseServers.UpdateDatabaseServerAsync(
                new()
                {
                    DatabaseServer = new() { Name = found.Name, AllowDatabases = allow },
                    UpdateMask = new() { Paths = { "allow_databases" } },
                },
                cancellationToken: ct);
            return Tell(session, server, $"{server.DisplayName} {(allow ? "takes" : "takes no")} new databases.");
        });
        return command;
    }

    private static Command Delete()
    {
        var name = Name();
        var force = new Option<bool>("--force")
        {
            Description = "forget it though it does not answer; what is ours on it stays there",
        };
        var command = new Command("delete", "Let a server without databases go; the server itself stays.")
        {
            name, force,
        };
        command.Run(async (session, parsed, ct) =>
        {
            var found = await FindAsync(session, parsed.GetValue(name)!, ct);
            var server = await session.DatabaseServers.DeleteDatabaseServerAsync(
                new() { Name = found.Name, Force = parsed.GetValue(force) }, cancellationToken: ct);
            var left = server.LeftBehind.Count == 0
                ? string.Empty
                : $" Left behind on it: {string.Join(", ", server.LeftBehind)}.";
            return Tell(session, server, $"{server.DisplayName} is {server.State}.{left}");
        });
        return command;
    }

    private static Command Why()
    {
        var name = Name();
        var command = new Command("why", "What a database server waits for, and who can act.") { name };
        command.Run(async (session, parsed, ct) =>
        {
            var found = await FindAsync(session, parsed.GetValue(name)!, ct);
            var why = await session.DatabaseServers.WhyDatabaseServerAsync(
                new() { Name = found.Name }, cancellationToken: ct);
            Chain.Print(session, why, why.Chain);
            return ExitCode.Done;
        });
        return command;
    }

    private static Argument<string> Name() => new("server") { Description = "its name, id or databaseServers/<id>" };

    private static async Task<DatabaseServer> FindAsync(Session session, string words, CancellationToken ct)
    {
        var all = await ServersAsync(session, ct);
        return all.Find(s => s.DisplayName == words || s.Name == words || Words.Id(s.Name) == words)
            ?? throw new Refusal(
                ExitCode.NotFound, $"There is no database server \"{words}\".", "See: cloud databases");
    }

    private static int Tell(Session session, DatabaseServer server, string sentence)
    {
        if (session.Format is OutputFormat.Json)
        {
            Screen.Document(server);
        }
        else
        {
            Screen.Line(sentence);
        }

        return ExitCode.Done;
    }

    private static IReadOnlyList<string> Row(DatabaseServer server) =>
    [
        server.DisplayName, server.State, server.Reachable ? "yes" : $"no: {server.UnreachableReason}",
        string.Create(CultureInfo.InvariantCulture, $"{server.Host}:{server.Port}"),
        string.Create(CultureInfo.InvariantCulture, $"{server.DatabaseCount}/{server.MaxDatabases}"),
        server.Weight.ToString(CultureInfo.InvariantCulture), server.AllowDatabases ? "open" : "closed",
        Words.OrNone(server.ServerVersion), Words.Id(server.Name),
    ];
}
