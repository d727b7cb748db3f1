using System.Linq.Expressions;

namespace Cloud.ServiceDefaults.Supervision;

/// <summary>Limits of one noun's supervisor, per process.</summary>
public sealed class SupervisorOptions<TRow>
{
    /// <summary>Steps that run at once. Default 16.</summary>
    public int StepsAtOnce { get; set; } = 16;

    /// <summary>A column that names the target a step talks to, for example <c>row => row.ClusterId</c>: rows with
    /// the same value share <see cref="StepsAtOncePerKey"/>, so that one slow or dead target cannot hold up the
    /// others. Must be a plain property; null values are not limited. Default: no bulkheads.</summary>
    public Expression<Func<TRow, string?>>? BulkheadBy { get; set; }

    /// <summary>Steps at once per value of <see cref="BulkheadBy"/>. Default 4.</summary>
    public int StepsAtOncePerKey { get; set; } = 4;

    /// <summary>How often the table is looked through without any reason. Default 60 s.</summary>
    public TimeSpan Sweep { get; set; } = TimeSpan.FromSeconds(60);

    /// <summary>How long a stopping service waits for cancelled steps to end. Default 10 s.</summary>
    public TimeSpan StopWait { get; set; } = TimeSpan.FromSeconds(10);
}
