using System.CommandLine;
using Cloud.Protos.Installation.V1;
using Google.Protobuf.WellKnownTypes;

namespace Cloud.Cli.Commands;

/// <summary>What a workspace is made of, as options of <c>create</c> and <c>update</c>.</summary>
internal sealed class WorkspaceOptions
{
    private readonly Option<string> _version = new("--version") { Description = "version (image tag), such as 10.1.0" };

    private readonly Option<string> _image = new("--image") { Description = "image repository" };

    private readonly Option<string> _size = new("--size")
    {
        Description = "miniSingleton, miniHA, cloud10users, cloud100users, 100users, 1000users, 5000users, 10000users "
            + "or 25000users",
    };

    private readonly Option<string[]> _env = new("--env")
    {
        Description = "environment variable NAME=value, or NAME= to take it away (on update); may be repeated",
        DefaultValueFactory = _ => [],
    };

    public void AddTo(Command command)
    {
        command.Options.Add(_version);
        command.Options.Add(_image);
        command.Options.Add(_size);
        command.Options.Add(_env);
    }

    public void Read(ParseResult parsed, Installation wanted, FieldMask? mask = null)
    {
        if (parsed.GetResult(_version) is not null)
        {
            wanted.Version = parsed.GetValue(_version)!;
            mask?.Paths.Add("version");
        }

        if (parsed.GetResult(_image) is not null)
        {
            wanted.Image = parsed.GetValue(_image)!;
            mask?.Paths.Add("image");
        }

        if (parsed.GetResult(_size) is not null)
        {
            wanted.Size = parsed.GetValue(_size)!;
            mask?.Paths.Add("size");
        }

        var pairs = Pairs(parsed);
        foreach (var (name, value) in pairs.Where(pair => pair.Value.Length > 0))
        {
            wanted.MattermostEnv[name] = new EnvVar { Value = value };
        }

        if (pairs.Count > 0)
        {
            mask?.Paths.Add("mattermost_env");
        }
    }

    /// <summary>The API takes the environment whole; what was not named on the command line stays as it is.</summary>
    public void Keep(Installation current, Installation wanted, ParseResult parsed)
    {
        var named = Pairs(parsed);
        foreach (var (name, value) in current.MattermostEnv.Where(pair => !named.ContainsKey(pair.Key)))
        {
            wanted.MattermostEnv[name] = value;
        }
    }

    private Dictionary<string, string> Pairs(ParseResult parsed)
    {
        var wrong = parsed.GetValue(_env)!.Where(text => text.IndexOf('=', StringComparison.Ordinal) < 1).ToList();
        if (wrong.Count > 0)
        {
            throw new Refusal(ExitCode.Usage, $"--env wants NAME=value, not: {string.Join(", ", wrong)}");
        }

        var pairs = parsed.GetValue(_env)!.Select(text => text.Split('=', 2)).ToLookup(p => p[0], p => p[1]);
        return pairs.FirstOrDefault(values => values.Count() > 1) is { } twice
            ? throw new Refusal(ExitCode.Usage, $"--env gives {twice.Key} more than one value.")
            : pairs.ToDictionary(values => values.Key, values => values.Single());
    }
}
