using System.Globalization;
using Cloud.DatabaseServers;
using Cloud.Protos.Api.V1;
using Cloud.ServiceDefaults.Hosting;
using Cloud.ServiceDefaults.Storage;
using Cloud.ServiceDefaults.Supervision;
using Grpc.Core;
using static Cloud.LogicalDatabases.LogicalDatabaseState;
using Proto = Cloud.Protos.DatabasePool.V1;

namespace Cloud.LogicalDatabases;

/// <summary>The gRPC face of logical databases.</summary>
public sealed class LogicalDatabaseService(
    LogicalDatabaseStore store,
    DatabaseServerStore servers,
    RoomStore room,
    RequestLedger requests,
    Database database,
    Credentials credentials,
    LogicalDatabaseWatch watch) : Proto.LogicalDatabaseService.LogicalDatabaseServiceBase
{
    /// <summary>First segment of the resource names.</summary>
    public const string Collection = "logicalDatabases";

    private const string Installations = "installations";

    private const ErrorReason StaleEpoch = ErrorReason.EpochStale;

    /// <summary>Servers whose reasons an error carries: statuses travel in headers, which are small.</summary>
    private const int RefusalsToldMax = 20;

    /// <summary>When a caller may ask again for what its server could not do just now.</summary>
    private static readonly TimeSpan RetryAfter = TimeSpan.FromSeconds(5);

    /// <inheritdoc/>
    public override async Task<Proto.LogicalDatabase> CreateLogicalDatabase(
        Proto.CreateLogicalDatabaseRequest request, ServerCallContext context)
    {
        var problems = new FieldProblems();
        var installationId = ResourceName.IdOf(
            request.LogicalDatabase?.Installation ?? "", Installations, "logical_database.installation", problems);
        CheckEpoch(request.InstallationEpoch, "installation_epoch", problems);
        problems.ThrowIfAny();
        Choice? refused = null;
        try
        {
            var made = await requests.MutateAsync(
                context.Method,
                request,
                async (tx, ct) =>
                {
                    await TakeEpochAsync(tx, installationId, request.InstallationEpoch, ct);
                    var live = await store.FindLiveAsync(tx, installationId, ct);
                    if (live is not null)
                    {
                        return (await RepeatAsync(tx, live, ct)).ToProto();
                    }

                    var choice = Choice.Of(await servers.LockLiveAsync(tx, ct));
                    if (choice.Server is null)
                    {
                        refused = choice;
                        throw NoRoom(choice);
                    }

                    await room.ServedAsync(tx, installationId, ct);
                    var row = Wanted(installationId, choice.Server);
                    return (await store.InsertAsync(tx, row, $"asked for; goes to {choice.Server.DisplayName}", ct))
                        .ToProto();
                },
                context.CancellationToken);
            if (request.ValidateOnly)
            {
                made.Name = "";
            }

            return made;
        }
        catch (ProblemException) when (refused is not null && !request.ValidateOnly)
        {
            // The refused transaction is gone with all it wrote; that somebody waits must be kept.
            await room.RefusedAsync(installationId, context.CancellationToken);
            throw;
        }
    }

    /// <inheritdoc/>
    public override async Task<Proto.LogicalDatabase> GetLogicalDatabase(
        Proto.GetLogicalDatabaseRequest request, ServerCallContext context) =>
        (await FindAsync(request.Name, context.CancellationToken)).ToProto();

    /// <inheritdoc/>
    public override async Task<Proto.ListLogicalDatabasesResponse> ListLogicalDatabases(
        Proto.ListLogicalDatabasesRequest request, ServerCallContext context)
    {
        var problems = new FieldProblems();
        var installationId = request.Installation.Length == 0
            ? null
            : ResourceName.IdOf(request.Installation, Installations, "installation", problems);
        var serverId = request.DatabaseServer.Length == 0
            ? null
            : ResourceName.IdOf(
                request.DatabaseServer, DatabaseServerService.Collection, "database_server", problems);
        StateFilter.Check<LogicalDatabaseState>(request.States, problems);
        var size = PageSize.Of(request.PageSize, problems);
        var hash = PageToken.HashOf(
            Collection, request.Installation, request.DatabaseServer, string.Join(',', request.States),
            request.ShowDeleted ? "deleted" : "");
        var after = PageKey.Read(request.PageToken, hash, problems);
        problems.ThrowIfAny();

        // One more than asked for tells whether there is a next page.
        var filter = new LogicalDatabaseFilter(installationId, serverId, request.States, request.ShowDeleted);
        var found = await store.ListAsync(filter, after, size + 1, context.CancellationToken);
        var reply = new Proto.ListLogicalDatabasesResponse();
        var last = Page.Fill(reply.LogicalDatabases, found, size, row => row.ToProto());
        reply.NextPageToken = last is null ? "" : PageKey.Of(last).ToToken(hash);
        return reply;
    }

    /// <inheritdoc/>
    public override async Task<Proto.LogicalDatabaseCredentials> IssueLogicalDatabaseCredentials(
        Proto.IssueLogicalDatabaseCredentialsRequest request, ServerCallContext context)
    {
        var problems = new FieldProblems();
        ResourceName.IdOf(request.Name, Collection, "name", problems);
        CheckEpoch(request.HolderEpoch, "holder_epoch", problems);
        problems.ThrowIfAny();
        var row = await FindAsync(request.Name, context.CancellationToken);
        RefuseHolder(row, request.HolderEpoch);
        if (request.ValidateOnly)
        {
            return new Proto.LogicalDatabaseCredentials { LogicalDatabase = row.Name };
        }

        try
        {
            return await credentials.IssueAsync(
                row, ct => TakeHolderAsync(row.Id, request.HolderEpoch, ct), context.CancellationToken)
                ?? throw Problem.NotFound(request.Name);
        }
        catch (StepException failure) when (failure.Retryable)
        {
            throw Problem.Unavailable(failure.Reason, failure.Message, RetryAfter);
        }
        catch (StepException failure)
        {
            throw Problem.FailedPrecondition(failure.Reason, request.Name, failure.Message);
        }
    }

    /// <inheritdoc/>
    public override Task<Proto.LogicalDatabase> RetryLogicalDatabase(
        Proto.RetryLogicalDatabaseRequest request, ServerCallContext context)
    {
        var id = ResourceName.IdOf(request.Name, Collection);
        return requests.MutateAsync(
            context.Method,
            request,
            async (tx, ct) =>
            {
                var row = await store.ChangeAsync(
                    tx,
                    id,
                    current =>
                    {
                        ResourceName.CheckEtag(request.Name, request.Etag, current.Etag());
                        return current.State switch
                        {
                            CreationFailed => current with { State = CreationRequested },
                            DeletionFailed => current with { State = DeletionRequested },
                            _ => throw WrongState(current, "retry", CreationFailed, DeletionFailed),
                        };
                    },
                    "somebody asked to retry it",
                    ct);
                return (row ?? throw Problem.NotFound(request.Name)).ToProto();
            },
            context.CancellationToken);
    }

    /// <inheritdoc/>
    public override async Task<Proto.LogicalDatabase> DeleteLogicalDatabase(
        Proto.DeleteLogicalDatabaseRequest request, ServerCallContext context)
    {
        var problems = new FieldProblems();
        var id = ResourceName.IdOf(request.Name, Collection, "name", problems);
        CheckEpoch(request.InstallationEpoch, "installation_epoch", problems);
        problems.ThrowIfAny();

        // Whose it is never changes, hence read before: within the transaction it would take a second connection, and
        // many deletions at once could each hold one and wait for another.
        var known = await store.FindAsync(id, context.CancellationToken) ?? throw Problem.NotFound(request.Name);
        return await requests.MutateAsync(
            context.Method,
            request,
            async (tx, ct) =>
            {
                await TakeEpochAsync(tx, known.InstallationId, request.InstallationEpoch, ct);
                var row = await store.ChangeAsync(
                    tx,
                    id,
                    current =>
                    {
                        ResourceName.CheckEtag(request.Name, request.Etag, current.Etag());
                        return current.State is DeletionRequested or Deleted
                            ? current
                            : current with { State = DeletionRequested };
                    },
                    "deletion requested",
                    ct);
                return row!.ToProto();
            },
            context.CancellationToken);
    }

    /// <inheritdoc/>
    public override Task<Proto.ReleaseRoomResponse> ReleaseRoom(
        Proto.ReleaseRoomRequest request, ServerCallContext context)
    {
        var problems = new FieldProblems();
        var installationId = ResourceName.IdOf(request.Installation, Installations, "installation", problems);
        CheckEpoch(request.InstallationEpoch, "installation_epoch", problems);
        problems.ThrowIfAny();
        return requests.MutateAsync(
            context.Method,
            request,
            async (tx, ct) =>
            {
                await TakeEpochAsync(tx, installationId, request.InstallationEpoch, ct);
                await room.ServedAsync(tx, installationId, ct);
                return new Proto.ReleaseRoomResponse();
            },
            context.CancellationToken);
    }

    /// <inheritdoc/>
    public override Task WatchLogicalDatabases(
        Proto.WatchLogicalDatabasesRequest request,
        IServerStreamWriter<Proto.WatchLogicalDatabasesResponse> responseStream,
        ServerCallContext context)
    {
        var problems = new FieldProblems();
        var serverId = request.DatabaseServer.Length == 0
            ? null
            : ResourceName.IdOf(
                request.DatabaseServer, DatabaseServerService.Collection, "database_server", problems);
        problems.ThrowIfAny();
        return watch.StreamAsync(serverId, request, responseStream, context.CancellationToken);
    }

    /// <inheritdoc/>
    public override async Task<Proto.WhyLogicalDatabaseResponse> WhyLogicalDatabase(
        Proto.WhyLogicalDatabaseRequest request, ServerCallContext context)
    {
        var row = await FindAsync(request.Name, context.CancellationToken);
        var why = new Proto.WhyLogicalDatabaseResponse { Chain = { row.Explain() } };
        if (row.State is not Deleted
            && await servers.FindCountedAsync(row.DatabaseServerId, context.CancellationToken) is { } server)
        {
            why.Chain.Add(SupervisionMessages.Beneath([server.Explain()]));
        }

        return why;
    }

    private static LogicalDatabase Wanted(string installationId, DatabaseServer server) => new()
    {
        Id = ResourceId.New(),
        State = CreationRequested,
        InstallationId = installationId,
        DatabaseServerId = server.Id,
        ConnectionLimit = LogicalDatabase.ConnectionLimitDefault,
    };

    private static void CheckEpoch(long epoch, string field, FieldProblems problems)
    {
        if (epoch < 0)
        {
            problems.Add(field, "must not be negative", ErrorReason.EpochInvalid);
        }
    }

    private static ProblemException NoRoom(Choice choice) => Problem.Exhausted(
        ErrorReason.DatabaseServersFull,
        choice.Refusals.Count == 0
            ? "No database server is registered. Register one."
            : $"No database server has room. {string.Join("; ", choice.Refusals.Values.Take(RefusalsToldMax))}"
              + (choice.Refusals.Count > RefusalsToldMax
                  ? $"; and {choice.Refusals.Count - RefusalsToldMax} more."
                  : "."),
        choice.Refusals.Take(RefusalsToldMax).ToDictionary());

    private static ProblemException WrongState(
        LogicalDatabase row, string verb, params IEnumerable<LogicalDatabaseState> allowed) => Problem.WrongState(
        row.Name, StateNames<LogicalDatabaseState>.Of(row.State), verb,
        allowed.Select(StateNames<LogicalDatabaseState>.Of));

    private static void RefuseHolder(LogicalDatabase row, long epoch)
    {
        if (row.State != Stable)
        {
            throw WrongState(row, "issue credentials of", Stable);
        }

        if (epoch < row.HolderEpoch)
        {
            throw Problem.Aborted(
                StaleEpoch,
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"Credentials of {row.Name} were issued to epoch {row.HolderEpoch}; {epoch} is older."));
        }
    }

    private async Task<LogicalDatabase> FindAsync(string name, CancellationToken ct) =>
        await store.FindAsync(ResourceName.IdOf(name, Collection), ct) ?? throw Problem.NotFound(name);

    private async Task TakeEpochAsync(
        DatabaseTransaction tx, string installationId, long epoch, CancellationToken ct)
    {
        if (!await store.TakeEpochAsync(tx, installationId, epoch, ct))
        {
            throw Problem.Aborted(
                StaleEpoch,
                $"A later worker has asked for installations/{installationId} already; read it again.");
        }
    }

    /// <summary>Asked again: what failed is tried again, what is there or under way is answered as it is.</summary>
    private async Task<LogicalDatabase> RepeatAsync(DatabaseTransaction tx, LogicalDatabase live, CancellationToken ct)
    {
        var row = await store.ChangeAsync(
            tx,
            live.Id,
            current => current.State switch
            {
                CreationRequested or Stable => current,
                CreationFailed => current with { State = CreationRequested },
                DeletionRequested or DeletionFailed or Deleted => throw WrongState(
                    current, "create again", CreationRequested, Stable, CreationFailed),
            },
            "asked for again",
            ct);
        return row!;
    }

    /// <summary>Notes the holder, under the lock that its password will be set under.</summary>
    private Task<bool> TakeHolderAsync(string id, long epoch, CancellationToken ct) => database.InTransactionAsync(
        async (tx, token) => await store.ChangeAsync(
            tx,
            id,
            current =>
            {
                RefuseHolder(current, epoch);
                return current with { HolderEpoch = epoch, CredentialsIssuedAt = tx.Now };
            },
            "credentials issued",
            token) is not null,
        ct);
}
