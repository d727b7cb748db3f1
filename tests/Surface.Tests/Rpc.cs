using Cloud.Protos.Installation.V1;
using Google.Protobuf;
using Google.Protobuf.Reflection;
using Grpc.Core;

namespace Cloud.Surface.Tests;

/// <summary>An RPC of the public API, found by reflection: one that is added is under test without a word
/// here.</summary>
internal sealed record Rpc(MethodDescriptor Method)
{
    private static readonly string[] Reads = ["Get", "List", "Count", "Why", "Watch"];

    private static readonly Marshaller<byte[]> Bytes = Marshallers.Create(bytes => bytes, bytes => bytes);

    /// <summary>All of them, in a fixed order.</summary>
    public static IReadOnlyList<Rpc> All { get; } =
    [
        .. typeof(InstallationReflection).Assembly.GetTypes()
            .Where(type => type.Name.EndsWith("Reflection", StringComparison.Ordinal)
                && type.Namespace?.StartsWith("Cloud.Protos.", StringComparison.Ordinal) == true)
            .Select(type => (FileDescriptor)type.GetProperty("Descriptor")!.GetValue(null)!)
            .SelectMany(file => file.Services)
            .SelectMany(service => service.Methods)
            .OrderBy(method => method.FullName, StringComparer.Ordinal)
            .Select(method => new Rpc(method)),
    ];

    public string Name => Method.FullName;

    /// <summary>The service that has it: the second part of its package.</summary>
    public string Host => Method.File.Package.Split('.')[1];

    public bool IsStream => Method.IsServerStreaming;

    public bool IsRead => Reads.Any(word => Method.Name.StartsWith(word, StringComparison.Ordinal));

    public FieldDescriptor? Field(string name) => Method.InputType.FindFieldByName(name);

    public Task<IMessage> AskAsync(CallInvoker invoker, IMessage request, CancellationToken ct) =>
        AskAsync(invoker, request, new CallOptions(cancellationToken: ct));

    public async Task<IMessage> AskAsync(CallInvoker invoker, IMessage request, CallOptions options)
    {
        using var call = invoker.AsyncUnaryCall(Wire(MethodType.Unary), null, options, request.ToByteArray());
        return Method.OutputType.Parser.ParseFrom(await call);
    }

    /// <summary>Reads a stream for a moment and hangs up.</summary>
    public async Task FollowAsync(CallInvoker invoker, IMessage request, TimeSpan moment, CancellationToken ct)
    {
        using var hangUp = CancellationTokenSource.CreateLinkedTokenSource(ct);
        using var call = invoker.AsyncServerStreamingCall(
            Wire(MethodType.ServerStreaming), null, new CallOptions(cancellationToken: hangUp.Token),
            request.ToByteArray());
        hangUp.CancelAfter(moment);
        try
        {
            while (await call.ResponseStream.MoveNext(hangUp.Token))
            {
                Method.OutputType.Parser.ParseFrom(call.ResponseStream.Current);
            }
        }
        catch (RpcException e) when (
            e.StatusCode is StatusCode.Cancelled or StatusCode.Unavailable && hangUp.IsCancellationRequested)
        {
            // How an in-memory connection ends that was cut by its caller depends on who noticed first.
            ct.ThrowIfCancellationRequested();
        }
    }

    public override string ToString() => Name;

    private Method<byte[], byte[]> Wire(MethodType type) =>
        new(type, Method.Service.FullName, Method.Name, Bytes, Bytes);
}
