using System.Net;
using System.Net.Sockets;

namespace Aspire.Hosting.Running;

/// <summary>
/// One fixed port in front of several replicas. Connections, not requests, are spread in turn: a connection stays with
/// its replica until either side closes it. A replica that refuses is passed over for the next one; when none accepts,
/// the caller's connection is closed, which callers see as "unavailable" and retry.
/// </summary>
internal sealed class ReplicaProxy : IAsyncDisposable
{
    private const int BufferBytes = 64 * 1024;
    private const int Backlog = 512;

    private readonly Socket _listener;
    private readonly Func<IReadOnlyList<int>> _targets;
    private readonly CancellationTokenSource _stopping = new();
    private readonly Task _accepting;
    private uint _turn;

    /// <param name="port">The fixed port on 127.0.0.1.</param>
    /// <param name="targets">The ports of the replicas that may be tried now.</param>
    /// <exception cref="SocketException">The port is in use.</exception>
    public ReplicaProxy(int port, Func<IReadOnlyList<int>> targets)
    {
        _targets = targets;
        _listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        _listener.Bind(new IPEndPoint(IPAddress.Loopback, port));
        _listener.Listen(Backlog);
        _accepting = AcceptAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        _listener.Dispose();
        await _accepting;
        _stopping.Dispose();
    }

    private async Task AcceptAsync()
    {
        var connections = new HashSet<Task>();
        try
        {
            while (true)
            {
                var caller = await _listener.AcceptAsync(_stopping.Token);
                connections.RemoveWhere(connection => connection.IsCompleted);
                connections.Add(ServeAsync(caller));
            }
        }
        catch (Exception e) when (e is OperationCanceledException or ObjectDisposedException or SocketException)
        {
            // The listener is gone; what is connected is cut by the same token.
        }

        await Task.WhenAll(connections);
    }

    private async Task ServeAsync(Socket caller)
    {
        using (caller)
        {
            try
            {
                using var replica = await ConnectAsync();
                if (replica is null)
                {
                    return;
                }

                caller.NoDelay = true;
                await Task.WhenAll(CopyAsync(caller, replica), CopyAsync(replica, caller));
            }
            catch (Exception e) when (e is SocketException or OperationCanceledException or ObjectDisposedException)
            {
                // One side went away; disposing tells the other.
            }
        }
    }

    private async Task<Socket?> ConnectAsync()
    {
        var targets = _targets();
        var first = (int)(Interlocked.Increment(ref _turn) % int.MaxValue);
        for (var attempt = 0; attempt < targets.Count; attempt++)
        {
            var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
            try
            {
                await socket.ConnectAsync(
                    IPAddress.Loopback, targets[(first + attempt) % targets.Count], _stopping.Token);
                return socket;
            }
            catch (SocketException)
            {
                socket.Dispose();
            }
            catch
            {
                socket.Dispose();
                throw;
            }
        }

        return null;
    }

    /// <summary>Ends when its source ends or either side is gone. It does not end the other direction: a replica that
    /// stops hears no more, but its last answers are still on their way.</summary>
    private async Task CopyAsync(Socket from, Socket to)
    {
        var buffer = new byte[BufferBytes];
        try
        {
            while (await from.ReceiveAsync(buffer, _stopping.Token) is var count and > 0)
            {
                for (var sent = 0; sent < count;)
                {
                    sent += await to.SendAsync(buffer.AsMemory(sent, count - sent), _stopping.Token);
                }
            }
        }
        catch (SocketException)
        {
            // Gone; the other direction delivers what there still is, and learns it from its own side.
        }

        try
        {
            to.Shutdown(SocketShutdown.Send);
        }
        catch (SocketException)
        {
            // It is gone, too.
        }
    }
}
