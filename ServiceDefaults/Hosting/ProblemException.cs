using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using Rpc = Google.Rpc;

namespace Cloud.ServiceDefaults.Hosting;

/// <summary>A problem that a caller is told about, with everything its program and its people need: a status code, a
/// stable reason, and details. Thrown by the gRPC faces; <see cref="ProblemInterceptor"/> alone turns it into a status.
/// Made by <see cref="Problem"/>.</summary>
public sealed class ProblemException : Exception
{
    internal ProblemException(ErrorReason reason, string message, params IEnumerable<IMessage> details)
        : this(reason.StatusOf(), reason, message, details)
    {
    }

    internal ProblemException(
        StatusCode status, ErrorReason reason, string message, params IEnumerable<IMessage> details)
        : base(message)
    {
        Status = status;
        Reason = reason;
        Details = [.. details];
    }

    /// <summary>The gRPC status code.</summary>
    public StatusCode Status { get; }

    /// <summary>What programs decide by.</summary>
    public ErrorReason Reason { get; }

    /// <summary>Values a program may need, put into ErrorInfo's metadata.</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; init; } = new Dictionary<string, string>();

    /// <summary>Further standard details: BadRequest, RetryInfo, ResourceInfo, PreconditionFailure.</summary>
    public IReadOnlyList<IMessage> Details { get; }

    /// <summary>The wrong fields, when those are the problem.</summary>
    internal IEnumerable<FieldProblem> Fields => Details.OfType<Rpc.BadRequest>()
        .SelectMany(bad => bad.FieldViolations)
        .Select(v => new FieldProblem(v.Field, v.Description, ErrorReasons.Of(v.Reason)));

    /// <summary>The rich status, without RequestInfo (the interceptor adds it).</summary>
    public Rpc.Status ToRpcStatus()
    {
        var error = new Rpc.ErrorInfo { Reason = Reason.Text(), Domain = Problem.Domain };
        foreach (var (key, value) in Metadata)
        {
            error.Metadata.Add(key, value);
        }

        var status = new Rpc.Status { Code = (int)Status, Message = Message };
        status.Details.Add(Any.Pack(error));
        status.Details.AddRange(Details.Select(Any.Pack));
        return status;
    }
}

/// <summary>One wrong field of a request.</summary>
/// <param name="Field">Path as in the proto: <c>installation.dns_names[0]</c>.</param>
/// <param name="Description">What is wrong and what would be right, for people.</param>
/// <param name="Reason">For programs.</param>
public sealed record FieldProblem(string Field, string Description, ErrorReason Reason);

/// <summary>Collects everything that is wrong with a request, so that its caller is told once about all of
/// it.</summary>
public sealed class FieldProblems
{
    private readonly List<FieldProblem> _all = [];

    /// <summary>What was found so far.</summary>
    public IReadOnlyList<FieldProblem> All => _all;

    /// <summary>Notes a wrong field.</summary>
    public void Add(string field, string description, ErrorReason reason) => _all.Add(new(field, description, reason));

    /// <summary>Throws one InvalidArgument that names all of them, if there are any.</summary>
    public void ThrowIfAny()
    {
        if (_all.Count > 0)
        {
            throw Problem.Invalid([.. _all]);
        }
    }
}
