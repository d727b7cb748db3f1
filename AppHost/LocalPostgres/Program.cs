using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Cloud.LocalPostgres;

/// <summary>
/// Runs a local PostgreSQL server with the services' database in it until told to stop; or, given
/// <c>Postgres:Server</c> (a superuser's connection string), only prepares that server and ends.
/// </summary>
internal static class Program
{
    /// <summary>The exit code that says: starting me again will not help (EX_CONFIG of sysexits).</summary>
    private const int Misconfigured = 78;

    private static async Task<int> Main(string[] args)
    {
        var builder = Host.CreateApplicationBuilder(args);
        builder.Logging.AddFilter("Microsoft.Hosting", LogLevel.Warning);
        using var host = builder.Build();
        await host.StartAsync();
        var lifetime = (IHostApplicationLifetime)host.Services.GetService(typeof(IHostApplicationLifetime))!;
        var configuration = (IConfiguration)host.Services.GetService(typeof(IConfiguration))!;
        var log = ((ILoggerFactory)host.Services.GetService(typeof(ILoggerFactory))!).CreateLogger("LocalPostgres");
        try
        {
            var settings = configuration.GetSection("Postgres");
            return settings["Server"] is { Length: > 0 } server
                ? await PrepareAsync(server, isOurs: false, settings, log, lifetime.ApplicationStopping)
                : await ServeAsync(settings, log, lifetime.ApplicationStopping);
        }
        catch (OperationCanceledException) when (lifetime.ApplicationStopping.IsCancellationRequested)
        {
            return 0;
        }
        catch (PostgresUnavailableException e)
        {
            log.LogError("{Message}", e.Message);
            return Misconfigured;
        }
        catch (Npgsql.NpgsqlException e)
        {
            log.LogError("{Message}", e.Message);
            return 1;
        }
        finally
        {
            await host.StopAsync();
        }
    }

    private static async Task<int> ServeAsync(IConfiguration settings, ILogger log, CancellationToken stopping)
    {
        var options = new PostgresOptions
        {
            Directory = Required(settings, "Directory"),
            Port = settings.GetValue<int?>("Port") ?? throw Missing("Port"),
            Password = Required(settings, "Password"),
            Durable = settings.GetValue("Durable", true),
            MaxConnections = settings.GetValue("MaxConnections", 500),
            Binaries = settings["Binaries"] is { Length: > 0 } binaries ? binaries : null,
        };
        log.LogInformation(
            "Starting PostgreSQL on 127.0.0.1:{Port} with data in {Directory}", options.Port, options.Directory);
        await using var server = await PostgresProcess.StartAsync(options, stopping);
        await PrepareAsync(server.ConnectionString, isOurs: true, settings, log, stopping);
        log.LogInformation(
            "PostgreSQL {Major} from {Directory} is ready", server.Binaries.Major, server.Binaries.Directory);
        var stopped = new TaskCompletionSource();
        await using var registration = stopping.Register(() => stopped.TrySetResult());
        await Task.WhenAny(stopped.Task, server.Exited);
        if (stopping.IsCancellationRequested)
        {
            log.LogInformation("Stopping PostgreSQL");
            return 0;
        }

        log.LogError("PostgreSQL ended by itself with code {ExitCode}", await server.Exited);
        return 1;
    }

    private static async Task<int> PrepareAsync(
        string server, bool isOurs, IConfiguration settings, ILogger log, CancellationToken stopping)
    {
        var options = new PreparationOptions(
            settings["Database"] ?? "cloud",
            settings.GetSection("Roles").GetChildren().ToDictionary(role => role.Key, role => role.Value ?? ""),
            settings["Provisioner"],
            settings["ProvisionerPassword"])
        {
            CloseMaintenanceDatabases = isOurs,
        };
        log.LogInformation("Ensuring database {Database} with roles {Roles}", options.Database, options.Roles.Keys);
        await Preparation.RunAsync(server, options, stopping);
        return 0;
    }

    private static string Required(IConfiguration settings, string key) =>
        settings[key] is { Length: > 0 } value ? value : throw Missing(key);

    private static PostgresUnavailableException Missing(string key) =>
        new($"The setting Postgres:{key} (environment: Postgres__{key}) is missing.");
}
