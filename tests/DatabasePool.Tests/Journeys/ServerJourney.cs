using Cloud.TestHost.Journeys;
using Xunit;
using Proto = Cloud.Protos.DatabasePool.V1;

namespace Cloud.DatabasePool.Tests.Journeys;

/// <summary>A server that does not answer at first is taken in once it does, and let go.</summary>
public sealed class ServerComesAndGoes : Journey<Pool>
{
    public override string Noun => "database_server";

    public override async Task LiveAsync(Pool world, Life life, CancellationToken ct)
    {
        var client = new Proto.DatabaseServerService.DatabaseServerServiceClient(life.Invoker);
        var request = await PoolWorld.RegistrationAsync("127.0.0.1", ct);
        await using var door = new Door(request.DatabaseServer.Port);
        request.DatabaseServer.Port = door.Port;
        request.DatabaseServer.AllowDatabases = false;
        var server = await life.BeginAsync(
            "register",
            token =>
            {
                request.RequestId = life.RequestId;
                return client.RegisterDatabaseServerAsync(request, cancellationToken: token);
            },
            made => made.Name,
            ct);
        await life.UntilAsync("provisioning-failed", ct);

        door.Open();
        await life.UntilAsync("stable", ct);
        var seen = await client.GetDatabaseServerAsync(new() { Name = server.Name }, cancellationToken: ct);
        Assert.True(seen.Reachable);

        await life.AskAsync(
            "delete",
            token => client.DeleteDatabaseServerAsync(
                new() { Name = server.Name, RequestId = life.RequestId }, cancellationToken: token),
            ct);
        await life.UntilAsync("deleted", ct);
    }

    /// <summary>A registration only closes the maintenance database to strangers.</summary>
    public override async Task<IReadOnlyList<string>> OutsideAsync(Pool world, Life life, CancellationToken ct) =>
        [await CustomerServer.AskAsync<string>(
            "SELECT datacl::text FROM pg_database WHERE datname = 'postgres'", ct) ?? ""];
}
