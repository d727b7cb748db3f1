namespace Cloud.Placement;

/// <summary>Room in a cluster kept for one installation, for as long as the installation lives there: the
/// row.</summary>
public sealed record Reservation
{
    public required string InstallationId { get; init; }

    public required string ClusterId { get; init; }

    /// <summary>Size it was computed from.</summary>
    public required string Size { get; init; }

    public required Affinity Affinity { get; init; }

    /// <summary>Nothing while the installation is hibernated.</summary>
    public required long CpuMillis { get; init; }

    public required long MemoryBytes { get; init; }

    public required int Pods { get; init; }

    /// <summary>Why this cluster, in words, with the numbers compared.</summary>
    public required string Reason { get; init; }

    public required DateTimeOffset CreateTime { get; init; }

    public Room Room => new(CpuMillis, MemoryBytes, Pods);
}
