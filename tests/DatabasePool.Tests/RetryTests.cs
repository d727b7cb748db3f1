using Cloud.DatabasePool.Tests.Journeys;
using Cloud.ServiceDefaults.Storage;
using Grpc.Core;
using Xunit;
using Proto = Cloud.Protos.DatabasePool.V1;

namespace Cloud.DatabasePool.Tests;

/// <summary>What ended in a failed state is tried again when somebody asks, once per request id.</summary>
public sealed class RetryTests(PoolWorld world) : IClassFixture<PoolWorld>
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_failed_database_is_made_once_somebody_asks_again()
    {
        var server = await world.StableServerAsync(Ct);
        var id = ResourceId.New();
        await CustomerServer.AskAsync<string>($"CREATE DATABASE cloud_{id} TEMPLATE template0", Ct);
        var made = await world.CreateAsync(id, Ct);
        await world.DatabaseUntilAsync(made.Name, d => d.State == "creation-failed", Ct);
        await CustomerServer.AskAsync<string>($"DROP DATABASE cloud_{id}", Ct);
        var request = new Proto.RetryLogicalDatabaseRequest { Name = made.Name, RequestId = ResourceId.New() };

        var asked = await world.Databases.RetryLogicalDatabaseAsync(request, cancellationToken: Ct);
        var stable = await world.DatabaseUntilAsync(made.Name, d => d.State == "stable", Ct);
        var repeated = await world.Databases.RetryLogicalDatabaseAsync(request, cancellationToken: Ct);

        Assert.Equal("creation-requested", asked.State);
        Assert.Null(stable.Progress.LastError);
        Assert.Equal(asked, repeated);
        request.RequestId = "";
        await RefusedAsync(world.Databases.RetryLogicalDatabaseAsync(request, cancellationToken: Ct));
        Assert.Equal(
            stable, await world.Databases.GetLogicalDatabaseAsync(new() { Name = made.Name }, cancellationToken: Ct));
        await world.DropAsync(made.Name, Ct);
        await world.Servers.DeleteDatabaseServerAsync(new() { Name = server.Name }, cancellationToken: Ct);
    }

    [Fact]
    public async Task A_server_that_did_not_answer_is_looked_at_once_somebody_asks()
    {
        var registration = await PoolWorld.RegistrationAsync("127.0.0.1", Ct);
        await using var door = new Door(registration.DatabaseServer.Port);
        registration.DatabaseServer.Port = door.Port;
        var server = await world.Servers.RegisterDatabaseServerAsync(registration, cancellationToken: Ct);
        await world.ServerUntilAsync(server.Name, s => s.State == "provisioning-failed", Ct);
        door.Open();
        var request = new Proto.RetryDatabaseServerRequest { Name = server.Name, RequestId = ResourceId.New() };

        var asked = await world.Servers.RetryDatabaseServerAsync(request, cancellationToken: Ct);
        var stable = await world.ServerUntilAsync(server.Name, s => s.State == "stable", Ct);
        var repeated = await world.Servers.RetryDatabaseServerAsync(request, cancellationToken: Ct);

        Assert.Equal("provisioning-requested", asked.State);
        Assert.Null(stable.Progress.LastError);
        Assert.Equal(asked, repeated);
        request.RequestId = "";
        await RefusedAsync(world.Servers.RetryDatabaseServerAsync(request, cancellationToken: Ct));
        await world.Servers.DeleteDatabaseServerAsync(new() { Name = server.Name }, cancellationToken: Ct);
        await world.ServerUntilAsync(server.Name, s => s.State == "deleted", Ct);
    }

    private static async Task RefusedAsync<T>(AsyncUnaryCall<T> call)
    {
        var refusal = await Refusal.OfAsync(call);
        Assert.Equal((StatusCode.FailedPrecondition, "STATE_WRONG"), (refusal.Code, refusal.Reason));
        Assert.Equal("stable", refusal.Metadata["state"]);
    }
}
