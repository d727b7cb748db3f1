using System.Text;
using Cloud.ClusterInstallations;
using Cloud.Clusters;
using Cloud.Providers;
using Cloud.ServiceDefaults.Storage;
using Cloud.TestHost;
using Grpc.Core;
using Grpc.Core.Interceptors;
using Grpc.Net.Client;
using Microsoft.Extensions.DependencyInjection;
using Xunit;
using ClusterInstallation = Cloud.ClusterInstallations.ClusterInstallation;

namespace Cloud.ClusterTests.Providers;

public sealed class WorkspaceObjectsTests(ClusterWorld world) : IClassFixture<ClusterWorld>
{
    private static CancellationToken Ct => Patience.Token;

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_password_that_ended_while_its_worker_slept_does_not_stay_in_the_cluster(bool wakesBeforeTheLast)
    {
        var (cluster, row) = await NamespaceAsync();
        var (sleeps, wakes) = (new TaskCompletionSource(), new TaskCompletionSource());
        var first = EnsureAsync(cluster, row with { Epoch = 5 }, async () =>
        {
            sleeps.SetResult();
            await wakes.Task.WaitAsync(Ct);
        });
        await sleeps.Task.WaitAsync(Ct);
        await Assert.ThrowsAnyAsync<Exception>(
            () => EnsureAsync(cluster, row with { Epoch = 6 }, () => throw new TimeoutException("It was cut.")));

        if (wakesBeforeTheLast) await WakeAsync();
        await EnsureAsync(cluster, row with { Epoch = 7 }, () => Task.CompletedTask);
        if (!wakesBeforeTheLast) await WakeAsync();

        var secret = world.Cluster("large").Api.Get("secrets", row.Namespace, Manifests.DatabaseSecretName(row))!;
        Assert.Contains(
            world.Desk.Issued[row.Spec.LogicalDatabase].Last(),
            Encoding.UTF8.GetString(Convert.FromBase64String(
                secret["data"]![Manifests.ConnectionStringKey]!.GetValue<string>())),
            StringComparison.Ordinal);

        async Task WakeAsync()
        {
            wakes.SetResult();
            await Record.ExceptionAsync(() => first);
        }
    }

    /// <summary>A namespace for a row that no loop works on, because it is in no table.</summary>
    private async Task<(Cluster Cluster, ClusterInstallation Row)> NamespaceAsync()
    {
        var imported = await world.StableClusterAsync("large", Ct);
        var made = await world.StableAsync(imported.Name, Ct);
        var services = world.Service.Services;
        var cluster = await services.GetRequiredService<ClusterStore>().FindAsync(imported.Name.Split('/')[1], Ct);
        var known = await services.GetRequiredService<ClusterInstallationStore>()
            .FindAsync(made.Name.Split('/')[1], Ct);
        var id = ResourceId.New();
        var row = known! with
        {
            Id = ResourceId.New(), InstallationId = id,
            Spec = known.Spec with { LogicalDatabase = $"logicalDatabases/{id}" },
        };
        world.Cluster("large").Api.Create("namespaces", Manifests.Namespace(row).Document, "test");
        return (cluster!, row);
    }

    /// <summary>One worker's pass.</summary>
    /// <param name="issued">Once it has got a password.</param>
    private async Task EnsureAsync(Cluster cluster, ClusterInstallation row, Func<Task> issued)
    {
        var services = world.Service.Services;
        using var channel = GrpcChannel.ForAddress(world.Desk.Setting.Value!);
        var objects = new WorkspaceObjects(
            services.GetRequiredService<ClusterConnections>(),
            new DatabaseCredentials(new(channel.Intercept(new Issuing(issued)))),
            services.GetRequiredService<ClusterInstallationStore>(),
            TimeProvider.System);
        await objects.EnsureAsync(cluster, row, Ct);
    }

    private sealed class Issuing(Func<Task> issued) : Interceptor
    {
        public override AsyncUnaryCall<TResponse> AsyncUnaryCall<TRequest, TResponse>(
            TRequest request, ClientInterceptorContext<TRequest, TResponse> context,
            AsyncUnaryCallContinuation<TRequest, TResponse> continuation)
        {
            var call = continuation(request, context);
            return new(
                AnswerAsync(call.ResponseAsync), call.ResponseHeadersAsync, call.GetStatus, call.GetTrailers,
                call.Dispose);
        }

        private async Task<T> AnswerAsync<T>(Task<T> answer)
        {
            var answered = await answer;
            await issued();
            return answered;
        }
    }
}
