using System.Globalization;
using Cloud.LogicalDatabases;
using Cloud.Protos.Api.V1;
using Cloud.Providers;
using Cloud.ServiceDefaults.Hosting;
using Cloud.ServiceDefaults.Storage;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using Npgsql;
using static Cloud.DatabaseServers.DatabaseServerState;
using Proto = Cloud.Protos.DatabasePool.V1;

namespace Cloud.DatabaseServers;

/// <summary>The gRPC face of database servers.</summary>
public sealed class DatabaseServerService(
    DatabaseServerStore store,
    RequestLedger requests,
    RoomStore room,
    AdminPasswords passwords,
    Forgetting forgetting,
    DatabaseServerWatch watch) : Proto.DatabaseServerService.DatabaseServerServiceBase
{
    /// <summary>First segment of the resource names.</summary>
    public const string Collection = "databaseServers";

    /// <inheritdoc/>
    public override async Task<Proto.DatabaseServer> RegisterDatabaseServer(
        Proto.RegisterDatabaseServerRequest request, ServerCallContext context)
    {
        DatabaseServerChecks.Check(request);
        var wanted = Wanted(request);
        var made = await WriteAsync(
            () => wanted,
            () => requests.MutateAsync(
                context.Method,
                request,
                async (tx, ct) =>
                {
                    var row = await store.InsertAsync(tx, wanted, "registered", ct);
                    return row.ToProto();
                },
                context.CancellationToken));
        if (request.ValidateOnly)
        {
            made.Name = "";
        }

        return made;
    }

    /// <inheritdoc/>
    public override async Task<Proto.DatabaseServer> GetDatabaseServer(
        Proto.GetDatabaseServerRequest request, ServerCallContext context) =>
        (await FindAsync(request.Name, context.CancellationToken)).ToProto();

    /// <inheritdoc/>
    public override async Task<Proto.ListDatabaseServersResponse> ListDatabaseServers(
        Proto.ListDatabaseServersRequest request, ServerCallContext context)
    {
        var problems = new FieldProblems();
        StateFilter.Check<DatabaseServerState>(request.States, problems);
        var size = PageSize.Of(request.PageSize, problems);
        var hash = PageToken.HashOf(Collection, string.Join(',', request.States), request.ShowDeleted ? "deleted" : "");
        var after = PageKey.Read(request.PageToken, hash, problems);
        problems.ThrowIfAny();

        // One more than asked for tells whether there is a next page.
        var found = await store.ListAsync(
            new DatabaseServerFilter(request.States, request.ShowDeleted), after, size + 1, context.CancellationToken);
        var reply = new Proto.ListDatabaseServersResponse();
        var last = Page.Fill(reply.DatabaseServers, found, size, server => server.ToProto());
        reply.NextPageToken = last is null ? "" : PageKey.Of(last).ToToken(hash);
        return reply;
    }

    /// <inheritdoc/>
    public override async Task<Proto.DatabaseServer> UpdateDatabaseServer(
        Proto.UpdateDatabaseServerRequest request, ServerCallContext context)
    {
        var problems = new FieldProblems();
        var id = ResourceName.IdOf(
            request.DatabaseServer?.Name ?? "", Collection, DatabaseServerChecks.Prefix + "name", problems);
        DatabaseServerChecks.Check(request, problems);
        DatabaseServer? wanted = null;
        return await WriteAsync(
            () => wanted,
            () => requests.MutateAsync(
                context.Method,
                request,
                async (tx, ct) =>
                {
                    var locked = await store.LockAsync(tx, id, ct) ?? throw Problem.NotFound(DatabaseServer.NameOf(id));
                    var row = await store.ChangeAsync(
                        tx, id, server => wanted = Changed(server, request), "updated", ct);
                    if (row!.State == Stable && Choice.RefusalOf(locked) is not null)
                    {
                        await room.Opened()(tx, ct);
                    }

                    if (Choice.UnfitnessOf(row) is not null)
                    {
                        // Those that are not begun there may go elsewhere.
                        await RoomStore.TellDatabasesAsync(tx, id, ct);
                    }

                    return (row with { DatabaseCount = locked.DatabaseCount }).ToProto();
                },
                context.CancellationToken));
    }

    /// <inheritdoc/>
    public override Task<Proto.DatabaseServer> RetryDatabaseServer(
        Proto.RetryDatabaseServerRequest request, ServerCallContext context)
    {
        var id = ResourceName.IdOf(request.Name, Collection);
        return requests.MutateAsync(
            context.Method,
            request,
            async (tx, ct) =>
            {
                var locked = await store.LockAsync(tx, id, ct) ?? throw Problem.NotFound(request.Name);
                var row = await store.ChangeAsync(
                    tx,
                    id,
                    server =>
                    {
                        ResourceName.CheckEtag(server.Name, request.Etag, server.Etag());
                        return server.State is ProvisioningFailed
                            ? server with { State = ProvisioningRequested }
                            : throw WrongState(server, "retry", ProvisioningFailed);
                    },
                    "somebody asked to retry it",
                    ct);
                return (row! with { DatabaseCount = locked.DatabaseCount }).ToProto();
            },
            context.CancellationToken);
    }

    /// <inheritdoc/>
    public override Task<Proto.DatabaseServer> DeleteDatabaseServer(
        Proto.DeleteDatabaseServerRequest request, ServerCallContext context)
    {
        var id = ResourceName.IdOf(request.Name, Collection);
        return requests.MutateAsync(
            context.Method,
            request,
            async (tx, ct) =>
            {
                var locked = await store.LockAsync(tx, id, ct) ?? throw Problem.NotFound(request.Name);
                ResourceName.CheckEtag(request.Name, request.Etag, locked.Etag());
                if (request.Force)
                {
                    return (await forgetting.ForgetAsync(tx, locked, ct)).ToProto();
                }

                RefuseInUse(locked);
                var row = await store.ChangeAsync(
                    tx,
                    id,
                    server => server.State is Deleted or DeletionRequested
                        ? server
                        : server with { State = DeletionRequested },
                    "deletion requested",
                    ct);
                return row!.ToProto();
            },
            context.CancellationToken);
    }

    /// <inheritdoc/>
    public override Task WatchDatabaseServers(
        Proto.WatchDatabaseServersRequest request,
        IServerStreamWriter<Proto.WatchDatabaseServersResponse> responseStream,
        ServerCallContext context) =>
        watch.StreamAsync(request, responseStream, context.CancellationToken);

    /// <inheritdoc/>
    public override async Task<Proto.WhyDatabaseServerResponse> WhyDatabaseServer(
        Proto.WhyDatabaseServerRequest request, ServerCallContext context) =>
        new() { Chain = { (await FindAsync(request.Name, context.CancellationToken)).Explain() } };

    /// <summary>The row that a checked registration means.</summary>
    private DatabaseServer Wanted(Proto.RegisterDatabaseServerRequest request)
    {
        var server = request.DatabaseServer;
        return new DatabaseServer
        {
            Id = ResourceId.New(),
            State = ProvisioningRequested,
            DisplayName = server.DisplayName,
            Host = server.Host,
            Port = server.Port == 0 ? DatabaseServer.PortDefault : server.Port,
            AdminUser = server.AdminUser,
            AdminPassword = passwords.Seal(request.AdminPassword),
            SslMode = server.SslMode.Length == 0 ? SslModes.DefaultFor(server.Host) : server.SslMode,
            MaxDatabases = server.MaxDatabases == 0 ? DatabaseServer.MaxDatabasesDefault : server.MaxDatabases,
            Weight = server.Weight == 0 ? DatabaseServer.WeightDefault : server.Weight,
            AllowDatabases = !server.HasAllowDatabases || server.AllowDatabases,
        };
    }

    /// <summary>
    /// The row after a checked update; the same one when nothing changes. A new address or login is checked like a new
    /// server; limits and names count at once.
    /// </summary>
    private DatabaseServer Changed(DatabaseServer server, Proto.UpdateDatabaseServerRequest request)
    {
        ResourceName.CheckEtag(server.Name, request.DatabaseServer.Etag, server.Etag());
        if (server.State is DeletionRequested or Deleted)
        {
            throw WrongState(server, "update", ProvisioningRequested, Stable, ProvisioningFailed);
        }

        var changed = (request.UpdateMask ?? new FieldMask()).Paths
            .Aggregate(server, (row, path) => With(row, path, request.DatabaseServer));
        var isReachedAnew = changed.Host != server.Host || changed.Port != server.Port
            || changed.AdminUser != server.AdminUser || changed.SslMode != server.SslMode;
        if (request.AdminPassword.Length > 0)
        {
            changed = changed with { AdminPassword = passwords.Seal(request.AdminPassword) };
            isReachedAnew = true;
        }

        return isReachedAnew ? changed with { State = ProvisioningRequested } : changed;
    }

    private static DatabaseServer With(DatabaseServer row, string path, Proto.DatabaseServer wanted) => path switch
    {
        "display_name" => row with { DisplayName = wanted.DisplayName },
        "host" => row with { Host = wanted.Host },
        "port" => row with { Port = wanted.Port == 0 ? DatabaseServer.PortDefault : wanted.Port },
        "admin_user" => row with { AdminUser = wanted.AdminUser },
        "max_databases" => row with
        {
            MaxDatabases = wanted.MaxDatabases == 0 ? DatabaseServer.MaxDatabasesDefault : wanted.MaxDatabases,
        },
        "weight" => row with { Weight = wanted.Weight == 0 ? DatabaseServer.WeightDefault : wanted.Weight },
        "allow_databases" => row with { AllowDatabases = wanted.AllowDatabases },
        "ssl_mode" => row with
        {
            SslMode = wanted.SslMode.Length == 0 ? SslModes.DefaultFor(row.Host) : wanted.SslMode,
        },
        _ => row,
    };

    private static ProblemException WrongState(
        DatabaseServer server, string verb, params IEnumerable<DatabaseServerState> allowed) => Problem.WrongState(
        server.Name, StateNames<DatabaseServerState>.Of(server.State), verb,
        allowed.Select(StateNames<DatabaseServerState>.Of));

    private static void RefuseInUse(DatabaseServer server)
    {
        if (server.DatabaseCount > 0)
        {
            var count = server.DatabaseCount.ToString(CultureInfo.InvariantCulture);
            throw Problem.FailedPrecondition(
                ErrorReason.DatabaseServerInUse,
                server.Name,
                $"{server.DisplayName} holds {count} logical databases; delete their installations first.",
                new Dictionary<string, string> { ["database_count"] = count });
        }
    }

    private async Task<DatabaseServer> FindAsync(string name, CancellationToken ct) =>
        await store.FindCountedAsync(ResourceName.IdOf(name, Collection), ct) ?? throw Problem.NotFound(name);

    /// <summary>
    /// Runs a write and says whose value it clashes with; the indexes decide, since two may come at once.
    /// </summary>
    private static async Task<Proto.DatabaseServer> WriteAsync(
        Func<DatabaseServer?> wanted, Func<Task<Proto.DatabaseServer>> write)
    {
        try
        {
            return await write();
        }
        catch (PostgresException clash) when (clash.ConstraintName == DatabaseServerStore.DisplayNameIndex)
        {
            throw Clash("display_name", wanted()!.DisplayName);
        }
        catch (PostgresException clash) when (clash.ConstraintName == DatabaseServerStore.AddressIndex)
        {
            throw Clash("host", Address(wanted()!));
        }
    }

    private static ProblemException Clash(string field, string value) =>
        Problem.AlreadyExists(DatabaseServerChecks.Prefix + field, value);

    private static string Address(DatabaseServer server) =>
        string.Create(CultureInfo.InvariantCulture, $"{server.Host}:{server.Port}");
}
