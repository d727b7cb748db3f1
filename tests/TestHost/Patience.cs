using System.Runtime.CompilerServices;
using Xunit;

namespace Cloud.TestHost;

/// <summary>The token of a test: ends with the test run, or when a signal that the test awaits does not come. Long
/// enough for the slowest machine; a test that it ends fails where it waited.</summary>
public static class Patience
{
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(3);

    private static readonly ConditionalWeakTable<object, CancellationTokenSource> Sources = [];

    /// <summary>The token of the test that asks.</summary>
    public static CancellationToken Token => Sources.GetValue(
        TestContext.Current.Test!,
        _ =>
        {
            var source = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
            source.CancelAfter(Limit);
            return source;
        }).Token;
}
