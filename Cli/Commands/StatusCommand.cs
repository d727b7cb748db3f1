using System.CommandLine;
using System.Globalization;
using Cloud.Cli.Output;
using Cloud.Protos.Metrics.V1;

namespace Cloud.Cli.Commands;

/// <summary>The fleet in one screen.</summary>
internal static class StatusCommand
{
    public static Command Create()
    {
        var command = new Command("status", "The fleet in numbers: what rests, what moves, what failed.");
        command.Run(async (session, _, ct) =>
        {
            var fleet = await session.Fleet.GetFleetStatusAsync(new(), cancellationToken: ct);
            if (session.Format is OutputFormat.Json)
            {
                Screen.Document(fleet);
                return ExitCode.Done;
            }

            Screen.Line($"workspaces {fleet.Installations}: {fleet.InstallationsStable} stable, "
                + $"{fleet.InstallationsHibernating} hibernating, {fleet.InstallationsUpdating} being worked on, "
                + $"{fleet.InstallationsDeletionPending} waiting for deletion, {fleet.InstallationsFailed} failed");
            if (fleet.Resources.Count > 0)
            {
                Screen.Table(["RESOURCE", "STATE", "COUNT"], fleet.Resources.SelectMany(Rows));
            }

            Screen.Table(["FEED OF", "TAKEN UP TO", "AT"], fleet.Sources.Select(source => (IReadOnlyList<string>)
            [
                source.Source, source.SourceSequence.ToString(CultureInfo.InvariantCulture),
                Words.Moment(source.OccurTime),
            ]));
            return ExitCode.Done;
        });
        return command;
    }

    private static IEnumerable<IReadOnlyList<string>> Rows(ResourceCount count) =>
        count.ByState.OrderBy(pair => pair.Key, StringComparer.Ordinal).Select(pair => (IReadOnlyList<string>)
            [count.ResourceType, pair.Key, pair.Value.ToString(CultureInfo.InvariantCulture)]);
}
