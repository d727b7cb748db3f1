using k8s.Models;

namespace Cloud.Operator.Manifests;

/// <summary>What a named size gives the application.</summary>
public sealed record Size(int Replicas, string RequestCpu, string RequestMemory, string LimitCpu, string LimitMemory)
{
    public V1ResourceRequirements Resources() => new()
    {
        Requests = Amounts(RequestCpu, RequestMemory),
        Limits = Amounts(LimitCpu, LimitMemory),
    };

    private static Dictionary<string, ResourceQuantity> Amounts(string cpu, string memory) => new()
    {
        ["cpu"] = new ResourceQuantity(cpu),
        ["memory"] = new ResourceQuantity(memory),
    };
}

/// <summary>The sizes by name.</summary>
public static class Sizes
{
    /// <summary>Fills what is missing when no size is given, or one that does not exist.</summary>
    public const string DefaultName = "5000users";

    public static readonly IReadOnlyDictionary<string, Size> ByName = new Dictionary<string, Size>
    {
        ["100users"] = new(1, "100m", "256Mi", "2", "4Gi"),
        ["1000users"] = new(2, "150m", "256Mi", "2", "4Gi"),
        ["5000users"] = new(2, "500m", "500Mi", "4", "8Gi"),
        ["10000users"] = new(2, "500m", "500Mi", "4", "8Gi"),
        ["25000users"] = new(2, "1", "4Gi", "4", "16Gi"),
        ["cloud10users"] = new(2, "10m", "150Mi", "2", "4Gi"),
        ["cloud100users"] = new(2, "50m", "256Mi", "2", "4Gi"),
        ["miniSingleton"] = new(1, "10m", "150Mi", "2", "4Gi"),
        ["miniHA"] = new(2, "10m", "150Mi", "2", "4Gi"),
    };

    public static Size Default => ByName[DefaultName];
}
