using Cloud.ServiceDefaults.Supervision;
using Microsoft.Extensions.DependencyInjection;

namespace Cloud.ClusterTests.Placement;

/// <summary>Hears whether an installation is told that there may be room.</summary>
internal sealed class Told
{
    private readonly TaskCompletionSource _nudged = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public Told(ClusterWorld world, string id)
    {
        Id = id;
        world.Service.Services.GetRequiredService<INudges>().Subscribe("installation", heard =>
        {
            if (heard == id) _nudged.TrySetResult();
        });
    }

    public string Id { get; }

    public bool WasTold => _nudged.Task.IsCompleted;

    public Task AgainAsync(CancellationToken ct) => _nudged.Task.WaitAsync(ClusterWorld.Patience, ct);
}
