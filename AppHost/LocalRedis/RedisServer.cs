using System.Globalization;
using Garnet;

namespace Cloud.LocalRedis;

/// <summary>
/// Microsoft.Garnet, a server of the Redis protocol, inside this process on 127.0.0.1. Keeps nothing unless told
/// where: whoever uses it must survive its loss anyway. Lua scripts are on, because locks are released by scripts.
/// </summary>
public sealed class RedisServer : IDisposable
{
    private readonly GarnetServer _server;

    /// <summary>Starts listening; connections are accepted when this returns.</summary>
    /// <param name="port">TCP port on 127.0.0.1.</param>
    /// <param name="metricsEvery">How often it counts what it did, for <c>INFO stats</c>, in seconds; 0 never.</param>
    /// <param name="directory">Where it logs every write and finds again what it knew when it was killed; null keeps
    /// nothing.</param>
    public RedisServer(int port, int metricsEvery = 0, string? directory = null)
    {
        Port = port;
        _server = new GarnetServer(
            [
                "--bind", "127.0.0.1",
                "--port", port.ToString(CultureInfo.InvariantCulture),
                "--lua", "true",
                "-q", "true",
                "--memory", "128m",
                "--page", "4m",
                "--index", "8m",
                "--logger-level", "Warning",
                "--metrics-sampling-freq", metricsEvery.ToString(CultureInfo.InvariantCulture),
                .. directory is null ? [] : Keeping(directory),
            ]);
        _server.Start();
    }

    public int Port { get; }

    public void Dispose() => _server.Dispose();

    /// <summary>By .NET's own file access; Garnet's would need libaio on the machine.</summary>
    private static string[] Keeping(string directory) =>
        ["--aof", "true", "--recover", "true", "--checkpointdir", directory, "--device-type", "RandomAccess"];
}
