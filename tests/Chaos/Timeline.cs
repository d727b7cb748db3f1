using System.Globalization;
using System.Text;

namespace Cloud.Chaos;

/// <summary>Something that happened in a run.</summary>
/// <param name="At">Since the run began.</param>
/// <param name="Kind"><c>ask</c>, <c>answer</c>, <c>event</c>, <c>sabotage</c> or <c>run</c>.</param>
/// <param name="Subject">The resource it is about; empty when it concerns everything.</param>
/// <param name="What">In words.</param>
internal sealed record Moment(TimeSpan At, string Kind, string Subject, string What)
{
    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture, $"{At.TotalSeconds,8:0.000}  {Kind,-8}  {Subject,-40}  {What}");
}

/// <summary>Everything that was chosen, done and seen in a run, in order; written to a file as it happens. From any
/// thread.</summary>
internal sealed class Timeline : IAsyncDisposable
{
    /// <summary>Sabotage this long before or after what happened to a resource is told with it.</summary>
    private static readonly TimeSpan Near = TimeSpan.FromSeconds(15);

    private readonly Lock _gate = new();
    private readonly List<Moment> _moments = [];
    private readonly long _began = TimeProvider.System.GetTimestamp();
    private readonly StreamWriter _file;

    public Timeline(string path)
    {
        Path = path;
        _file = new StreamWriter(path, append: false, Encoding.UTF8) { AutoFlush = true };
    }

    public string Path { get; }

    public TimeSpan Elapsed => TimeProvider.System.GetElapsedTime(_began);

    public void Note(string kind, string subject, string what)
    {
        lock (_gate)
        {
            var moment = new Moment(Elapsed, kind, subject, what);
            _moments.Add(moment);
            _file.WriteLine(moment);
        }
    }

    public int Count(string kind)
    {
        lock (_gate)
        {
            return _moments.Count(moment => moment.Kind == kind);
        }
    }

    /// <summary>What was asked of a resource and what became of it, with the sabotage near it.</summary>
    public IReadOnlyList<Moment> Of(string subject)
    {
        lock (_gate)
        {
            var own = _moments.Where(moment => moment.Subject == subject).ToList();
            if (own.Count == 0)
            {
                return [];
            }

            var (from, to) = (own[0].At - Near, own[^1].At + Near);
            return [.. _moments.Where(moment => moment.Subject == subject
                || (moment.Subject.Length == 0 && moment.At >= from && moment.At <= to))];
        }
    }

    public ValueTask DisposeAsync() => _file.DisposeAsync();
}
