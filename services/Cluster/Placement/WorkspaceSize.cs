using System.Globalization;

namespace Cloud.Placement;

/// <summary>Room in a cluster: what is requested or allocatable.</summary>
/// <param name="CpuMillis">CPU in thousandths of a core.</param>
/// <param name="MemoryBytes">Memory in bytes.</param>
/// <param name="Pods">Pods.</param>
public readonly record struct Room(long CpuMillis, long MemoryBytes, int Pods)
{
    public static Room operator +(Room a, Room b) =>
        new(a.CpuMillis + b.CpuMillis, a.MemoryBytes + b.MemoryBytes, a.Pods + b.Pods);

    public static Room operator *(Room a, int times) => new(a.CpuMillis * times, a.MemoryBytes * times, a.Pods * times);

    /// <summary>What <paramref name="taken"/> has beyond this, per dimension; never negative.</summary>
    public Room Excess(Room taken) => new(
        Math.Max(0, taken.CpuMillis - CpuMillis),
        Math.Max(0, taken.MemoryBytes - MemoryBytes),
        Math.Max(0, taken.Pods - Pods));
}

/// <summary>How many application pods a workspace of a size has, and what each asks for.</summary>
/// <param name="Name">The operator's name of it.</param>
/// <param name="Replicas">Application pods.</param>
/// <param name="CpuRequestMillis">CPU each asks for, in thousandths of a core.</param>
/// <param name="MemoryRequestMebibytes">Memory each asks for, in MiB.</param>
/// <param name="CpuLimitCores">CPU each may use, in cores.</param>
/// <param name="MemoryLimitGibibytes">Memory each may use, in GiB.</param>
public sealed record WorkspaceSize(
    string Name, int Replicas, int CpuRequestMillis, int MemoryRequestMebibytes, int CpuLimitCores,
    int MemoryLimitGibibytes)
{
    /// <summary>Size whose name may carry a number of replicas: <c>provisionerXL-6</c>.</summary>
    private const string ScalableName = "provisionerXL";
    private const int ScalableReplicasMax = 50;
    private const long Mebibyte = 1024 * 1024;

    private static readonly WorkspaceSize[] Known =
    [
        new("miniSingleton", 1, 10, 150, 2, 4),
        new("miniHA", 2, 10, 150, 2, 4),
        new("cloud10users", 2, 10, 150, 2, 4),
        new("cloud100users", 2, 50, 256, 2, 4),
        new("100users", 1, 100, 256, 2, 4),
        new("1000users", 2, 150, 256, 2, 4),
        new("5000users", 2, 500, 500, 4, 8),
        new("10000users", 2, 500, 500, 4, 8),
        new("25000users", 2, 1000, 4096, 4, 16),
        new(ScalableName, 4, 1000, 4096, 4, 16),
    ];

    /// <summary>The names that a person can choose from.</summary>
    public static IReadOnlyList<string> Names { get; } = [.. Known.Select(s => s.Name), $"{ScalableName}-N"];

    /// <summary>The size of that name; null when there is none.</summary>
    public static WorkspaceSize? Find(string name)
    {
        if (Known.FirstOrDefault(s => s.Name == name) is { } known) return known;
        const string prefix = $"{ScalableName}-";
        if (!name.StartsWith(prefix, StringComparison.Ordinal)) return null;
        var number = name.AsSpan(prefix.Length);
        return int.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out var replicas)
            && replicas is > 0 and <= ScalableReplicasMax
            ? Known[^1] with { Name = name, Replicas = replicas }
            : null;
    }

    /// <summary>Room that all its pods ask for together; nothing while hibernated.</summary>
    public Room Requirement(bool hibernated) =>
        new Room(CpuRequestMillis, MemoryRequestMebibytes * Mebibyte, 1) * (hibernated ? 0 : Replicas);
}
