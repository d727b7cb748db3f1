using Cloud.Simulator.Controllers;
using Npgsql;

namespace Cloud.Simulator.Applications;

/// <summary>
/// Stands for the Mattermost server: connects to the database that it was given, brings the tables to its version and
/// is ready; with the arguments <c>db migrate</c> it ends after that. Without its database it exits with an error, and
/// so restarts with back-off like the real one.
/// </summary>
internal sealed class MattermostApplication(ApplicationStore store, TimeProvider clock) : IContainerProgram
{
    public static readonly IReadOnlyList<string> Repositories =
        ["mattermost/mattermost-enterprise-edition", "mattermost/mattermost-team-edition"];

    public bool DiesWithSimulator => false;

    public async Task<ContainerExit> RunAsync(ContainerStart start, Action ready, CancellationToken stop)
    {
        if (start.Resumed)
        {
            ready();
        }
        else
        {
            if (DataSource.From(start.Environment, out var problem) is not { } source)
                return new ContainerExit(1, $"Error: failed to initialize the configuration store: {problem}");
            var version = ImageReference.Parse(start.Container.Text("image") ?? "").Version;
            try
            {
                await store.MigrateAsync(source, version, stop);
            }
            catch (NpgsqlException refusal)
            {
                return new ContainerExit(1,
                    $"Error: failed to open database \"{source.Database}\" at {source.Host}:{source.Port} " +
                    $"as \"{source.User}\": {refusal.Message}");
            }
            if (IsMigration(start)) return new ContainerExit(0, $"Database schema migrated to {version}.");
            ready();
        }
        await Task.Delay(Timeout.InfiniteTimeSpan, clock, stop);
        return ContainerExit.Stopped;
    }

    private static bool IsMigration(ContainerStart start)
    {
        var words = start.Container.Texts("command").Concat(start.Container.Texts("args")).ToList();
        var db = words.IndexOf("db");
        return start.RunsToCompletion || (db >= 0 && db + 1 < words.Count && words[db + 1] is "migrate" or "ping");
    }
}
