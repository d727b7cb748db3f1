using System.CommandLine;
using Cloud.Cli.Output;
using Cloud.Protos.Installation.V1;
using Google.Protobuf.WellKnownTypes;

namespace Cloud.Cli.Commands;

/// <summary>The verbs that change a workspace. Each follows the work until it rests unless told
/// <c>--no-wait</c>.</summary>
internal static class LifecycleCommands
{
    private static readonly Option<bool> NoWait = new("--no-wait")
    {
        Description = "answer at once; the work goes on by itself",
    };

    private static readonly Option<double> Timeout = new Option<double>("--timeout")
    {
        Description = "seconds to follow the work before giving up on watching it",
        DefaultValueFactory = _ => 600,
    }.Above(0, Bounds.LongestTimeout.TotalSeconds);

    private static readonly Option<bool> Now = new("--now") { Description = "final at once; cannot be cancelled" };

    private static readonly Option<string> RequestId = new("--request-id")
    {
        Description = "makes repeating this command safe: the same id answers the same result for 24 hours",
        DefaultValueFactory = _ => string.Empty,
    };

    public static IEnumerable<Command> All() =>
        [Create(), Update(), Hibernate(), Wake(), Delete(), CancelDeletion(), Retry()];

    private static Command Create()
    {
        var name = new Argument<string>("name")
        {
            Description = "first label of its address (acme), or the whole host name (acme.example.com)",
        };
        var fields = new WorkspaceOptions();
        var owner = new Option<string>("--owner") { Description = "your id of the customer" };
        var affinity = new Option<string>("--affinity") { Description = "multitenant (default) or isolated" };
        var validate = new Option<bool>("--validate-only") { Description = "only check; nothing is made" };
        var command = new Command("create", "Make a workspace and show each state as it happens.")
        {
            name, owner, affinity, validate, NoWait, Timeout, RequestId,
        };
        fields.AddTo(command);
        command.Run(async (session, parsed, ct) =>
        {
            var words = parsed.GetValue(name)!.Trim().ToLowerInvariant();
            if (words.Trim('.').Length == 0)
            {
                throw new Refusal(ExitCode.Usage, "A workspace needs a name. Is a variable not set?");
            }

            var wanted = new Installation
            {
                OwnerId = parsed.GetValue(owner) ?? string.Empty,
                Affinity = parsed.GetValue(affinity) ?? string.Empty,
            };
            fields.Read(parsed, wanted);
            var request = new CreateInstallationRequest
            {
                Installation = wanted,
                RequestId = parsed.GetValue(RequestId)!,
                ValidateOnly = parsed.GetValue(validate),
            };
            if (words.Contains('.', StringComparison.Ordinal))
            {
                wanted.DnsNames.Add(words);
            }
            else
            {
                request.NameHint = words;
            }

            Task<Installation> Ask(CancellationToken token) =>
                session.Installations.CreateInstallationAsync(request, cancellationToken: token).ResponseAsync;
            if (request.ValidateOnly)
            {
                Screen.Document(await Ask(ct));
                return ExitCode.Done;
            }

            return await FinishAsync(session, parsed, words, Ask, ct);
        });
        return command;
    }

    private static Command Update()
    {
        var fields = new WorkspaceOptions();
        var owner = new Option<string>("--owner") { Description = "your id of the customer" };
        var dns = new Option<string[]>("--dns")
        {
            Description = "all host names from now on, the primary one first",
            AllowMultipleArgumentsPerToken = true,
        };
        var command = Verb("update", "Change version, image, size, environment, owner or host names.",
            (session, parsed, installation, token) =>
            {
                var wanted = new Installation { Name = installation.Name };
                var mask = new FieldMask();
                fields.Read(parsed, wanted, mask);
                if (parsed.GetResult(owner) is not null)
                {
                    wanted.OwnerId = parsed.GetValue(owner)!;
                    mask.Paths.Add("owner_id");
                }

                if (parsed.GetValue(dns) is { Length: > 0 } names)
                {
                    wanted.DnsNames.AddRange(names);
                    mask.Paths.Add("dns_names");
                }

                if (mask.Paths.Contains("mattermost_env"))
                {
                    fields.Keep(installation, wanted, parsed);
                }

                if (mask.Paths.Count == 0)
                {
                    throw new Refusal(ExitCode.Usage, "Nothing to change was given.", "See: cloud update --help");
                }

                return session.Installations.UpdateInstallationAsync(
                    new() { Installation = wanted, UpdateMask = mask, RequestId = parsed.GetValue(RequestId)! },
                    cancellationToken: token).ResponseAsync;
            });
        command.Options.Add(owner);
        command.Options.Add(dns);
        fields.AddTo(command);
        return command;
    }

    private static Command Hibernate() => Verb(
        "hibernate", "Stop a workspace's pods; database, files and address stay. Its URL answers 410.",
        (session, parsed, installation, token) => session.Installations.HibernateInstallationAsync(
            new() { Name = installation.Name, RequestId = parsed.GetValue(RequestId)! },
            cancellationToken: token).ResponseAsync);

