namespace Cloud.Cli;

/// <summary>The program itself says no: wrong words, nothing found, or the work did not end well.</summary>
internal sealed class Refusal(int exitCode, string message, string? hint = null) : Exception(message)
{
    public int Code { get; } = exitCode;

    public string? Hint { get; } = hint;
}
