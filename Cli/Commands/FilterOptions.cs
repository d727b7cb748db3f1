using System.CommandLine;
using Cloud.Protos.Installation.V1;

namespace Cloud.Cli.Commands;

/// <summary>Which workspaces are meant, as options of <c>list</c> and <c>watch</c>.</summary>
internal sealed class FilterOptions
{
    private readonly Option<string> _owner = new("--owner") { Description = "of this owner" };

    private readonly Option<string[]> _state = new("--state")
    {
        Description = "in one of these states, such as stable or update-failed",
        AllowMultipleArgumentsPerToken = true,
        DefaultValueFactory = _ => [],
    };

    private readonly Option<string> _cluster = new("--cluster")
    {
        Description = "in this cluster (clusters/<id> or id)",
    };

    private readonly Option<string> _version = new("--version") { Description = "of this version" };

    private readonly Option<string> _size = new("--size") { Description = "of this size" };

    private readonly Option<bool> _deleted = new("--deleted") { Description = "deleted ones too" };

    public void AddTo(Command command)
    {
        foreach (var option in new Option[] { _owner, _state, _cluster, _version, _size, _deleted })
        {
            command.Options.Add(option);
        }
    }

    public InstallationFilter Read(ParseResult parsed)
    {
        var cluster = parsed.GetValue(_cluster) ?? string.Empty;
        return new InstallationFilter
        {
            OwnerId = parsed.GetValue(_owner) ?? string.Empty,
            States = { parsed.GetValue(_state)! },
            Cluster = cluster.Length == 0 || cluster.Contains('/', StringComparison.Ordinal)
                ? cluster
                : "clusters/" + cluster,
            Version = parsed.GetValue(_version) ?? string.Empty,
            Size = parsed.GetValue(_size) ?? string.Empty,
            ShowDeleted = parsed.GetValue(_deleted),
        };
    }
}