    private static Command Wake()
    {
        var command = Verb("wake", "Start a hibernating workspace again.",
            (session, parsed, installation, token) => session.Installations.WakeUpInstallationAsync(
                new() { Name = installation.Name, RequestId = parsed.GetValue(RequestId)! },
                cancellationToken: token).ResponseAsync);
        command.Aliases.Add("wake-up");
        return command;
    }

    private static Command Delete()
    {
        var pending = new Option<double?>("--pending")
        {
            Description = "seconds that the deletion can still be cancelled (default: the service's setting)",
        }.From(0, Bounds.LongestSpan.TotalSeconds);
        var command = Verb("delete", "Stop a workspace and delete it after a while; cancel-deletion takes it back.",
            (session, parsed, installation, token) =>
            {
                var request = new DeleteInstallationRequest
                {
                    Name = installation.Name,
                    RequestId = parsed.GetValue(RequestId)!,
                    Force = parsed.GetValue(Now),
                };
                var seconds = parsed.GetValue(Now) ? 0 : parsed.GetValue(pending);
                if (seconds is { } wait)
                {
                    request.PendingTime = Duration.FromTimeSpan(TimeSpan.FromSeconds(wait));
                }

                return session.Installations.DeleteInstallationAsync(request, cancellationToken: token).ResponseAsync;
            });
        command.Options.Add(pending);
        command.Options.Add(Now);
        command.Excludes(Now, pending);
        return command;
    }

    private static Command CancelDeletion() => Verb(
        "cancel-deletion", "Take a pending deletion back; the workspace wakes up.",
        (session, parsed, installation, token) => session.Installations.CancelInstallationDeletionAsync(
            new() { Name = installation.Name, RequestId = parsed.GetValue(RequestId)! },
            cancellationToken: token).ResponseAsync);

    private static Command Retry()
    {
        var name = new Argument<string>("resource")
        {
            Description = "a workspace's address or id, or the name of any resource, such as logicalDatabases/<id>",
        };
        var command = new Command(
            "retry", "Try again what ended in a failed state; of webhooks/<id>, deliver what was not.")
        {
            name, NoWait, Timeout, RequestId,
        };
        command.Run(async (session, parsed, ct) =>
        {
            var words = parsed.GetValue(name)!;
            var requestId = parsed.GetValue(RequestId)!;
            if (await Resources.RetryAsync(session, words, requestId, ct) is { } resource)
            {
                Screen.Document(resource);
                return ExitCode.Done;
            }

            var installation = await Lookup.InstallationAsync(session, words, ct);
            return await FinishAsync(
                session,
                parsed,
                installation.DnsNames[0],
                token => session.Installations.RetryInstallationAsync(
                    new() { Name = installation.Name, RequestId = requestId }, cancellationToken: token).ResponseAsync,
                ct);
        });
        return command;
    }

    private static Command Verb(
        string word, string help, Func<Session, ParseResult, Installation, CancellationToken, Task<Installation>> ask)
    {
        var name = new Argument<string>("workspace") { Description = "address, id or installations/<id>" };
        var command = new Command(word, help) { name, NoWait, Timeout, RequestId };
        command.Run(async (session, parsed, ct) =>
        {
            var installation = await Lookup.InstallationAsync(session, parsed.GetValue(name)!, ct);
            return await FinishAsync(
                session, parsed, installation.DnsNames[0], token => ask(session, parsed, installation, token), ct);
        });
        return command;
    }

    private static async Task<int> FinishAsync(
        Session session, ParseResult parsed, string dnsName, Func<CancellationToken, Task<Installation>> ask,
        CancellationToken ct)
    {
        var installation = parsed.GetValue(NoWait)
            ? await ask(ct)
            : await new Progress(
                session,
                TimeSpan.FromSeconds(parsed.GetValue(Timeout)),
                untilDeleted: parsed.GetResult(Now) is not null && parsed.GetValue(Now)).RunAsync(dnsName, ask, ct);
        if (session.Format is OutputFormat.Json)
        {
            Screen.Document(installation);
        }
        else
        {
            Screen.Line(Ending(installation));
        }

        if (!installation.State.EndsWith("-failed", StringComparison.Ordinal))
        {
            return ExitCode.Done;
        }

        throw new Refusal(
            ExitCode.Failed,
            $"{installation.DnsNames[0]} is {installation.State}: {installation.Progress?.LastError?.Message}",
            $"Look: cloud why {installation.Name}   Then: cloud retry {installation.Name}, or cloud delete");
    }

    private static string Ending(Installation installation) => installation.State switch
    {
        "stable" => $"{installation.DnsNames[0]} is stable at {installation.Url}",
        "deletion-pending" => $"{installation.DnsNames[0]} is stopped and will be gone for good at "
            + $"{Words.Moment(installation.PurgeTime)}. Take it back: cloud cancel-deletion {installation.Name}",
        "deleted" => $"{installation.DnsNames[0]} is deleted.",
        _ => $"{installation.DnsNames[0]} is {installation.State} ({installation.Name})",
    };
}
