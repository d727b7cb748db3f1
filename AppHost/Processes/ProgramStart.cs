namespace Cloud.Processes;

/// <summary>What to start, and how it is asked to end.</summary>
/// <param name="Program">A program by path, or by name when it is on PATH.</param>
/// <param name="Arguments">Passed as they are; no shell reads them.</param>
public sealed record ProgramStart(string Program, params IReadOnlyList<string> Arguments)
{
    /// <summary>Where the program runs; the starter's own directory when null.</summary>
    public string? WorkingDirectory { get; init; }

    /// <summary>Variables set on top of the inherited ones; a null value removes the variable.</summary>
    public IReadOnlyDictionary<string, string?> Environment { get; init; } = new Dictionary<string, string?>();

    /// <summary>The signal that asks for an orderly end. Programs that do not obey it in time are killed.</summary>
    public Signal StopSignal { get; init; } = Signal.Terminate;

    /// <summary>How long an orderly end may take.</summary>
    public TimeSpan StopWithin { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>A directory to remove if the starter dies before the program; for throw-away servers of
    /// tests.</summary>
    public string? RemoveWhenOrphaned { get; init; }
}

/// <summary>The signals used to end programs; the values are those of Linux and macOS.</summary>
public enum Signal
{
    Interrupt = 2,
    Quit = 3,
    Kill = 9,
    Terminate = 15,
}
