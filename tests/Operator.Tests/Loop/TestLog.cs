using Microsoft.Extensions.Logging;

namespace Cloud.Operator.Tests.Loop;

/// <summary>Puts what the operator logs beside the test that it failed.</summary>
public sealed class TestLog(ITestOutputHelper? output) : ILoggerProvider, ILogger
{
    public ILogger CreateLogger(string categoryName) => this;

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => output is not null;

    public void Log<TState>(
        LogLevel logLevel, EventId eventId, TState state, Exception? exception,
        Func<TState, Exception?, string> formatter) =>
        output?.WriteLine(
            $"{TimeProvider.System.GetUtcNow():ss.fff} {logLevel} {formatter(state, exception)} {exception}");

    public void Dispose()
    {
        // It holds nothing.
    }
}
