using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Cloud.LocalPostgres;

/// <summary>The files of a local server: <c>cluster/</c> is PostgreSQL's own directory, beside it its log.</summary>
internal static class DataDirectory
{
    /// <summary>Not /var/tmp, where systemd-tmpfiles deletes what a month did not touch.</summary>
    private const string Reachable = "/var/lib";
    private const int PrivateNameLength = 12;

    public static string ClusterIn(string home) => Path.Combine(home, "cluster");

    /// <summary>The version that made the databases here, or null when there are none yet.</summary>
    public static int? MajorOf(string home)
    {
        var file = Path.Combine(ClusterIn(home), "PG_VERSION");
        return File.Exists(file) ? int.Parse(File.ReadAllText(file).Trim(), CultureInfo.InvariantCulture) : null;
    }

    /// <summary>
    /// Makes the directory, owned by the user that will run the server. Where that user cannot reach it (a checkout
    /// under /root), the files live in a directory of their own in <see cref="Reachable"/> and the directory is a
    /// link to them. The link alone says which: a link deleted by hand starts a new server and leaves the old files.
    /// </summary>
    public static async Task<string> PrepareAsync(
        string directory, UnprivilegedUser user, CancellationToken cancellationToken)
    {
        var wanted = Path.GetFullPath(directory);
        if (new DirectoryInfo(wanted).LinkTarget is { } elsewhere)
        {
            await user.OwnAsync(elsewhere, cancellationToken);
            return elsewhere;
        }

        await user.OwnAsync(wanted, cancellationToken);
        if (await user.ReachesAsync(wanted, cancellationToken))
        {
            return wanted;
        }

        var reachable = Path.Combine(
            Reachable, $"cloud-postgres-{RandomNumberGenerator.GetHexString(PrivateNameLength, lowercase: true)}");
        await user.OwnAsync(reachable, cancellationToken);
        if (!await user.ReachesAsync(reachable, cancellationToken))
        {
            Directory.Delete(reachable);
            throw new PostgresUnavailableException(
                $"PostgreSQL may not run as root, and no other user reaches {wanted} nor {Reachable}. Choose a state "
                + "directory everybody can reach: CLOUD_STATE=/srv/cloud ./cloud up.");
        }

        Directory.Delete(wanted);
        Directory.CreateSymbolicLink(wanted, reachable);
        return reachable;
    }

    /// <summary>Makes the databases' directory unless it is there. Cut in the middle, it leaves nothing in the
    /// way.</summary>
    public static async Task CreateAsync(
        string home, PostgresOptions options, PostgresBinaries binaries, UnprivilegedUser user,
        CancellationToken cancellationToken)
    {
        if (MajorOf(home) is not null)
        {
            return;
        }

        var unfinished = Path.Combine(home, "cluster.unfinished");
        if (Directory.Exists(unfinished))
        {
            Directory.Delete(unfinished, recursive: true);
        }

        var passwordFile = Path.Combine(home, "password");
        try
        {
            await WritePrivatelyAsync(passwordFile, options.Password, cancellationToken);
            await user.OwnAsync(home, cancellationToken);
            var initDb = user.Run(
                binaries.InitDb, "-D", unfinished, "-U", PostgresOptions.Superuser, "--pwfile", passwordFile,
                "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C",
                options.Durable ? "--data-checksums" : "--no-sync");
            await Processes.ProgramRun.RunAsync(initDb with { WorkingDirectory = home }, cancellationToken);
        }
        catch (Processes.ProgramFailedException e)
        {
            throw new PostgresUnavailableException($"PostgreSQL could not make its directory: {e.Message}", e);
        }
        finally
        {
            File.Delete(passwordFile);
        }

        Directory.Move(unfinished, ClusterIn(home));
    }

    private static async Task WritePrivatelyAsync(string path, string text, CancellationToken cancellationToken)
    {
        var how = new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows())
        {
            how.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        }

        await using var file = new FileStream(path, how);
        await file.WriteAsync(Encoding.UTF8.GetBytes(text), cancellationToken);
    }

    /// <summary>The process id of a live server on these files, or null. A lock file alone is no proof: after a crash
    /// its number may belong to any program.</summary>
    public static int? ServerRunningOn(string home)
    {
        var lockFile = Path.Combine(ClusterIn(home), "postmaster.pid");
        var firstLine = File.Exists(lockFile) ? File.ReadLines(lockFile).FirstOrDefault() : null;
        if (!int.TryParse(firstLine, CultureInfo.InvariantCulture, out var processId))
        {
            return null;
        }

        // PostgreSQL works inside its data directory, which tells it from another program of the same number.
        return new DirectoryInfo($"/proc/{processId}/cwd").LinkTarget == ClusterIn(home) ? processId : null;
    }
}
