using Cloud.Protos.Cluster.V1;
using Cloud.Protos.DatabasePool.V1;
using Cloud.Protos.Installation.V1;
using Cloud.Protos.Metrics.V1;
using Google.Protobuf.Reflection;
using Google.Rpc;
using Grpc.Core;
using Xunit;

namespace Cloud.System.Tests;

/// <summary>Every RPC there is, called with an empty message: an answer, or an error that says what is wrong.</summary>
public sealed class EveryRpc(RunningWorld world) : Story(world)
{
    private static readonly (int Port, FileDescriptor[] Files)[] Services =
    [
        (7101, [InstallationReflection.Descriptor]),
        (7102, [ClusterReflection.Descriptor, ClusterInstallationReflection.Descriptor]),
        (7103, [DatabaseServerReflection.Descriptor, LogicalDatabaseReflection.Descriptor]),
        (7104, [EventReflection.Descriptor, WebhookReflection.Descriptor]),
    ];

    public static TheoryData<string> Names => [.. Methods().Select(entry => entry.Method.FullName)];

    [Theory]
    [MemberData(nameof(Names))]
    public async Task Answers_an_empty_message_or_says_what_is_wrong_with_it(string name)
    {
        var (port, method) = Methods().Single(entry => entry.Method.FullName == name);
        var call = new Method<byte[], byte[]>(
            method.IsServerStreaming ? MethodType.ServerStreaming : MethodType.Unary,
            method.Service.FullName,
            method.Name,
            Marshallers.Create(bytes => bytes, bytes => bytes),
            Marshallers.Create(bytes => bytes, bytes => bytes));
        var invoker = World.Channel(port).CreateCallInvoker();
        try
        {
            if (method.IsServerStreaming)
            {
                using var stream = invoker.AsyncServerStreamingCall(
                    call, null, new CallOptions(cancellationToken: Token), []);
                await stream.ResponseHeadersAsync;
            }
            else
            {
                var answer = await invoker.AsyncUnaryCall(call, null, new CallOptions(cancellationToken: Token), []);
                Assert.NotNull(method.OutputType.Parser.ParseFrom(answer));
            }
        }
        catch (RpcException e)
        {
            Assert.True(
                e.StatusCode is StatusCode.InvalidArgument or StatusCode.NotFound or StatusCode.FailedPrecondition,
                $"{e.StatusCode}: {e.Status.Detail}");
            var reason = e.GetRpcStatus()?.GetDetail<ErrorInfo>();
            Assert.False(string.IsNullOrEmpty(reason?.Reason), "no ErrorInfo");
            Assert.Equal("cloud.mattermost.com", reason!.Domain);
        }
    }

    private static IEnumerable<(int Port, MethodDescriptor Method)> Methods() =>
        from entry in Services
        from file in entry.Files
        from service in file.Services
        from method in service.Methods
        select (entry.Port, method);
}
