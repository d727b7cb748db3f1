using Grpc.Core;
using Grpc.Health.V1;
using Grpc.Net.ClientFactory;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Cloud.ServiceDefaults.Hosting;

/// <summary>Without one of its peers a service serves what it knows itself; work that needs the peer waits. Only the
/// peer's own readiness is asked, never its peers', so that asking cannot run in circles.</summary>
internal sealed class PeerCheck(GrpcClientFactory clients, string peer) : IHealthCheck
{
    private static readonly TimeSpan AnswerWithin = TimeSpan.FromSeconds(2);

    /// <summary>The name under which the client that asks a peer how it is was registered.</summary>
    public static string ClientName(string peer) => $"health of {peer}";

    public async Task<HealthCheckResult> CheckHealthAsync(
        HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        try
        {
            var client = clients.CreateClient<Grpc.Health.V1.Health.HealthClient>(ClientName(peer));
            var answer = await client.CheckAsync(
                new HealthCheckRequest(),
                deadline: TimeProvider.System.GetUtcNow().UtcDateTime + AnswerWithin,
                cancellationToken: cancellationToken);
            return answer.Status == HealthCheckResponse.Types.ServingStatus.Serving
                ? HealthCheckResult.Healthy()
                : Away("is not ready");
        }
        catch (RpcException e) when (e.StatusCode is StatusCode.Unimplemented)
        {
            return HealthCheckResult.Healthy(); // It answers, though it does not know this question.
        }
        catch (RpcException e)
        {
            return Away($"does not answer ({e.StatusCode}: {e.Status.Detail})");
        }
    }

    private HealthCheckResult Away(string how) =>
        HealthCheckResult.Degraded($"{peer} {how}: what needs it waits and goes on when it is back.");
}
