using System.Runtime.InteropServices;

namespace Cloud.Chaos.World;

/// <summary>What is sent to processes; the values are Linux's.</summary>
internal enum UnixSignal
{
    Interrupt = 2,
    Quit = 3,
    Kill = 9,
    Terminate = 15,
    Continue = 18,
    Stop = 19,
}

/// <summary>Sends signals; a process that is gone is left alone.</summary>
internal static class Signals
{
    /// <summary>False when there is no such process.</summary>
    public static bool Send(int process, UnixSignal signal) => Kill(process, (int)signal) == 0;

    [DllImport("libc", EntryPoint = "kill", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int Kill(int process, int signal);
}
