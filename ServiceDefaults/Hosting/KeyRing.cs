using Microsoft.AspNetCore.DataProtection;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Cloud.ServiceDefaults.Hosting;

/// <summary>
/// The keys that encrypt the secrets in a service's tables, in the directory <c>DataProtection:KeysPath</c> that all
/// replicas of the service share. A replica that finds no key makes one; a lock on a file beside the keys lets one
/// replica at a time do so, since two that made a key each could not read what the other wrote. A later key is made
/// days before it is used, and is read by the others in that time.
/// <para>Without a directory the keys would be lost with the process or the machine, and with them every stored
/// secret: in production the service refuses to start like that, elsewhere it warns.</para>
/// </summary>
internal sealed class KeyRing(
    IDataProtectionProvider protection,
    IConfiguration configuration,
    IHostEnvironment environment,
    ILogger<KeyRing> logger) : IHostedLifecycleService
{
    private const string PathSetting = "DataProtection:KeysPath";
    private const string LockFile = ".making-a-key";

    private static readonly TimeSpan AskAgainAfter = TimeSpan.FromMilliseconds(50);

    /// <summary>Registers the keys of a service.</summary>
    public static void AddTo(IServiceCollection services, IConfiguration configuration, string serviceName)
    {
        var protection = services.AddDataProtection().SetApplicationName("cloud-" + serviceName);
        if (configuration[PathSetting] is { Length: > 0 } path)
        {
            protection.PersistKeysToFileSystem(new DirectoryInfo(path));
        }

        services.AddHostedService<KeyRing>();
    }

    /// <summary>Before anything else starts, the framework's own look at the keys included.</summary>
    /// <exception cref="InvalidOperationException">No directory is set, in production.</exception>
    public async Task StartingAsync(CancellationToken cancellationToken)
    {
        if (configuration[PathSetting] is not { Length: > 0 } path)
        {
            if (environment.IsProduction())
            {
                throw new InvalidOperationException(
                    $"{PathSetting} is not set. It must name a directory that all replicas of this service share and "
                    + "that is backed up: the keys in it decrypt every secret in the service's tables.");
            }

            logger.LogWarning("{Setting} is not set: stored secrets cannot be read on another machine", PathSetting);
            return;
        }

        Directory.CreateDirectory(path);
        await using var turn = await TakeTurnAsync(Path.Combine(path, LockFile), cancellationToken);
        protection.CreateProtector("first use").Protect([]);
    }

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    private static async Task<FileStream> TakeTurnAsync(string path, CancellationToken cancellationToken)
    {
        while (true)
        {
            try
            {
                return new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
            }
            catch (IOException) when (File.Exists(path))
            {
                // Another replica has it, for the moment it takes to make or read a key.
                await Task.Delay(AskAgainAfter, TimeProvider.System, cancellationToken);
            }
        }
    }
}
