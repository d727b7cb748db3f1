namespace Cloud.Providers;

/// <summary>The answer to an ask that takes room somewhere: what was given, or why there was none.</summary>
/// <param name="Given">What was given; null when there was no room.</param>
/// <param name="WhyNot">Where there was no room and why, one sentence for each place looked at.</param>
public sealed record Room<T>(T? Given, string WhyNot)
    where T : class;
