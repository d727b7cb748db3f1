namespace Cloud.Operator.Tests;

public sealed class OperatorOptionsTests
{
    [Theory]
    [InlineData("20s", 20_000)]
    [InlineData("1m", 60_000)]
    [InlineData("1m30s", 90_000)]
    [InlineData("500ms", 500)]
    [InlineData("1.5h", 5_400_000)]
    [InlineData("20", 20_000)]
    public void A_delay_is_written_as_in_the_manifests_of_today(string text, int milliseconds) =>
        Assert.Equal(
            TimeSpan.FromMilliseconds(milliseconds), OperatorOptions.ReadRequeueOnLimitDelay(text));

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    public void A_delay_that_is_not_set_is_left_to_the_default(string? text) =>
        Assert.Null(OperatorOptions.ReadRequeueOnLimitDelay(text));

    [Theory]
    [InlineData("soon")]
    [InlineData("-1m")]
    [InlineData("1x")]
    [InlineData("1.2.3s")]
    [InlineData("0s")]
    [InlineData("99999999999999h")]
    public void A_delay_that_is_none_is_refused_by_its_name(string text)
    {
        var error = Assert.Throws<InvalidOperationException>(() => OperatorOptions.ReadRequeueOnLimitDelay(text));
        Assert.Contains("REQUEUE_ON_LIMIT_DELAY", error.Message, StringComparison.Ordinal);
        Assert.Contains($"'{text}'", error.Message, StringComparison.Ordinal);
    }
}
