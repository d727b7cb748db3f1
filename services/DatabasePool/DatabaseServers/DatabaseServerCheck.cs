using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Cloud.DatabaseServers;

/// <summary>Says which database servers do not do, as far as is known: nobody is asked for the sake of this answer. The
/// service can do without any of them: work there waits.</summary>
public sealed class DatabaseServerCheck(DatabaseServerStore servers) : IHealthCheck
{
    private const int NamedMax = 5;

    public async Task<HealthCheckResult> CheckHealthAsync(
        HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        var away = await servers.AwayAsync(cancellationToken);
        return away.Count == 0
            ? HealthCheckResult.Healthy()
            : HealthCheckResult.Degraded(
                "These database servers do not do: " + string.Join("; ", away.Take(NamedMax).Select(Words))
                + (away.Count > NamedMax ? $"; and {away.Count - NamedMax} more" : ""));
    }

    private static string Words(DatabaseServer server) =>
        $"{server.DisplayName} ({(server.LastError is { Length: > 0 } error ? error : server.UnreachableReason)})";
}
