using System.Text;
using Cloud.Protos.Api.V1;
using Cloud.Protos.Metrics.V1;
using Cloud.ServiceDefaults.Hosting;
using Cloud.ServiceDefaults.Storage;
using Cloud.ServiceDefaults.Tests.Parcels;
using Cloud.TestHost;
using Google.Rpc;
using Grpc.Core;
using Grpc.Net.Client;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;
using Xunit;
using Status = Google.Rpc.Status;

namespace Cloud.ServiceDefaults.Tests.Hosting;

/// <summary>What a caller is told, seen through a real gRPC call.</summary>
public sealed class Problems
{
    private static CancellationToken Ct => Patience.Token;

    [Fact]
    public async Task Every_wrong_field_is_named_at_once()
    {
        var problems = new FieldProblems();
        problems.Add("parcel.address", "must not be empty", ErrorReason.HostInvalid);
        problems.Add("parcel.weight", "must be at most 30 kg", ErrorReason.WeightInvalid);
        var status = await AskAsync(problems.ThrowIfAny, StatusCode.InvalidArgument);
        Assert.Equal(
            [("parcel.address", "HOST_INVALID"), ("parcel.weight", "WEIGHT_INVALID")],
            status.GetDetail<BadRequest>()!.FieldViolations.Select(v => (v.Field, v.Reason)));
        Assert.Equal("FIELDS_INVALID", status.GetDetail<ErrorInfo>()!.Reason);
        Assert.Contains("must be at most 30 kg", status.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void However_much_is_wrong_the_status_fits_into_the_headers_it_travels_in()
    {
        const int headersOfCautiousClients = 8192;
        var fields = Enumerable.Range(0, 500).Select(n => new FieldProblem(
            $"field[{new string('é', n)}]", new string('ü', 2000), ErrorReason.TextInvalid)).ToArray();
        var status = Problem.Invalid(fields).ToRpcStatus();
        var sent = (status.CalculateSize() * 4 / 3) + (3 * Encoding.UTF8.GetByteCount(status.Message));
        Assert.InRange(sent, 1, headersOfCautiousClients);
        Assert.NotEmpty(status.GetDetail<BadRequest>()!.FieldViolations);
        Assert.Contains("more)", status.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_verb_in_the_wrong_state_says_the_state_and_what_is_allowed()
    {
        var status = await AskAsync(
            () => throw Problem.WrongState("parcels/x", "delivered", "redirect", ["in-transit", "dispatch-requested"]),
            StatusCode.FailedPrecondition);
        var error = status.GetDetail<ErrorInfo>()!;
        Assert.Equal(("STATE_WRONG", "cloud.mattermost.com"), (error.Reason, error.Domain));
        Assert.Equal("delivered", error.Metadata["state"]);
        Assert.Equal("in-transit, dispatch-requested", error.Metadata["allowed"]);
        Assert.Equal("parcels/x", status.GetDetail<PreconditionFailure>()!.Violations.Single().Subject);
    }

    [Fact]
    public async Task Each_problem_has_its_code()
    {
        foreach (var (problem, code) in new[]
        {
            (Problem.NotFound("parcels/x"), StatusCode.NotFound),
            (Problem.EtagMismatch("parcels/x", "1", "2"), StatusCode.Aborted),
            (Problem.AlreadyExists("address", "a"), StatusCode.AlreadyExists),
            (Problem.Exhausted(ErrorReason.WatchesTooMany, "no room"), StatusCode.ResourceExhausted),
            (Problem.Unavailable(ErrorReason.Stopping, "away", TimeSpan.FromSeconds(7)), StatusCode.Unavailable),
            (Problem.TokenExpired("5"), StatusCode.OutOfRange),
            (Problem.PageTokenInvalid(), StatusCode.InvalidArgument),
            (Problem.RequestIdReused("id"), StatusCode.AlreadyExists),
            (Problem.Aborted(ErrorReason.EpochStale, "somebody was first"), StatusCode.Aborted),
            (Problem.FailedPrecondition(ErrorReason.SequenceGap, "x", "gap"), StatusCode.FailedPrecondition),
        })
        {
            var status = await AskAsync(() => throw problem, code);
            Assert.Equal(problem.Reason.Text(), status.GetDetail<ErrorInfo>()!.Reason);
            Assert.NotEmpty(status.GetDetail<RequestInfo>()!.RequestId);
        }
    }

    [Fact]
    public async Task An_unexpected_failure_tells_nothing_of_the_inside()
    {
        var status = await AskAsync(() => throw new InvalidOperationException("password=hunter2"), StatusCode.Internal);
        Assert.DoesNotContain("hunter2", status.ToString(), StringComparison.Ordinal);
        Assert.Equal("INTERNAL", status.GetDetail<ErrorInfo>()!.Reason);
    }

    [Fact]
    public async Task A_database_that_is_away_is_unavailable_with_a_time_to_retry()
    {
        var status = await AskAsync(() => throw new NpgsqlException("connection refused"), StatusCode.Unavailable);
        Assert.Equal("DATABASE_UNAVAILABLE", status.GetDetail<ErrorInfo>()!.Reason);
        Assert.Equal(1, status.GetDetail<RetryInfo>()!.RetryDelay.Seconds);
    }

    [Theory]
    [InlineData(PostgresErrorCodes.CharacterNotInRepertoire, StatusCode.InvalidArgument, "TEXT_INVALID")]
    [InlineData(PostgresErrorCodes.UntranslatableCharacter, StatusCode.InvalidArgument, "TEXT_INVALID")]
    [InlineData(PostgresErrorCodes.DeadlockDetected, StatusCode.Unavailable, "DATABASE_CONTENDED")]
    [InlineData(PostgresErrorCodes.QueryCanceled, StatusCode.Unavailable, "DATABASE_CONTENDED")]
    public async Task What_PostgreSQL_refuses_because_of_the_request_is_not_internal(
        string sqlState, StatusCode code, string reason)
    {
        var refusal = new PostgresException("refused", "ERROR", "ERROR", sqlState);
        var status = await AskAsync(() => throw refusal, code);
        Assert.Equal(reason, status.GetDetail<ErrorInfo>()!.Reason);
    }

    [Fact]
    public async Task A_peers_refusal_is_passed_on_with_its_details()
    {
        var refusal = Problem.Exhausted(ErrorReason.ClustersFull, "no cluster has room").ToRpcStatus().ToRpcException();
        var status = await AskAsync(() => throw refusal, StatusCode.ResourceExhausted);
        Assert.Equal("CLUSTERS_FULL", status.GetDetail<ErrorInfo>()!.Reason);
    }

    [Fact]
    public async Task The_callers_deadline_reaches_the_work()
    {
        await using var depot = await Depot.OpenAsync(Ct);
        var cut = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var client = await ClientAsync(depot, async context =>
        {
            await using var told = context.CancellationToken.Register(cut.SetResult);
            await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, context.CancellationToken);
        });
        var options = new CallOptions(deadline: TimeProvider.System.GetUtcNow().UtcDateTime.AddSeconds(2));
        await Assert.ThrowsAsync<RpcException>(async () => await client.GetFleetStatusAsync(new(), options));
        await cut.Task.WaitAsync(Ct);
    }

    [Fact]
    public async Task The_actor_and_the_cause_of_a_call_are_known_and_flow()
    {
        await using var depot = await Depot.OpenAsync(Ct);
        var causes = new List<(string, string?)>();
        var client = await ClientAsync(depot, async _ =>
        {
            await Task.Yield();
            causes.Add((RequestContext.Current.Actor, RequestContext.Current.RequestId));
        });
        await client.GetFleetStatusAsync(
            new(),
            new Metadata { { "x-actor", "alice" }, { "x-cause-request-id-bin", "nº 1"u8.ToArray() } },
            cancellationToken: Ct);
        await client.GetFleetStatusAsync(new(), new Metadata { { "x-actor", "al\tice" } }, cancellationToken: Ct);
        await client.GetFleetStatusAsync(new(), cancellationToken: Ct);
        Assert.Equal([("alice", "nº 1"), ("al?ice", null), ("anonymous", null)], causes);
    }

    [Fact]
    public async Task A_call_that_the_client_s_HTTP_layer_sends_again_empty_succeeds_with_normal_retries()
    {
        await using var depot = await Depot.OpenAsync(Ct);
        var process = await depot.StartAsync(
            Ct,
            configure: services => services.AddSingleton<Func<ServerCallContext, Task>>(_ => Task.CompletedTask),
            map: app => app.MapGrpcService<Fleet>());
        using var resent = new SentAgain(process.Handler);
        using var channel = GrpcChannel.ForAddress(
            "http://localhost",
            new GrpcChannelOptions { HttpHandler = resent, ServiceConfig = NormalRetries.Config });
        await new FleetService.FleetServiceClient(channel).GetFleetStatusAsync(new(), cancellationToken: Ct);
        Assert.Equal(["14", null], resent.Statuses);
    }

    [Fact]
    public async Task A_message_that_is_too_large_is_refused_with_the_limit()
    {
        await using var depot = await Depot.OpenAsync(Ct);
        var client = await ClientAsync(depot, _ => Task.CompletedTask);
        var unknownField = new byte[ServiceHosting.RequestBytesMax];
        var request = GetFleetStatusRequest.Parser.ParseFrom(
            [.. Varint((2000 << 3) | 2), .. Varint((uint)unknownField.Length), .. unknownField]);
        var e = await Assert.ThrowsAsync<RpcException>(
            async () => await client.GetFleetStatusAsync(request, cancellationToken: Ct));
        Assert.Equal(StatusCode.ResourceExhausted, e.StatusCode);
        var error = e.GetRpcStatus()!.GetDetail<ErrorInfo>()!;
        Assert.Equal("MESSAGE_TOO_LARGE", error.Reason);
        Assert.Equal("4194304", error.Metadata["limit_bytes"]);

        static IEnumerable<byte> Varint(uint value)
        {
            for (; value >= 0x80; value >>= 7)
            {
                yield return (byte)(value | 0x80);
            }

            yield return (byte)value;
        }
    }

    private static async Task<Status> AskAsync(Action behaviour, StatusCode expected)
    {
        await using var depot = await Depot.OpenAsync(Ct);
        var client = await ClientAsync(depot, _ =>
        {
            behaviour();
            return Task.CompletedTask;
        });
        var e = await Assert.ThrowsAsync<RpcException>(
            async () => await client.GetFleetStatusAsync(new(), cancellationToken: Ct));
        Assert.Equal(expected, e.StatusCode);
        return e.GetRpcStatus()!;
    }

    private static async Task<FleetService.FleetServiceClient> ClientAsync(
        Depot depot, Func<ServerCallContext, Task> behaviour)
    {
        var process = await depot.StartAsync(
            Ct,
            configure: services => services.AddSingleton(behaviour),
            map: app => app.MapGrpcService<Fleet>());
        var channel = GrpcChannel.ForAddress(
            "http://localhost", new GrpcChannelOptions { HttpHandler = process.Handler, DisposeHttpClient = true });
        return new FleetService.FleetServiceClient(channel);
    }

    /// <summary>Reads the first request's content before it is sent, as the HTTP layer has when it sends a call again
    /// that a stopping server had not begun.</summary>
    private sealed class SentAgain(HttpMessageHandler inner) : DelegatingHandler(inner)
    {
        public List<string?> Statuses { get; } = [];

        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken ct)
        {
            if (Statuses.Count == 0)
            {
                await request.Content!.CopyToAsync(Stream.Null, ct);
            }

            var response = await base.SendAsync(request, ct);
            Statuses.Add(response.Headers.TryGetValues("grpc-status", out var values) ? values.Single() : null);
            return response;
        }
    }

    private sealed class Fleet(Func<ServerCallContext, Task> behaviour) : FleetService.FleetServiceBase
    {
        public override async Task<FleetStatus> GetFleetStatus(GetFleetStatusRequest request, ServerCallContext context)
        {
            await behaviour(context);
            return new FleetStatus();
        }
    }
}
