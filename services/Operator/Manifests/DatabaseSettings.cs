using System.Text;
using Cloud.Operator.Mattermosts;
using k8s.Models;

namespace Cloud.Operator.Manifests;

/// <summary>Kind of a database, by the prefix of its connection string.</summary>
public enum DatabaseEngine
{
    Unknown,
    MySql,
    Postgres,
}

/// <summary>What the pods need to know of the database: which Secret, and which of its optional keys exist.</summary>
public sealed record DatabaseSettings(
    string Secret, DatabaseEngine Engine, bool HasDataSource, bool HasReplicas, bool HasCheckUrl)
{
    public const string ConnectionStringKey = "DB_CONNECTION_STRING";
    public const string DataSourceKey = "MM_SQLSETTINGS_DATASOURCE";
    public const string ReplicasKey = "MM_SQLSETTINGS_DATASOURCEREPLICAS";
    public const string CheckUrlKey = "DB_CONNECTION_CHECK_URL";

    private const string CheckName = "init-check-database";

    // These two images and loops are part of the pods of existing installations: another word here restarts them all.
    private const string CurlImage = "appropriate/curl:latest";
    private const string PostgresImage = "postgres:13";
    private const string WaitSuffix = "; do echo waiting for database; sleep 5; done;";

    /// <summary>The Secret that the spec names; null when it names none.</summary>
    public static string? SecretName(MattermostSpec spec) =>
        spec.Database?.External?.Secret is { Length: > 0 } name ? name : null;

    /// <summary>Checks the spec against the Secret it names.</summary>
    /// <param name="secret">Null when it does not exist.</param>
    /// <exception cref="SpecProblemException">No usable database is described.</exception>
    public static DatabaseSettings Read(MattermostSpec spec, V1Secret? secret)
    {
        var name = SecretName(spec) ?? throw new SpecProblemException(
            "DatabaseNotSupported",
            "No external database: set spec.database.external.secret. "
            + "Databases managed by the MySQL operator are not supported.");
        if (secret is null)
        {
            throw new SpecProblemException(
                "DatabaseSecretMissing", $"Secret '{name}' named by spec.database.external.secret does not exist.");
        }

        var connection = Text(secret, ConnectionStringKey);
        if (string.IsNullOrEmpty(connection))
        {
            throw new SpecProblemException(
                "DatabaseSecretIncomplete", $"Secret '{name}' has no value under '{ConnectionStringKey}'.");
        }

        var engine = connection.StartsWith("mysql", StringComparison.Ordinal) ? DatabaseEngine.MySql
            : connection.StartsWith("postgres", StringComparison.Ordinal) ? DatabaseEngine.Postgres
            : DatabaseEngine.Unknown;
        var checkUrl = Text(secret, CheckUrlKey);
        if (checkUrl is not null)
        {
            RequireUsable(checkUrl, engine, name);
        }

        return new DatabaseSettings(
            name, engine, Text(secret, DataSourceKey) is not null, Text(secret, ReplicasKey) is not null,
            checkUrl is not null);
    }

    /// <summary>Environment of the application.</summary>
    public IEnumerable<V1EnvVar> Environment()
    {
        yield return FromSecret("MM_CONFIG", Secret, ConnectionStringKey);
        yield return FromSecret(DataSourceKey, Secret, HasDataSource ? DataSourceKey : ConnectionStringKey);
        if (HasReplicas)
        {
            yield return FromSecret(ReplicasKey, Secret, ReplicasKey);
        }
    }

    /// <summary>
    /// The container that holds pods back until the database answers; null when nothing can be asked.
    /// </summary>
    public V1Container? ReadinessCheck(MattermostSpec spec)
    {
        if (spec.Database?.DisableReadinessCheck == true)
        {
            return null;
        }

        var check = spec.Database?.ReadinessCheck;
        return check?.Mode == "builtin" ? BuiltinCheck(spec, check) : ExternalCheck();
    }

    private V1Container BuiltinCheck(MattermostSpec spec, ReadinessCheckSpec check) => new()
    {
        Name = CheckName,
        Image = Pods.Image(spec),
        ImagePullPolicy = spec.ImagePullPolicy,
        Command = ["/mattermost/bin/mattermost", "db", "ping", $"--timeout={GoDuration.Canonical(check.Timeout)}"],
        Env = [.. Environment().Take(2)],
    };

    private V1Container? ExternalCheck()
    {
        var loop = Engine switch
        {
            DatabaseEngine.MySql => "until curl --max-time 5 \"$DB_CONNECTION_CHECK_URL\"",
            DatabaseEngine.Postgres => "until pg_isready --dbname=\"$DB_CONNECTION_CHECK_URL\"",
            DatabaseEngine.Unknown => null,
        };
        return loop is null || !HasCheckUrl ? null : new V1Container
        {
            Name = CheckName,
            Image = Engine == DatabaseEngine.MySql ? CurlImage : PostgresImage,
            ImagePullPolicy = "IfNotPresent",
            Env = [FromSecret(CheckUrlKey, Secret, CheckUrlKey)],
            Command = ["sh", "-c", loop + WaitSuffix],
        };
    }

    internal static V1EnvVar FromSecret(string variable, string secret, string key) => new()
    {
        Name = variable,
        ValueFrom = new V1EnvVarSource { SecretKeyRef = new V1SecretKeySelector { Name = secret, Key = key } },
    };

    private static string? Text(V1Secret secret, string key) =>
        secret.Data is { } values && values.TryGetValue(key, out var bytes) ? Encoding.UTF8.GetString(bytes) : null;

    /// <summary>
    /// The address ends up in a shell loop of a pod, so only what such a check can be is let through.
    /// </summary>
    private static void RequireUsable(string text, DatabaseEngine engine, string secret)
    {
        string[] schemes = engine switch
        {
            DatabaseEngine.MySql => ["http", "https"],
            DatabaseEngine.Postgres => ["http", "https", "postgres"],
            DatabaseEngine.Unknown => ["http", "https", "mysql", "postgres"],
        };
        var problem = string.IsNullOrWhiteSpace(text) ? "is empty"
            : !Uri.TryCreate(text.Trim(), UriKind.Absolute, out var uri) ? "is no URL"
            : !schemes.Contains(uri.Scheme) ? $"must begin with one of: {string.Join(", ", schemes)}"
            : uri.Host.Length == 0 ? "names no host"
            : null;
        if (problem is not null)
        {
            throw new SpecProblemException(
                "DatabaseCheckUrlInvalid", $"'{CheckUrlKey}' in Secret '{secret}' {problem}.");
        }
    }
}
