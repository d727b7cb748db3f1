using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Hosting;

namespace Cloud.ServiceDefaults.Hosting;

/// <summary>
/// How a service stops (SIGTERM), so that no client with normal retries sees an error. (1) It is unready at once, and
/// streams end with Unavailable and RetryInfo, to be resumed elsewhere. (2) For <c>Stopping:KeepServing</c>, by default
/// no time, it serves on: balancers that learn of unreadiness by asking, as Kubernetes' do, need a few seconds; one
/// that notices a refused connection needs none. (3) It listens no more and tells connected clients to go elsewhere
/// (GOAWAY); requests under way end. Steps are cancelled, claims and leases given back, and the other replicas nudged.
/// (4) What the last commits left in the outbox is delivered. All of it within 15 s after (2).
/// </summary>
internal sealed class Draining(IConfiguration configuration) : IHostedLifecycleService
{
    private readonly TimeSpan _keepServing = configuration.GetValue("Stopping:KeepServing", TimeSpan.Zero);

    public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppingAsync(CancellationToken cancellationToken) =>
        Task.Delay(_keepServing, TimeProvider.System, cancellationToken);

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}
