using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Cloud.AppHost;

/// <summary>Says "ready", and what to type next, once the world is furnished and its first workspace answers.</summary>
internal sealed class Welcome(ResourceNotificationService notifications, World world) : BackgroundService
{
    private const string Seed = "seed";

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var end = await notifications.WaitForResourceAsync(
            Seed, e => KnownResourceStates.TerminalStates.Contains(e.Snapshot.State?.Text), stoppingToken);
        if (stoppingToken.IsCancellationRequested)
        {
            return;
        }

        await Console.Out.WriteLineAsync(end.Snapshot.ExitCode == 0 ? Ready() : NotFurnished());
    }

    private string Ready() =>
        $"""

        ready

          the first workspace:   curl http://hello.localhost:{world.Port(8080)}/
          another one:           {Prefix}./cloud create acme --size 1000users
          what there is:         {Prefix}./cloud list; {Prefix}./cloud status
          the clusters inside:   kubectl --kubeconfig {world.KubeconfigPath} get pods -A
          logs:                  {Logs}
          stop:                  Ctrl+C (the world is kept; ./cloud reset empties it)

        """;

    private string NotFurnished() =>
        $"""

        The services run, but furnishing the world failed; not ready.
        The reason is at the end of what seed wrote: {Logs}
        Look: {Prefix}./cloud status; {Prefix}./cloud why hello. Ctrl+C and ./cloud up tries again.
        """;

#if GENUINE_ASPIRE
    private string Logs => $"the dashboard, {Dashboard.Address(world)} (it prints how to sign in above)";
#else
    private string Logs => world.PathOf("logs");
#endif

    private string Prefix => world.PortOffset == 0 ? "" : $"CLOUD_PORT_OFFSET={world.OffsetText} ";
}

/// <summary>Adds what accompanies the programs: <see cref="Welcome"/>, <see cref="ScrapeTargets"/>, and what only
/// Aspire needs.</summary>
internal static class WelcomeExtensions
{
    public static void AddWelcome(this IDistributedApplicationBuilder builder, World world)
    {
        builder.Services.AddSingleton(world);
        builder.Services.AddHostedService<Welcome>();
        builder.Services.AddHostedService<ScrapeTargets>();
#if GENUINE_ASPIRE
        builder.Services.AddHostedService<Revival>();
#endif
    }
}
