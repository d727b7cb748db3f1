using System.CommandLine;
using Cloud.Protos.Metrics.V1;

namespace Cloud.Cli.Commands;

/// <summary>What a webhook shall be, as options of <c>webhooks create</c> and <c>webhooks update</c>.</summary>
internal sealed class WebhookOptions
{
    private static readonly Func<System.CommandLine.Parsing.ArgumentResult, string[]> Nothing = _ => [];

    private readonly Option<string[]> _nouns = Many("--resource-type", "only these nouns, such as installation");

    private readonly Option<string[]> _types = Many(
        "--type", "only these events: created, state-changed, updated, deleted");

    private readonly Option<string[]> _prefixes = Many(
        "--resource", "only resources whose names begin so, such as installations/");

    private readonly Option<string[]> _states = Many("--state", "only what is in one of these states afterwards");

    private readonly Option<string?> _workspace = new("--workspace") { Description = "only what belongs to this one" };

    private readonly Option<string[]> _headers = new("--header")
    {
        Description = "send along, as 'name: value'; a value like $TOKEN is read from that variable",
        DefaultValueFactory = Nothing,
    };

    public void AddTo(Command command)
    {
        foreach (var option in new Option[] { _nouns, _types, _prefixes, _states, _workspace, _headers })
        {
            command.Options.Add(option);
        }
    }

    /// <summary>Whether anything of the filter was given.</summary>
    public bool HasFilter(ParseResult parsed) =>
        new Option[] { _nouns, _types, _prefixes, _states, _workspace }.Any(
            option => parsed.GetResult(option) is { Implicit: false });

    public async Task<WebhookFilter> FilterAsync(Session session, ParseResult parsed, CancellationToken ct)
    {
        var filter = new WebhookFilter
        {
            ResourceTypes = { parsed.GetValue(_nouns)! },
            Types_ = { parsed.GetValue(_types)! },
            ResourcePrefixes = { parsed.GetValue(_prefixes)! },
            States = { parsed.GetValue(_states)! },
        };
        if (parsed.GetValue(_workspace) is { } words)
        {
            filter.Installation = (await Lookup.InstallationAsync(session, words, ct)).Name;
        }

        return filter;
    }

    /// <summary>Headers as given. Arguments show in process lists, so values may stand in variables.</summary>
    public IEnumerable<(string Name, string Value)> Headers(ParseResult parsed)
    {
        foreach (var header in parsed.GetValue(_headers)!)
        {
            if (header.Split(':', 2) is not [var name, var value])
            {
                throw new Refusal(ExitCode.Usage, $"\"{header}\" is no header: write 'name: value'.");
            }

            value = value.Trim();
            if (value is ['$', .. var variable])
            {
                value = Environment.GetEnvironmentVariable(variable)
                    ?? throw new Refusal(ExitCode.Usage, $"The value of {name} is expected in {variable}.");
            }

            yield return (name.Trim().ToLowerInvariant(), value);
        }
    }

    private static Option<string[]> Many(string name, string description) => new(name)
    {
        Description = description, AllowMultipleArgumentsPerToken = true, DefaultValueFactory = Nothing,
    };
}
