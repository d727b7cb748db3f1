using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Cloud.Processes;
using Npgsql;

namespace Cloud.LocalPostgres;

/// <summary>
/// A PostgreSQL server of our own on 127.0.0.1, running until disposed.
/// <para>Guarantees: the data directory is either whole or absent (it is made aside and renamed); the server never
/// outlives this process; what a killed predecessor left behind (its lock file, or itself in the middle of stopping) is
/// cleared away before the start. Only password (SCRAM) connections over TCP are accepted.</para>
/// <para>Failures: everything that keeps the server from answering ends in <see cref="PostgresUnavailableException"/>
/// with the end of the server's own log.</para>
/// </summary>
public sealed class PostgresProcess : IAsyncDisposable
{
    private static readonly TimeSpan StartWithin = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan PredecessorStopWithin = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan LookAgainAfter = TimeSpan.FromMilliseconds(50);

    private readonly GuardedProcess _process;
    private readonly Stream _log;

    private PostgresProcess(GuardedProcess process, Stream log, string connectionString, PostgresBinaries binaries)
    {
        _process = process;
        _log = log;
        ConnectionString = connectionString;
        Binaries = binaries;
    }

    /// <summary>Connects the superuser to database <c>postgres</c>.</summary>
    public string ConnectionString { get; }

    public PostgresBinaries Binaries { get; }

    /// <summary>The process id of the postmaster.</summary>
    public int Id => _process.Id;

    /// <summary>Completes with the exit code when the server ends, for whatever reason.</summary>
    public Task<int> Exited => _process.Exited;

    /// <summary>Finds PostgreSQL, makes the data directory when missing, starts the server and waits until it
    /// answers.</summary>
    /// <exception cref="PostgresUnavailableException">It cannot be had; the message says what to do.</exception>
    public static async Task<PostgresProcess> StartAsync(PostgresOptions options, CancellationToken cancellationToken)
    {
        var user = await UnprivilegedUser.ChooseAsync(cancellationToken);
        var home = await DataDirectory.PrepareAsync(options.Directory, user, cancellationToken);
        var binaries = await PostgresBinaries.FindAsync(
            options with { DownloadDirectory = options.DownloadDirectory ?? Path.Combine(home, "binaries") },
            DataDirectory.MajorOf(home), cancellationToken);
        if (!await user.ReachesAsync(binaries.Postgres, cancellationToken))
        {
            throw new PostgresUnavailableException(
                $"PostgreSQL may not run as root, and no other user may read {binaries.Directory}. Move "
                + "it, or open the way to it.");
        }

        await DataDirectory.CreateAsync(home, options, binaries, user, cancellationToken);
        await StopPredecessorAsync(home, cancellationToken);
        var log = new FileStream(
            Path.Combine(home, "postgres.log"), FileMode.Create, FileAccess.Write, FileShare.ReadWrite);
        var process = GuardedProcess.Start(StartOf(options, home, binaries, user), log);
        var server = new PostgresProcess(process, log, ConnectionStringOf(options), binaries);
        try
        {
            await server.WaitUntilAnsweringAsync(log.Name, cancellationToken);
            return server;
        }
        catch
        {
            await server.DisposeAsync();
            throw;
        }
    }

    /// <summary>Disconnects everybody and stops; committed work is on disk afterwards.</summary>
    public Task StopAsync() => _process.StopAsync();

    /// <summary>Kills the server as a crash would.</summary>
    public async Task KillAsync()
    {
        await _process.DisposeAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await _process.StopAsync();
        await _process.DisposeAsync();
        await _log.DisposeAsync();
    }

    /// <summary>A port nobody listens on now, outside the range the system hands to outgoing connections.</summary>
    public static int FreePort()
    {
        while (true)
        {
            var port = Random.Shared.Next(20_000, 30_000);
            using var listener = new TcpListener(IPAddress.Loopback, port);
            try
            {
                listener.Start();
                return port;
            }
            catch (SocketException)
            {
                // Taken: try another.
            }
        }
    }

