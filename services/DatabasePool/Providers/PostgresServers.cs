using System.Collections.Concurrent;
using Cloud.ServiceDefaults.Supervision;
using Npgsql;

namespace Cloud.Providers;

/// <summary>
/// The customers' PostgreSQL servers, spoken to as the administrating role.
/// <para>
/// Work on one database is fenced on the server itself: <see cref="ActAsync"/> takes a session-level advisory lock
/// named after the database, then asks whether the caller is still the one who may act, then acts, all on one
/// connection. A worker that was paused in the middle holds the lock as long as its session lives, so nobody acts
/// beside it; one whose session died cannot act at all. That is why a stale creation cannot bring back what a deletion
/// removed.
/// </para>
/// <para>
/// A server has its own small pool and its own gate. A dead one costs its callers <see cref="ConnectTimeout"/> each and
/// occupies nobody else; every failure comes out as a <see cref="StepException"/> that says whose fault it is.
/// </para>
/// <para>
/// The pool of a server that was let go is dropped in every process, by a nudge; where that is lost, its connections
/// end with their idle time.
/// </para>
/// </summary>
public sealed class PostgresServers : IAsyncDisposable
{
    /// <summary>Nudged when a server was let go: other than the supervisor's noun, so that no step runs for
    /// it.</summary>
    public const string Noun = "database_server_pool";

    /// <summary>Connections to one server from this process.</summary>
    public const int ConnectionsPerServer = 8;

    /// <summary>
    /// Databases made or dropped at once on one server from this process. CREATE DATABASE copies a template and makes a
    /// checkpoint's worth of writes; more at once do not end sooner.
    /// </summary>
    public const int DatabaseWorkPerServer = 4;

    /// <summary>How long connecting may take before a server counts as unreachable.</summary>
    public static readonly TimeSpan ConnectTimeout = TimeSpan.FromSeconds(5);

    /// <summary>How long one statement may take; dropping a large database is the slowest.</summary>
    public static readonly TimeSpan CommandTimeout = TimeSpan.FromSeconds(25);

    /// <summary>How long work waits for its turn on a busy server before it gives its worker back.</summary>
    public static readonly TimeSpan TurnTimeout = TimeSpan.FromSeconds(10);

    /// <summary>How often a server is looked at while others change the same rights.</summary>
    private const int LooksMax = 3;

    /// <summary>The database that administration connects to: the one that every server has.</summary>
    private const string MaintenanceDatabase = "postgres";

    private static readonly TimeSpan IdleConnectionLifetime = TimeSpan.FromSeconds(60);

    private readonly ConcurrentDictionary<string, Server> _servers = new(StringComparer.Ordinal);
    private readonly Checkpoints _checkpoints;
    private readonly TimeProvider _time;
    private readonly IDisposable _hearing;

    public PostgresServers(Checkpoints checkpoints, INudges nudges, TimeProvider time)
    {
        (_checkpoints, _time) = (checkpoints, time);
        _hearing = nudges.Subscribe(Noun, Forget);
    }

    /// <summary>
    /// Asks a server about itself, and closes to PUBLIC those databases that the pool may close: the maintenance ones
    /// and customers'. Safe to repeat.
    /// </summary>
    /// <exception cref="StepException">It does not answer, or does not let us in.</exception>
    public async Task<ServerReport> InspectAsync(ServerAddress address, CancellationToken ct)
    {
        using var measured = new MeasuredCall("inspect");
        try
        {
            var report = await InspectAsync(For(address), ct);
            measured.Outcome = MeasuredCall.Done;
            return report;
        }
        catch (Exception failure) when (ServerFailures.IsOne(failure))
        {
            measured.Outcome = MeasuredCall.Failed;
            throw ServerFailures.Explain(failure, address);
        }
    }

