using System.Reflection;
using System.Text;
using Grpc.Core;
using Grpc.Core.Interceptors;
using Grpc.Net.Client.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace Cloud.ServiceDefaults.Hosting;

/// <summary>Clients of other services.</summary>
public static class GrpcPeers
{
    /// <summary>Deadline of a unary call that has none of its own.</summary>
    public static readonly TimeSpan DeadlineDefault = TimeSpan.FromSeconds(10);

    /// <summary>Largest message to or from a peer, in bytes.</summary>
    public const int MessageBytesMax = 16 * 1024 * 1024;

    private const int ReadAttemptsMax = 3;
    private static readonly string[] ReadPrefixes = ["Get", "List", "Count", "Find", "Why"];

    /// <summary>Registers a typed client of a service by its discovery name; its endpoint <c>grpc</c> is looked up as
    /// <c>services:&lt;name&gt;:grpc:0</c>. Calls carry the actor and the trace; a unary call without a deadline gets
    /// <see cref="DeadlineDefault"/>; reads are tried again twice when the peer is unavailable. Nothing else is: the
    /// pass retries. Health says when the peer is away.</summary>
    public static IHttpClientBuilder AddGrpcPeer<TClient>(this IServiceCollection services, string serviceName)
        where TClient : ClientBase
    {
        services.TryAddKeyedSingleton(serviceName, (_, _) => new SocketsHttpHandler
        {
            EnableMultipleHttp2Connections = true,
            ConnectTimeout = TimeSpan.FromSeconds(3),
            KeepAlivePingDelay = TimeSpan.FromSeconds(30),
            KeepAlivePingTimeout = TimeSpan.FromSeconds(10),
            PooledConnectionIdleTimeout = Timeout.InfiniteTimeSpan,
        });
        services.AddGrpcClient<Grpc.Health.V1.Health.HealthClient>(
            PeerCheck.ClientName(serviceName), options => options.Address = AddressOf(serviceName))
            .OverConnectionTo(serviceName);
        services.AddPeerCheck(serviceName);
        var retries = RetriesOf(typeof(TClient));
        return services
            .AddGrpcClient<TClient>(options =>
            {
                options.Address = AddressOf(serviceName);
                options.ChannelOptionsActions.Add(channel =>
                {
                    channel.MaxReceiveMessageSize = MessageBytesMax;
                    channel.MaxSendMessageSize = MessageBytesMax;
                    channel.ServiceConfig = retries;
                });
            })
            .OverConnectionTo(serviceName)
            .AddHttpMessageHandler(provider => new CallPlaces(provider.GetRequiredService<Checkpoints>(), serviceName))
            .AddInterceptor(provider => new PeerInterceptor(provider.GetRequiredService<ServiceIdentity>()));
    }

    /// <summary>Whether an RPC only reads, by its name.</summary>
    internal static bool IsRead(string method) =>
        ReadPrefixes.Any(prefix => method.StartsWith(prefix, StringComparison.Ordinal));

    private static Uri AddressOf(string serviceName) => new($"http://_grpc.{serviceName}");

    /// <summary>All clients of a peer share one connection pool, which lives as long as the process.</summary>
    private static IHttpClientBuilder OverConnectionTo(this IHttpClientBuilder client, string serviceName) => client
        .ConfigurePrimaryHttpMessageHandler(
            provider => provider.GetRequiredKeyedService<SocketsHttpHandler>(serviceName))
        .SetHandlerLifetime(Timeout.InfiniteTimeSpan);

    private static ServiceConfig RetriesOf(Type client)
    {
        var config = new ServiceConfig();
        if (client.DeclaringType?.GetProperty("Descriptor", BindingFlags.Public | BindingFlags.Static)?.GetValue(null)
            is not Google.Protobuf.Reflection.ServiceDescriptor service)
        {
            return config;
        }

        var reads = new MethodConfig
        {
            RetryPolicy = new RetryPolicy
            {
                MaxAttempts = ReadAttemptsMax,
                InitialBackoff = TimeSpan.FromMilliseconds(100),
                MaxBackoff = TimeSpan.FromSeconds(1),
                BackoffMultiplier = 3,
                RetryableStatusCodes = { StatusCode.Unavailable },
            },
        };
        foreach (var method in service.Methods.Where(m =>
            !m.IsServerStreaming && !m.IsClientStreaming && IsRead(m.Name)))
        {
            reads.Names.Add(new MethodName { Service = service.FullName, Method = method.Name });
        }

        if (reads.Names.Count > 0)
        {
            config.MethodConfigs.Add(reads);
        }

        return config;
    }

    /// <summary>Adds what every call to a peer carries.</summary>
    private sealed class PeerInterceptor(ServiceIdentity service) : Interceptor
    {
        public override AsyncUnaryCall<TResponse> AsyncUnaryCall<TRequest, TResponse>(
            TRequest request,
            ClientInterceptorContext<TRequest, TResponse> context,
            AsyncUnaryCallContinuation<TRequest, TResponse> continuation)
        {
            var options = WithCause(context.Options);
            if (options.Deadline is null)
            {
                // gRPC itself goes by the system's clock, whatever clock the service goes by.
                options = options.WithDeadline(TimeProvider.System.GetUtcNow().UtcDateTime + DeadlineDefault);
            }

            return continuation(request, new(context.Method, context.Host, options));
        }

        public override AsyncServerStreamingCall<TResponse> AsyncServerStreamingCall<TRequest, TResponse>(
            TRequest request,
            ClientInterceptorContext<TRequest, TResponse> context,
            AsyncServerStreamingCallContinuation<TRequest, TResponse> continuation) =>
            continuation(request, new(context.Method, context.Host, WithCause(context.Options)));

        private CallOptions WithCause(CallOptions options)
        {
            var headers = new Metadata();
            foreach (var entry in options.Headers ?? [])
            {
                headers.Add(entry);
            }

            // To others, this service is who works on a row.
            var actor = RequestContext.Current.Actor;
            headers.Add("x-actor", actor == RequestContext.SupervisorActor ? service.Name : actor);
            if (RequestContext.Current.RequestId is { } requestId)
            {
                headers.Add(RequestContext.RequestIdHeader, Encoding.UTF8.GetBytes(requestId));
            }

            return options.WithHeaders(headers);
        }
    }
}
