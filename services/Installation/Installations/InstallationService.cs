using Cloud.Protos.Installation.V1;
using Google.Protobuf;
using Grpc.Core;
using Proto = Cloud.Protos.Installation.V1;

namespace Cloud.Installations;

/// <summary>The gRPC face: checks everything at once, writes the wish with its event in one transaction, answers. The
/// work is the journeys'.</summary>
public sealed class InstallationService(
    InstallationStore store,
    InstallationChecks checks,
    InstallationMessages messages,
    InstallationWatch watch,
    InstallationWhy why,
    DeletionOptions deletion,
    RequestLedger ledger,
    Database database) : Proto.InstallationService.InstallationServiceBase
{
    /// <summary>First segment of the resource names.</summary>
    public const string Collection = "installations";

    /// <summary>A deletion stays pending for no longer than this.</summary>
    public static readonly TimeSpan MaxPendingTime = TimeSpan.FromDays(90);

    public override async Task<Proto.Installation> CreateInstallation(
        CreateInstallationRequest request, ServerCallContext context)
    {
        var problems = new FieldProblems();
        var row = checks.ForCreation(ResourceId.New(), request, problems);
        if (problems.All.Count > 0)
        {
            await AddTakenAsync(row, problems, context.CancellationToken);
            problems.ThrowIfAny();
        }

        var made = await ledger.MutateAsync(
            context.Method,
            request,
            async (transaction, ct) =>
            {
                var inserted = await store.InsertAsync(
                    transaction, row, "it was asked for", ct);
                ThrowIfTaken(await store.TakeNamesAsync(transaction, inserted, ct));
                return messages.Of(inserted);
            },
            context.CancellationToken);
        if (request.ValidateOnly)
        {
            made.Name = "";
        }

        return made;
    }

    public override async Task<Proto.Installation> GetInstallation(
        GetInstallationRequest request, ServerCallContext context) =>
        messages.Of(await FindAsync(request.Name, context.CancellationToken));

    public override async Task<ListInstallationsResponse> ListInstallations(
        ListInstallationsRequest request, ServerCallContext context)
    {
        var problems = new FieldProblems();
        var filter = InstallationFilter.Of(request.Filter, problems);
        var after = PageKey.Read(request.PageToken, filter.Hash, problems);
        var size = PageSize.Of(request.PageSize, problems);
        problems.ThrowIfAny();
        var rows = await store.ListAsync(filter, after, size + 1, context.CancellationToken);
        var reply = new ListInstallationsResponse();
        var last = Page.Fill(reply.Installations, rows, size, messages.Of);
        reply.NextPageToken = last is null ? "" : PageKey.Of(last).ToToken(filter.Hash);
        return reply;
    }

    public override async Task<CountInstallationsResponse> CountInstallations(
        CountInstallationsRequest request, ServerCallContext context)
    {
        var problems = new FieldProblems();
        var filter = InstallationFilter.Of(request.Filter, problems);
        problems.ThrowIfAny();
        var counts = await store.CountAsync(filter, context.CancellationToken);
        var reply = new CountInstallationsResponse { Total = counts.Values.Sum() };
        reply.ByState.Add(counts.ToDictionary());
        return reply;
    }

    public override async Task<Proto.Installation> UpdateInstallation(
        UpdateInstallationRequest request, ServerCallContext context)
    {
        var wish = request.Installation ??= new Proto.Installation();
        var problems = new FieldProblems();
        var id = ResourceName.IdOf(wish.Name, Collection, "installation.name", problems);
        var change = checks.ForUpdate(request, problems);
        problems.ThrowIfAny();
        return await ledger.MutateAsync(
            context.Method,
            request,
            async (transaction, ct) =>
            {
                var row = await store.ChangeAsync(
                    transaction, id, before => Updated(before, change, wish.Etag), "a change was asked for", ct);
                ThrowIfTaken(await store.TakeNamesAsync(transaction, row ?? throw Problem.NotFound(wish.Name), ct));
                return messages.Of(row);
            },
            context.CancellationToken);
    }

    public override Task<Proto.Installation> HibernateInstallation(
        HibernateInstallationRequest request, ServerCallContext context) =>
        MoveAsync(request.Name, request.Etag, request, InstallationVerbs.Hibernate, AsMoved, context);

    public override Task<Proto.Installation> WakeUpInstallation(
        WakeUpInstallationRequest request, ServerCallContext context) =>
        MoveAsync(request.Name, request.Etag, request, InstallationVerbs.WakeUp, AsMoved, context);

    public override Task<Proto.Installation> DeleteInstallation(
        DeleteInstallationRequest request, ServerCallContext context)
    {
        var problems = new FieldProblems();
        ResourceName.IdOf(request.Name, Collection, "name", problems);
        var asked = PendingTimeOf(request, problems);
        problems.ThrowIfAny();
        var verb = request.Force ? InstallationVerbs.DeleteNow
            : asked is null ? InstallationVerbs.Delete
            : InstallationVerbs.PostponeDeletion;
        return MoveAsync(
            request.Name, request.Etag, request, verb,
            (before, moved) => Timed(before, moved, asked), context);
    }

    public override Task<Proto.Installation> CancelInstallationDeletion(
        CancelInstallationDeletionRequest request, ServerCallContext context) =>
        MoveAsync(
            request.Name, request.Etag, request, InstallationVerbs.CancelDeletion,
            (_, moved) => moved with { PurgeTime = null, DeletionPendingTime = null }, context);

    public override Task<Proto.Installation> RetryInstallation(
        RetryInstallationRequest request, ServerCallContext context) =>
        MoveAsync(request.Name, request.Etag, request, InstallationVerbs.Retry, AsMoved, context);

    public override Task WatchInstallations(
        WatchInstallationsRequest request,
        IServerStreamWriter<WatchInstallationsResponse> responseStream,
        ServerCallContext context) =>
        watch.StreamAsync(request, responseStream, context.CancellationToken);

    public override async Task<WhyInstallationResponse> WhyInstallation(
        WhyInstallationRequest request, ServerCallContext context)
    {
        var row = await FindAsync(request.Name, context.CancellationToken);
        return new WhyInstallationResponse { Chain = { await why.ExplainAsync(row, context.CancellationToken) } };
    }

    private Task<Proto.Installation> MoveAsync(
        string name,
        string etag,
        IMessage request,
        InstallationVerb verb,
        Func<Installation, Installation, Installation> with,
        ServerCallContext context)
    {
        var id = ResourceName.IdOf(name, Collection);
        return ledger.MutateAsync(
            context.Method,
            request,
            async (transaction, ct) => messages.Of(
                await store.ChangeAsync(
                    transaction, id, row => with(row, Moved(row, etag, verb)), $"somebody asked to {verb.Word} it", ct)
                ?? throw Problem.NotFound(name)),
            context.CancellationToken);
    }

    private static TimeSpan? PendingTimeOf(DeleteInstallationRequest request, FieldProblems problems)
    {
        if (request.PendingTime is not { } time)
        {
            return null;
        }

        var asked = time.ToTimeSpan();
        if (asked < TimeSpan.Zero || asked > MaxPendingTime)
        {
            problems.Add(
                "pending_time", $"From 0 to {MaxPendingTime.TotalDays} days, not {asked}.",
                ErrorReason.PendingTimeInvalid);
        }

        return asked;
    }

    private static Installation AsMoved(Installation before, Installation moved) => moved;

    private static Installation Moved(Installation row, string etag, InstallationVerb verb)
    {
        ResourceName.CheckEtag(row.Name, etag, InstallationMessages.EtagOf(row));
        return verb.Moves.TryGetValue(row.State, out var target)
            ? row with { State = target }
            : throw Problem.WrongState(
                row.Name, StateNames<InstallationState>.Of(row.State), verb.Word, verb.Allowed);
    }

    /// <summary>The row as an update wants it. Whose it is concerns no cluster: changing that alone starts no
    /// work.</summary>
    private static Installation Updated(Installation row, Func<Installation, Installation> change, string etag)
    {
        var wanted = change(row);
        var moved = Moved(row, etag, InstallationVerbs.Update);
        return wanted with { State = (wanted with { OwnerId = row.OwnerId }) == row ? row.State : moved.State };
    }

    /// <summary>The times of a deletion. Asked again without another time, one that is under way stays as it
    /// is.</summary>
    private Installation Timed(Installation before, Installation moved, TimeSpan? asked)
    {
        var isPending = moved.State is InstallationState.DeletionPendingRequested
            or InstallationState.DeletionPendingInProgress or InstallationState.DeletionPending;
        if (!isPending)
        {
            return moved with { PurgeTime = null };
        }

        if (moved.State == before.State && asked is null)
        {
            return moved;
        }

        var wait = asked ?? deletion.PendingTime;
        return moved with { DeletionPendingTime = wait, PurgeTime = database.Now + wait };
    }

    /// <summary>A request that is wrong anyway is also told which of its names are taken.</summary>
    private async Task AddTakenAsync(Installation row, FieldProblems problems, CancellationToken ct)
    {
        foreach (var host in await store.TakenAsync(row.DnsNames, row.Id, ct))
        {
            problems.Add(
                "installation.dns_names", $"'{host}' is taken; choose another name.", ErrorReason.DnsNameTaken);
        }
    }

    private static void ThrowIfTaken(IReadOnlyList<string> hosts)
    {
        if (hosts.Count > 0)
        {
            throw Problem.AlreadyExists("installation.dns_names", string.Join(", ", hosts), ErrorReason.DnsNameTaken);
        }
    }

    private async Task<Installation> FindAsync(string name, CancellationToken ct) =>
        await store.FindAsync(ResourceName.IdOf(name, Collection), ct) ?? throw Problem.NotFound(name);
}
