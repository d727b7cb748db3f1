using System.Text;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using Grpc.Core.Interceptors;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Npgsql;
using Rpc = Google.Rpc;

namespace Cloud.ServiceDefaults.Hosting;

/// <summary>The one place where failures become gRPC statuses, and where a call's <see cref="RequestContext"/> is set.
/// Problems keep their code and details; a PostgreSQL that is away, or a schema that is not ready, is Unavailable with
/// RetryInfo, and so is work that it undid for the moment; text that it cannot store is the caller's mistake;
/// a caller's cancellation and deadline are answered as such; a peer's Unavailable is passed on; all else is
/// Internal, logged here with everything and told to the caller without anything but the trace id. A request whose form
/// is wrong (<see cref="RequestForm"/>) is refused here, with all that its own service finds wrong besides.</summary>
internal sealed class ProblemInterceptor(SchemaGate schema, TimeProvider time, ILogger<ProblemInterceptor> logger)
    : Interceptor
{
    private const string ActorHeader = "x-actor";
    private const string RequestIdField = "request_id";
    private const string ValidateOnlyField = "validate_only";
    private const string OwnPackages = "/cloud.";
    private const int ActorLengthMax = 128;

    private static readonly TimeSpan RetryAfter = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan SchemaWait = TimeSpan.FromSeconds(5);

    public override async Task<TResponse> UnaryServerHandler<TRequest, TResponse>(
        TRequest request, ServerCallContext context, UnaryServerMethod<TRequest, TResponse> continuation)
    {
        try
        {
            Identify(context, request as IMessage);
            await AwaitSchemaAsync(context);
            return request is IMessage message && RequestForm.ProblemsOf(message) is { Count: > 0 } form
                ? throw await WithOthersAsync(form, message, context, () => continuation(request, context))
                : await continuation(request, context);
        }
        catch (Exception e)
        {
            throw Translate(e, context);
        }
    }

    public override async Task ServerStreamingServerHandler<TRequest, TResponse>(
        TRequest request,
        IServerStreamWriter<TResponse> responseStream,
        ServerCallContext context,
        ServerStreamingServerMethod<TRequest, TResponse> continuation)
    {
        try
        {
            Identify(context, request as IMessage);
            await AwaitSchemaAsync(context);
            if (request is IMessage message && RequestForm.ProblemsOf(message) is { Count: > 0 } form)
            {
                throw Problem.Invalid([.. form]);
            }

            await continuation(request, responseStream, context);
        }
        catch (Exception e)
        {
            throw Translate(e, context);
        }
    }

    public override async Task<TResponse> ClientStreamingServerHandler<TRequest, TResponse>(
        IAsyncStreamReader<TRequest> requestStream,
        ServerCallContext context,
        ClientStreamingServerMethod<TRequest, TResponse> continuation)
    {
        try
        {
            Identify(context, null);
            await AwaitSchemaAsync(context);
            return await continuation(requestStream, context);
        }
        catch (Exception e)
        {
            throw Translate(e, context);
        }
    }

    public override async Task DuplexStreamingServerHandler<TRequest, TResponse>(
        IAsyncStreamReader<TRequest> requestStream,
        IServerStreamWriter<TResponse> responseStream,
        ServerCallContext context,
        DuplexStreamingServerMethod<TRequest, TResponse> continuation)
    {
        try
        {
            Identify(context, null);
            await AwaitSchemaAsync(context);
            await continuation(requestStream, responseStream, context);
        }
        catch (Exception e)
        {
            throw Translate(e, context);
        }
    }

    /// <summary>Sets the context of the call. Not asynchronous on purpose: what an asynchronous method sets flows down
    /// from it, but not back up to its caller.</summary>
    private static void Identify(ServerCallContext context, IMessage? request)
    {
        var actor = context.RequestHeaders.GetValue(ActorHeader);
        actor = string.IsNullOrWhiteSpace(actor) ? RequestContext.AnonymousActor : actor;
        RequestContext.Current = new RequestContext(
            string.Concat(actor.Take(ActorLengthMax).Select(Printable)),
            RequestIdOf(context.RequestHeaders) ?? RequestIdOf(request));
    }

    /// <summary>A request that is wrong in its form and in what it asks is told both at once: its service is let look
    /// at it where that cannot change anything, and what it refuses is added.</summary>
    private static async Task<ProblemException> WithOthersAsync<TResponse>(
        IReadOnlyList<FieldProblem> form, IMessage request, ServerCallContext context, Func<Task<TResponse>> ask)
    {
        var validateOnly = request.Descriptor.FindFieldByName(ValidateOnlyField);
        validateOnly?.Accessor.SetValue(request, true);
        if (validateOnly is null && !GrpcPeers.IsRead(context.Method[(context.Method.LastIndexOf('/') + 1)..]))
        {
            return Problem.Invalid([.. form]);
        }

        try
        {
            await ask();
        }
        catch (ProblemException others)
        {
            var known = form.Select(f => f.Field).ToHashSet(StringComparer.Ordinal);
            return Problem.Invalid([.. form, .. others.Fields.Where(f => !known.Contains(f.Field))]);
        }
        catch (Exception) when (!context.CancellationToken.IsCancellationRequested)
        {
            // It stumbled over what is refused anyway: no service has to expect a text that the contract forbids.
        }

        return Problem.Invalid([.. form]);
    }

    /// <summary>Calls to peers carry the actor on, in a header that takes ASCII alone.</summary>
    private static char Printable(char c) => char.IsAscii(c) && !char.IsControl(c) ? c : '?';

    private async ValueTask AwaitSchemaAsync(ServerCallContext context)
    {
        if (schema.IsReady || !context.Method.StartsWith(OwnPackages, StringComparison.Ordinal))
        {
            return;
        }

        try
        {
            var ct = context.CancellationToken;
            await schema.ReadyAsync(ct).WaitAsync(SchemaWait, time, ct);
        }
        catch (TimeoutException)
        {
            throw Problem.Unavailable(ErrorReason.Starting, "The service waits for its database.", RetryAfter);
        }
    }

    /// <summary>Of the request that made another service call here.</summary>
    private static string? RequestIdOf(Metadata headers) =>
        headers.GetValueBytes(RequestContext.RequestIdHeader) is { Length: > 0 } id
            ? string.Concat(Encoding.UTF8.GetString(id).Take(RequestLedger.RequestIdLengthMax))
            : null;

    private static string? RequestIdOf(IMessage? request) =>
        request?.Descriptor.FindFieldByName(RequestIdField)?.Accessor.GetValue(request) is string { Length: > 0 } id
            ? id
            : null;

    private RpcException Translate(Exception e, ServerCallContext context)
    {
        var status = e switch
        {
            ProblemException problem => problem.ToRpcStatus(),
            _ when context.CancellationToken.IsCancellationRequested => Cut(context),
            OperationCanceledException => Interrupted(),
            PostgresException { SqlState: PostgresErrorCodes.CharacterNotInRepertoire
                or PostgresErrorCodes.UntranslatableCharacter } => Unstorable(),
            PostgresException refused when DatabaseTrouble.IsPassing(refused) => Collided(refused),
            _ when DatabaseTrouble.IsAway(e) => Away(e, context),
            RpcException { StatusCode: StatusCode.Unavailable or StatusCode.DeadlineExceeded } peer => PeerAway(peer),
            RpcException rpc when rpc.GetRpcStatus() is { } rich => rich,
            RpcException rpc => PassedOn(rpc.StatusCode, rpc),
            BadHttpRequestException bad => Plain(ErrorReason.RequestMalformed, bad.Message),
            _ => Unexpected(e, context),
        };
        if (!status.Details.Any(d => d.Is(Rpc.RequestInfo.Descriptor)))
        {
            status.Details.Add(Any.Pack(new Rpc.RequestInfo { RequestId = CallIdOf(context) }));
        }

        return status.ToRpcException();
    }

    /// <summary>What finds the call in traces or logs.</summary>
    private static string CallIdOf(ServerCallContext context) =>
        RequestContext.TraceId ?? context.GetHttpContext().TraceIdentifier;

    private static Rpc.Status Cut(ServerCallContext context) =>
        context.Deadline <= TimeProvider.System.GetUtcNow().UtcDateTime
        ? Plain(ErrorReason.DeadlineExceeded, "The caller's deadline passed.")
        : Plain(ErrorReason.Cancelled, "The caller cancelled.");

    /// <summary>Not the caller's doing: this process stops, or something it waited for was cut off.</summary>
    private static Rpc.Status Interrupted() => Problem.Unavailable(
        ErrorReason.Interrupted, "The call was interrupted here; send it again.", RetryAfter).ToRpcStatus();

    /// <summary>Protobuf lets a text hold what PostgreSQL cannot store.</summary>
    private static Rpc.Status Unstorable() => Plain(
        ErrorReason.TextInvalid, "A text of the request holds the character U+0000; leave it out.");

    /// <summary>PostgreSQL undid the work because it and somebody else's waited for each other, or it was cancelled
    /// there by somebody else.</summary>
    private static Rpc.Status Collided(PostgresException refused) => Problem.Unavailable(
        ErrorReason.DatabaseContended,
        $"The database undid the request for the moment ({refused.MessageText}); send it again.",
        RetryAfter).ToRpcStatus();

    private Rpc.Status Away(Exception e, ServerCallContext context)
    {
        logger.LogWarning(
            "Refusing {Method}: PostgreSQL does not answer ({Reason})", context.Method, DatabaseTrouble.Words(e));
        return Problem.Unavailable(
            ErrorReason.DatabaseUnavailable,
            "The database does not answer. Send the request again with the same request_id: it takes effect once.",
            RetryAfter).ToRpcStatus();
    }

    private static Rpc.Status PeerAway(RpcException peer)
    {
        var status = PassedOn(StatusCode.Unavailable, peer);
        status.Details.Add(Any.Pack(Problem.Retry(RetryAfter)));
        return status;
    }

    private static Rpc.Status PassedOn(StatusCode code, RpcException peer) =>
        Plain(code, Failure.ReasonOf(peer), peer.Status.Detail);

    private Rpc.Status Unexpected(Exception e, ServerCallContext context)
    {
        logger.LogError(e, "Failing {Method} unexpectedly, call {CallId}", context.Method, CallIdOf(context));
        return Plain(
            ErrorReason.Internal, "Something went wrong here; it was logged under the request id given.");
    }

    private static Rpc.Status Plain(ErrorReason reason, string message) =>
        Plain(reason.StatusOf(), reason.Text(), message);

    private static Rpc.Status Plain(StatusCode code, string reason, string message) => new()
    {
        Code = (int)code,
        Message = message,
        Details = { Any.Pack(new Rpc.ErrorInfo { Reason = reason, Domain = Problem.Domain }) },
    };
}
