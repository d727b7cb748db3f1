using System.Net.Sockets;
using k8s;
using k8s.Exceptions;
using k8s.KubeConfigModels;
using YamlDotNet.Core;

namespace Cloud.Watching;

/// <summary>A kubeconfig cannot be used; the message lists every problem for the person who supplied it.</summary>
public sealed class InvalidKubeconfigException(string message, Exception? inner = null) : Exception(message, inner);

/// <summary>
/// Makes connections to clusters. Each call makes an independent <see cref="KubernetesApi"/> with its own connection
/// pool, so that one cluster cannot affect another; the caller disposes it.
/// </summary>
public static class KubernetesClients
{
    private static readonly TimeSpan ConnectTimeout = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan ConnectionLifetime = TimeSpan.FromMinutes(15);

    /// <summary>Seconds of silence after which, and between which, the system probes a TCP connection.</summary>
    private const int KeepAliveTimeSeconds = 30;
    private const int KeepAliveIntervalSeconds = 10;
    private const int KeepAliveProbes = 3;

    /// <summary>
    /// Connects as a kubeconfig text says. The text may come from outside, so what would run a program or read a file
    /// of this machine (exec, auth-provider, certificate and key paths) is refused.
    /// </summary>
    /// <param name="context">Context to use; null for the text's current one.</param>
    /// <param name="handlers">What each call passes through on its way, outermost first.</param>
    /// <exception cref="InvalidKubeconfigException">The text is no kubeconfig, or not a self-contained one.</exception>
    public static KubernetesApi FromKubeconfig(
        string text, string? context, TimeProvider time, params DelegatingHandler[] handlers)
    {
        var config = Parse(text);
        var problems = Problems(config, context ?? config.CurrentContext);
        if (problems.Count > 0)
        {
            throw new InvalidKubeconfigException(string.Join(" ", problems));
        }

        try
        {
            return Connect(
                KubernetesClientConfiguration.BuildConfigFromConfigObject(config, context), time, handlers);
        }
        catch (Exception e) when (e is KubeConfigException or FormatException or UriFormatException
            or System.Security.Cryptography.CryptographicException or ArgumentException)
        {
            throw new InvalidKubeconfigException($"The kubeconfig cannot be used: {e.Message}", e);
        }
    }

    /// <summary>
    /// Connects as a kubeconfig file of this machine says; trusted, so it may refer to files and programs.
    /// </summary>
    public static KubernetesApi FromFile(string path, TimeProvider time) =>
        Connect(KubernetesClientConfiguration.BuildConfigFromConfigFile(path), time);

    /// <summary>Connects with the service account of the pod that this program runs in.</summary>
    public static KubernetesApi InCluster(TimeProvider time) =>
        Connect(KubernetesClientConfiguration.InClusterConfig(), time);

    /// <summary>Connects with a configuration that is already made.</summary>
    public static KubernetesApi Connect(
        KubernetesClientConfiguration configuration, TimeProvider time, params DelegatingHandler[] handlers)
    {
        // Plain http has no way to agree on HTTP/2; the client would insist on it and fail.
        configuration.DisableHttp2 |= configuration.Host.StartsWith("http://", StringComparison.OrdinalIgnoreCase);
        configuration.FirstMessageHandlerSetup = handler =>
        {
            handler.ConnectTimeout = ConnectTimeout;
            handler.PooledConnectionLifetime = ConnectionLifetime;
            handler.EnableMultipleHttp2Connections = true;
            handler.ConnectCallback = OpenProbed;
        };
        return new KubernetesApi(new Kubernetes(configuration, handlers), time);
    }

    /// <summary>A watch only reads, so a peer that vanished is noticed by TCP probes or not at all.</summary>
    private static async ValueTask<Stream> OpenProbed(
        SocketsHttpConnectionContext context, CancellationToken cancellation)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.KeepAlive, true);
            socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveTime, KeepAliveTimeSeconds);
            socket.SetSocketOption(
                SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveInterval, KeepAliveIntervalSeconds);
            socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveRetryCount, KeepAliveProbes);
            await socket.ConnectAsync(context.DnsEndPoint, cancellation);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    private static K8SConfiguration Parse(string text)
    {
        try
        {
            return KubernetesYaml.Deserialize<K8SConfiguration>(text)
                ?? throw new InvalidKubeconfigException("The kubeconfig is empty.");
        }
        catch (Exception e) when (e is YamlException or FormatException or InvalidCastException)
        {
            throw new InvalidKubeconfigException($"The kubeconfig is not valid YAML: {e.Message}", e);
        }
    }

    private static List<string> Problems(K8SConfiguration config, string? contextName)
    {
        var context = config.Contexts?.FirstOrDefault(c => c.Name == contextName)?.ContextDetails;
        if (context is null)
        {
            return [string.IsNullOrEmpty(contextName)
                ? "The kubeconfig has no current context."
                : $"The kubeconfig has no context '{contextName}'."];
        }

        var problems = new List<string>();
        var cluster = config.Clusters?.FirstOrDefault(c => c.Name == context.Cluster)?.ClusterEndpoint;
        if (!Uri.TryCreate(cluster?.Server, UriKind.Absolute, out var server)
            || (server.Scheme != Uri.UriSchemeHttp && server.Scheme != Uri.UriSchemeHttps))
        {
            problems.Add($"Cluster '{context.Cluster}' has no server address that starts with http:// or https://.");
        }

        Refuse(problems, cluster?.CertificateAuthority, "certificate-authority", "certificate-authority-data");
        var user = config.Users?.FirstOrDefault(u => u.Name == context.User)?.UserCredentials;
        Refuse(problems, user?.ClientCertificate, "client-certificate", "client-certificate-data");
        Refuse(problems, user?.ClientKey, "client-key", "client-key-data");
        if (user?.ExternalExecution is not null || user?.AuthProvider is not null)
        {
            problems.Add(
                "Users with 'exec' or 'auth-provider' would run a program here; use a token or a certificate.");
        }

        return problems;
    }

    private static void Refuse(List<string> problems, string? path, string field, string instead)
    {
        if (!string.IsNullOrEmpty(path))
        {
            problems.Add($"'{field}' names a file that does not exist here; embed it as '{instead}'.");
        }
    }
}
