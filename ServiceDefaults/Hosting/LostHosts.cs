using Npgsql;

namespace Cloud.ServiceDefaults.Hosting;

/// <summary>How the two ends of a connection to PostgreSQL notice that the other's host is gone without a word: within
/// half a minute or little more, by default in hours.</summary>
public static class LostHosts
{
    private const int IdleSeconds = 10;
    private const int IntervalSeconds = 5;
    private const int Probes = 3;

    /// <summary>What a session selects so that its server notices, and lets go of the locks that the session has. Not
    /// in the startup options, which a pooler in between may refuse.</summary>
    public static readonly string ServerNotices =
        $"set_config('tcp_keepalives_idle', '{IdleSeconds}', false), "
        + $"set_config('tcp_keepalives_interval', '{IntervalSeconds}', false), "
        + $"set_config('tcp_keepalives_count', '{Probes}', false)";

    /// <summary>Lets both ends notice, on every connection of a source.</summary>
    internal static void Notice(NpgsqlDataSourceBuilder source)
    {
        ClientNotices(source.ConnectionStringBuilder);
        source.UsePhysicalConnectionInitializer(
            connection =>
            {
                using var command = new NpgsqlCommand($"SELECT {ServerNotices}", connection);
                command.ExecuteNonQuery();
            },
            async connection =>
            {
                await using var command = new NpgsqlCommand($"SELECT {ServerNotices}", connection);
                await command.ExecuteNonQueryAsync();
            });
    }

    /// <summary>Idle connections to a lost server are found dead at once when they are to be used, each of which would
    /// else cost its user the longest time of a statement. A path is a socket of this machine, and takes no such
    /// options.</summary>
    internal static void ClientNotices(NpgsqlConnectionStringBuilder connections)
    {
        if (connections.Host is [not ('/' or '@'), ..])
        {
            connections.TcpKeepAlive = true;
            connections.TcpKeepAliveTime = IdleSeconds;
            connections.TcpKeepAliveInterval = IntervalSeconds;
        }
    }
}
