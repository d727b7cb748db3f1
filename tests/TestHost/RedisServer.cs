using Cloud.LocalPostgres;

namespace Cloud.TestHost;

/// <summary>A Redis-protocol server in the test process. Stopping and starting it again loses everything it
/// knew.</summary>
public sealed class RedisServer : IDisposable
{
    private LocalRedis.RedisServer? _server;

    public RedisServer()
    {
        Port = PostgresProcess.FreePort();
        Start();
    }

    public int Port { get; }

    /// <summary>For StackExchange.Redis; reconnects quickly after the server was away.</summary>
    public string ConnectionString => $"127.0.0.1:{Port},abortConnect=false,connectTimeout=2000,syncTimeout=2000";

    /// <summary>Starts the server on the same port as before.</summary>
    public void Start() => _server ??= new LocalRedis.RedisServer(Port);

    /// <summary>Takes the server away: connections break and new ones are refused.</summary>
    public void Stop()
    {
        _server?.Dispose();
        _server = null;
    }

    public void Dispose() => Stop();
}
