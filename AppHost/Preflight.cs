using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace Cloud.AppHost;

/// <summary>
/// What would make a start fail half way, found out before anything starts: another AppHost on the same state
/// directory, or somebody else on a fixed port. The lock is the operating system's, so it cannot outlive its holder.
/// </summary>
internal sealed class Preflight : IDisposable
{
    private readonly FileStream _lock;

    private Preflight(FileStream theLock) => _lock = theLock;

    /// <summary>Takes the world for this process, until disposed; or says why not and gives null.</summary>
    public static async Task<Preflight?> TakeAsync(World world, TextWriter complaints)
    {
        var pidFile = world.PathOf("pid");
        FileStream theLock;
        try
        {
            theLock = new FileStream(world.PathOf("lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException)
        {
            var holder = File.Exists(pidFile) ? $" (process {(await File.ReadAllTextAsync(pidFile)).Trim()})" : "";
            await complaints.WriteLineAsync(
                $"This world is running already{holder}, with its state in {world.StateDirectory}. "
                + "Use it: ./cloud list; or stop it: Ctrl+C where it runs; "
                + "or start another beside it: CLOUD_STATE=.cloud-2 CLOUD_PORT_OFFSET=1000 ./cloud up");
            return null;
        }

        await File.WriteAllTextAsync(pidFile, Environment.ProcessId.ToString(CultureInfo.InvariantCulture));
        var taken = world.FixedPorts.Where(fixedPort => !IsFree(fixedPort.Key))
            .OrderBy(fixedPort => fixedPort.Key).ToList();
        if (taken.Count == 0)
        {
            return new Preflight(theLock);
        }

        await theLock.DisposeAsync();
        foreach (var (port, name) in taken)
        {
            await complaints.WriteLineAsync($"Port {port}, which {name} needs, is in use{PortHolder.Describe(port)}.");
        }

        await complaints.WriteLineAsync(
            "Nothing was started. Stop what uses "
            + (taken.Count == 1 ? "the port" : "the ports")
            + ", or move this world to other ports: CLOUD_PORT_OFFSET=1000 ./cloud up "
            + "(and the same for every ./cloud command).");
        return null;
    }

    public void Dispose() => _lock.Dispose();

    private static bool IsFree(int port)
    {
        using var listener = new TcpListener(IPAddress.Loopback, port);
        try
        {
            listener.Start();
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}

/// <summary>Who listens on a port, as far as Linux lets us see: our own programs, or everybody's for root.</summary>
internal static class PortHolder
{
    private const string Listening = "0A";
    private static readonly string[] Tables = ["/proc/net/tcp", "/proc/net/tcp6"];

    /// <summary><c> by process 12 (what it is)</c>, or nothing where that cannot be known.</summary>
    public static string Describe(int port)
    {
        var inodes = Tables.Where(File.Exists)
            .SelectMany(File.ReadLines)
            .Select(line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries))
            .Where(field => field.Length > 9 && field[3] == Listening
                && field[1].EndsWith($":{port:X4}", StringComparison.Ordinal))
            .Select(field => $"socket:[{field[9]}]")
            .ToHashSet();
        var holder = inodes.Count == 0 ? null : Directory.GetDirectories("/proc").FirstOrDefault(p => Holds(p, inodes));
        return holder is null ? "" : $" by process {Path.GetFileName(holder)} ({CommandOf(holder)})";
    }

    private static bool Holds(string process, HashSet<string> sockets)
    {
        try
        {
            return char.IsAsciiDigit(Path.GetFileName(process)[0])
                && Directory.GetFiles(Path.Combine(process, "fd"))
                    .Any(fd => sockets.Contains(new FileInfo(fd).LinkTarget ?? ""));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Gone meanwhile, or another user's: it cannot be told.
            return false;
        }
    }

    private static string CommandOf(string process)
    {
        const int Longest = 80;
        try
        {
            var words = File.ReadAllText(Path.Combine(process, "cmdline")).Replace('\0', ' ').Trim();
            return words.Length <= Longest ? words : $"{words[..Longest]}...";
        }
        catch (IOException)
        {
            return "just ended";
        }
    }
}
