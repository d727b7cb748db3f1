using System.Net;
using System.Net.Sockets;
using Cloud.LocalPostgres;
using Cloud.ServiceDefaults.Storage;
using Cloud.ServiceDefaults.Tests.Parcels;
using Cloud.TestHost;
using Npgsql;
using Xunit;

namespace Cloud.ServiceDefaults.Tests.Storage;

public sealed class Turns
{
    private static readonly TimeSpan LookEvery = TimeSpan.FromMilliseconds(20);

    private static CancellationToken Ct => Patience.Token;

    [Fact]
    public async Task A_turn_is_waited_for_longer_than_a_statement_may_take()
    {
        await using var depot = await Depot.OpenAsync(Ct);
        await using var source = Impatient(depot, null);
        var held = await AdvisoryTurn.TakeAsync(depot.Source, "test", Ct);
        var waiting = AdvisoryTurn.TakeAsync(source, "test", Ct);
        var asked = new HashSet<DateTime>();
        while (asked.Count < 2)
        {
            asked.UnionWith(await WaitingSinceAsync(depot));
        }

        await held.DisposeAsync();
        await using var turn = await waiting;
    }

    [Fact]
    public async Task A_turn_comes_though_the_server_that_was_asked_for_it_vanished_without_a_word()
    {
        await using var depot = await Depot.OpenAsync(Ct);
        using var way = new Way(new NpgsqlConnectionStringBuilder(depot.Source.ConnectionString).Port);
        await using var source = Impatient(depot, way.Port);
        var held = await AdvisoryTurn.TakeAsync(depot.Source, "test", Ct);
        var waiting = AdvisoryTurn.TakeAsync(source, "test", Ct);
        while ((await WaitingSinceAsync(depot)).Count == 0)
        {
            Assert.False(waiting.IsCompleted);
        }

        way.LoseServer();
        await held.DisposeAsync();
        await using var turn = await waiting;
    }

    /// <summary>Connections on which a statement may take a second, by another way if there is one.</summary>
    private static NpgsqlDataSource Impatient(Depot depot, int? port)
    {
        var to = new NpgsqlConnectionStringBuilder(depot.Source.ConnectionString)
        {
            Password = PostgresServer.Password, CommandTimeout = 1, CancellationTimeout = 100,
        };
        to.Port = port ?? to.Port;
        return NpgsqlDataSource.Create(to);
    }

    /// <summary>Since when each that waits for a lock in this database does so.</summary>
    private static async Task<IReadOnlyList<DateTime>> WaitingSinceAsync(Depot depot)
    {
        await Task.Delay(LookEvery, TimeProvider.System, Ct);
        await using var command = depot.Source.CreateCommand(
            """
            SELECT query_start FROM pg_stat_activity
            WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%advisory%'
            """);
        await using var reader = await command.ExecuteReaderAsync(Ct);
        var since = new List<DateTime>();
        while (await reader.ReadAsync(Ct))
        {
            since.Add(reader.GetDateTime(0));
        }

        return since;
    }

    /// <summary>A way to a server that can lose it as a host is lost: who came by it hears nothing any more, not even
    /// that it is over. Who comes later gets through.</summary>
    private sealed class Way : IDisposable
    {
        private readonly TcpListener _listener;
        private readonly List<TcpClient> _visitors = [];
        private readonly List<TcpClient> _servers = [];
        private readonly int _behind;

        public Way(int behind)
        {
            _behind = behind;
            Port = PostgresProcess.FreePort();
            _listener = new TcpListener(IPAddress.Loopback, Port);
            _listener.Start();
            _ = WelcomeAsync();
        }

        public int Port { get; }

        public void LoseServer()
        {
            lock (_servers)
            {
                _servers.ForEach(server => server.Dispose());
            }
        }

        public void Dispose()
        {
            _listener.Dispose();
            LoseServer();
            lock (_servers)
            {
                _visitors.ForEach(visitor => visitor.Dispose());
            }
        }

        private async Task WelcomeAsync()
        {
            while (true)
            {
                var visitor = await _listener.AcceptTcpClientAsync(Ct);
                var server = new TcpClient();
                await server.ConnectAsync(IPAddress.Loopback, _behind, Ct);
                lock (_servers)
                {
                    _visitors.Add(visitor);
                    _servers.Add(server);
                }

                _ = visitor.GetStream().CopyToAsync(server.GetStream(), Ct);
                _ = server.GetStream().CopyToAsync(visitor.GetStream(), Ct);
            }
        }
    }
}
