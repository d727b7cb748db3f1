using System.CommandLine;
using Cloud.Cli;
using Cloud.Cli.Commands;
using Cloud.Cli.Output;

var root = new RootCommand("""
    Cloud: one deployment, one database and one address for every customer.

    A workspace may be named by its address (acme or acme.localhost), its id, or installations/<id>.
    A first walk:
      cloud create acme --size 1000users     make a workspace and see each state as it happens
      cloud list                             what there is
      cloud why acme                         what it waits for, since when, and who can act
      cloud hibernate acme; cloud wake acme  stop it and start it again
      cloud delete acme                      stop it and keep it a while; cancel-deletion takes that back

    Exit codes: 0 done, 1 it ended in a failed state, 2 wrong words or values, 3 no such thing, 4 not allowed in this
    state or changed meanwhile, 5 the cloud does not answer or has no room, 6 it took longer than --timeout, 7 a fault
    of the program itself, 130 Ctrl+C.
    """);
root.Options.Add(Session.Output);
root.Options.Add(Session.Host);
root.Options.Add(Session.Trace);
foreach (var command in LifecycleCommands.All()
             .Concat(ReadCommands.All())
             .Concat([ClusterCommands.Create(), DatabaseCommands.Create(), EventCommands.Create()])
             .Concat([WebhookCommands.Create(), StatusCommand.Create(), SeedCommand.Create()]))
{
    root.Subcommands.Add(command);
}

var parsed = root.Parse(args);
if (args.Length > 0 && parsed.Errors.Count > 0)
{
    Errors.Tell(parsed);
    return ExitCode.Usage;
}

var exitCode = await parsed.InvokeAsync();
return parsed.Errors.Count > 0 ? ExitCode.Usage : exitCode;
