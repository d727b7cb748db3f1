using System.Net;
using System.Net.Sockets;
using Cloud.LocalPostgres;

namespace Cloud.DatabasePool.Tests.Journeys;

/// <summary>An address of its own in front of a server: nobody answers there until it is opened, and whoever came in
/// is out when it is closed.</summary>
public sealed class Door(int behind) : IAsyncDisposable
{
    private readonly CancellationTokenSource _closing = new();
    private readonly List<Task> _visits = [];
    private Task _opened = Task.CompletedTask;

    public int Port { get; } = PostgresProcess.FreePort();

    public void Open()
    {
        var listener = new TcpListener(IPAddress.Loopback, Port);
        listener.Start();
        _opened = WelcomeAsync(listener);
    }

    public async ValueTask DisposeAsync()
    {
        await _closing.CancelAsync();
        await _opened;
        await Task.WhenAll(_visits);
        _closing.Dispose();
    }

    private async Task WelcomeAsync(TcpListener listener)
    {
        try
        {
            while (true)
            {
                _visits.Add(PassThroughAsync(await listener.AcceptTcpClientAsync(_closing.Token)));
            }
        }
        catch (OperationCanceledException) when (_closing.IsCancellationRequested)
        {
            listener.Stop();
        }
    }

    private async Task PassThroughAsync(TcpClient visitor)
    {
        using (visitor)
        using (var server = new TcpClient())
        {
            try
            {
                await server.ConnectAsync(IPAddress.Loopback, behind, _closing.Token);
                await Task.WhenAny(
                    visitor.GetStream().CopyToAsync(server.GetStream(), _closing.Token),
                    server.GetStream().CopyToAsync(visitor.GetStream(), _closing.Token));
            }
            catch (OperationCanceledException) when (_closing.IsCancellationRequested)
            {
                // Closed: both ends fall.
            }
        }
    }
}