    private static string ConnectionStringOf(PostgresOptions options) => new NpgsqlConnectionStringBuilder
    {
        Host = "127.0.0.1",
        Port = options.Port,
        Username = PostgresOptions.Superuser,
        Password = options.Password,
        Database = "postgres",
    }.ConnectionString;

    private static ProgramStart StartOf(
        PostgresOptions options, string home, PostgresBinaries binaries, UnprivilegedUser user)
    {
        List<string> settings =
        [
            "listen_addresses=127.0.0.1",
            $"port={options.Port}",
            "unix_socket_directories=",
            $"max_connections={options.MaxConnections}",
            "password_encryption=scram-sha-256",
            "shared_buffers=128MB",
            "log_line_prefix=%m [%p] %u@%d ",
            "log_min_duration_statement=1s",
            "timezone=UTC",
            // Every database gets a worker in this time: by default, a thousand workspaces would start one every 60 ms.
            "autovacuum_naptime=5min",
            .. options.Settings,
        ];
        if (!options.Durable)
        {
            settings.AddRange(["fsync=off", "full_page_writes=off", "autovacuum=off"]);
        }

        var start = user.Run(
            binaries.Postgres,
            ["-D", DataDirectory.ClusterIn(home), .. settings.SelectMany(setting => new[] { "-c", setting })]);
        return start with
        {
            WorkingDirectory = home,
            // Interrupt is PostgreSQL's "fast" shutdown: it does not wait for clients, and loses nothing committed.
            StopSignal = Signal.Interrupt,
            RemoveWhenOrphaned = options.RemoveWhenOrphaned ? home : null,
        };
    }

    private async Task WaitUntilAnsweringAsync(string logPath, CancellationToken cancellationToken)
    {
        var clock = TimeProvider.System;
        var started = clock.GetTimestamp();
        while (true)
        {
            try
            {
                await using var connection = new NpgsqlConnection(ConnectionString + ";Pooling=false;Timeout=5");
                await connection.OpenAsync(cancellationToken);
                return;
            }
            catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.InvalidPassword)
            {
                throw new PostgresUnavailableException(
                    "The local PostgreSQL does not accept the password kept for it: its data directory is from another "
                    + "world. Give the local world up with ./cloud reset.", e);
            }
            catch (NpgsqlException e)
            {
                if (Exited.IsCompleted || clock.GetElapsedTime(started) > StartWithin)
                {
                    throw new PostgresUnavailableException(
                        $"PostgreSQL did not start: {await EndOfAsync(logPath, cancellationToken)}", e);
                }
            }

            await Task.WhenAny(Exited, Task.Delay(LookAgainAfter, clock, cancellationToken));
            cancellationToken.ThrowIfCancellationRequested();
        }
    }

    private static async Task<string> EndOfAsync(string logPath, CancellationToken cancellationToken)
    {
        const int Lines = 5;
        await using var file = new FileStream(logPath, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        using var reader = new StreamReader(file);
        var lines = (await reader.ReadToEndAsync(cancellationToken))
            .Split('\n', StringSplitOptions.RemoveEmptyEntries);
        return string.Join(" / ", lines.TakeLast(Lines));
    }

    /// <summary>Stops a server that a killed predecessor of this process left on the same data directory.</summary>
    private static async Task StopPredecessorAsync(string home, CancellationToken cancellationToken)
    {
        var clock = TimeProvider.System;
        var started = clock.GetTimestamp();
        while (DataDirectory.ServerRunningOn(home) is { } processId)
        {
            if (clock.GetElapsedTime(started) > PredecessorStopWithin)
            {
                throw new PostgresUnavailableException(
                    $"A PostgreSQL server from an earlier run (process {processId}) still uses {home}. Stop it: "
                    + "kill -INT " + processId.ToString(CultureInfo.InvariantCulture));
            }

            await ProgramRun.RunAsync(
                new ProgramStart("sh", "-c", $"kill -s INT {processId} 2>/dev/null || true"), cancellationToken);
            await Task.Delay(LookAgainAfter * 4, clock, cancellationToken);
        }
    }
}