    /// <summary>
    /// Does <paramref name="work"/> on the administrating connection while nobody else works on that database.
    /// </summary>
    /// <param name="address">The server.</param>
    /// <param name="databaseName">What the lock is named after.</param>
    /// <param name="isCurrent">Asked once the lock is held: whether the caller may still act.</param>
    /// <param name="work">The work.</param>
    /// <param name="ct">Ends waiting and statements.</param>
    /// <returns>False when <paramref name="isCurrent"/> said no; nothing was done then.</returns>
    /// <exception cref="StepException">The server does not answer, is busy, or refuses.</exception>
    public async Task<bool> ActAsync(
        ServerAddress address,
        string databaseName,
        Func<CancellationToken, Task<bool>> isCurrent,
        Func<ServerSession, CancellationToken, Task> work,
        CancellationToken ct)
    {
        var server = For(address);
        if (!await server.Gate.WaitAsync(TurnTimeout, ct))
        {
            throw ServerFailures.Busy(address);
        }

        // What fails while our own tables are asked says nothing of the server.
        var askingOurs = false;
        using var measured = new MeasuredCall("act");
        try
        {
            await using var connection = await ConnectAsync(server, ct);
            await using var hold = await DatabaseLock.TakeAsync(connection, databaseName, _time, ct)
                ?? throw ServerFailures.LockedElsewhere(address, databaseName);
            askingOurs = true;
            var isAllowed = await isCurrent(ct);
            askingOurs = false;
            if (!isAllowed)
            {
                measured.Outcome = MeasuredCall.Fenced;
                return false;
            }

            await work(new ServerSession(connection, _checkpoints), ct);
            measured.Outcome = MeasuredCall.Done;
            return true;
        }
        catch (Exception failure) when (!askingOurs && ServerFailures.IsOne(failure))
        {
            measured.Outcome = MeasuredCall.Failed;
            throw ServerFailures.Explain(failure, address);
        }
        finally
        {
            server.Gate.Release();
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        _hearing.Dispose();
        foreach (var server in _servers.Values)
        {
            await server.DisposeAsync();
        }
    }

    /// <summary>Drops a server's pool; connections in use return to it and are closed there.</summary>
    private void Forget(string? serverId)
    {
        if (serverId is not null && _servers.TryRemove(serverId, out var server))
        {
            server.Connections.Dispose();
        }
    }

    private async Task<ServerReport> InspectAsync(Server server, CancellationToken ct)
    {
        for (var tries = 1; ; tries++)
        {
            await using var connection = await ConnectAsync(server, ct);
            try
            {
                return await ServerInspection.RunAsync(new ServerSession(connection, _checkpoints), ct);
            }
            catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.InternalError && tries < LooksMax)
            {
                // "tuple concurrently updated": somebody else changed the same rights in this moment. Look again, in a
                // new session: the driver closes one that hears of an internal error.
            }
        }
    }

    private static async Task<NpgsqlConnection> ConnectAsync(Server server, CancellationToken ct) =>
        await server.Connections.OpenConnectionAsync(ct);

    /// <summary>The pool of an address. A changed address or password gets a new one; the old one drains.</summary>
    private Server For(ServerAddress address)
    {
        var server = _servers.GetOrAdd(address.ServerId, _ => new Server(address));
        if (server.Address == address)
        {
            return server;
        }

        var renewed = new Server(address);
        if (_servers.TryUpdate(address.ServerId, renewed, server))
        {
            // Connections in use return to the old pool and are closed there.
            server.Connections.Dispose();
            return renewed;
        }

        renewed.Connections.Dispose();
        return For(address);
    }

    private sealed class Server(ServerAddress address) : IAsyncDisposable
    {
        public ServerAddress Address { get; } = address;

        public NpgsqlDataSource Connections { get; } = NpgsqlDataSource.Create(
            ConnectionString(address));

        public SemaphoreSlim Gate { get; } = new(DatabaseWorkPerServer, DatabaseWorkPerServer);

        public async ValueTask DisposeAsync()
        {
            await Connections.DisposeAsync();
            Gate.Dispose();
        }

        private static NpgsqlConnectionStringBuilder ConnectionString(ServerAddress address) => new()
        {
            Host = address.Host,
            Port = address.Port,
            Username = address.User,
            Password = address.Password,
            Database = MaintenanceDatabase,
            SslMode = address.SslMode switch
            {
                SslModes.Disable => SslMode.Disable,
                SslModes.VerifyFull => SslMode.VerifyFull,
                _ => SslMode.Require,
            },
            ApplicationName = "cloud-database-pool",
            MaxPoolSize = ConnectionsPerServer,
            ConnectionIdleLifetime = (int)IdleConnectionLifetime.TotalSeconds,
            Timeout = (int)ConnectTimeout.TotalSeconds,
            CommandTimeout = (int)CommandTimeout.TotalSeconds,
        };
    }
}
