using Npgsql;

namespace Cloud.Simulator.Applications;

/// <summary>
/// Where the application's data is, read from the URL that it is given: <c>postgres://user:password@host:port/name?…</c>.
/// </summary>
internal sealed record DataSource(string ConnectionString, string Host, int Port, string Database, string User)
{
    private const int DefaultPort = 5432;
    private const int ConnectSeconds = 10;
    private const int CommandSeconds = 30;

    /// <summary>
    /// The data source of an environment: the settings' own variable first, then the configuration's.
    /// </summary>
    public static DataSource? From(IReadOnlyDictionary<string, string> environment, out string problem)
    {
        var url = environment.GetValueOrDefault("MM_SQLSETTINGS_DATASOURCE")
            ?? environment.GetValueOrDefault("MM_CONFIG") ?? "";
        problem = "";
        if (url.Length == 0) problem = "neither MM_SQLSETTINGS_DATASOURCE nor MM_CONFIG is set";
        else if (!Uri.TryCreate(url, UriKind.Absolute, out var uri)) problem = "the data source is not a URL";
        else if (uri.Scheme is not ("postgres" or "postgresql")) problem = $"unsupported database \"{uri.Scheme}\"";
        else return From(uri);
        return null;
    }

    private static DataSource From(Uri uri)
    {
        var login = uri.UserInfo.Split(':', 2);
        var user = Uri.UnescapeDataString(login[0]);
        var database = Uri.UnescapeDataString(uri.AbsolutePath.TrimStart('/'));
        var port = uri.Port > 0 ? uri.Port : DefaultPort;
        var builder = new NpgsqlConnectionStringBuilder
        {
            Host = uri.Host,
            Port = port,
            Database = database,
            Username = user,
            Password = login.Length > 1 ? Uri.UnescapeDataString(login[1]) : null,
            ApplicationName = "mattermost",
            // A workspace that nobody looks at must hold no connection: thousands of them share a server.
            Pooling = false,
            Timeout = ConnectSeconds,
            CommandTimeout = CommandSeconds,
            SslMode = SslModeOf(uri),
        };
        return new DataSource(builder.ConnectionString, uri.Host, port, database, user);
    }

    private static SslMode SslModeOf(Uri uri)
    {
        foreach (var pair in uri.Query.TrimStart('?').Split('&'))
        {
            if (!pair.StartsWith("sslmode=", StringComparison.Ordinal)) continue;
            return pair["sslmode=".Length..] switch
            {
                "disable" => SslMode.Disable,
                "allow" => SslMode.Allow,
                "require" => SslMode.Require,
                "verify-ca" => SslMode.VerifyCA,
                "verify-full" => SslMode.VerifyFull,
                _ => SslMode.Prefer,
            };
        }
        return SslMode.Prefer;
    }
}
