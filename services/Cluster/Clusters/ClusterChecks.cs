using Cloud.Providers;
using Cloud.ServiceDefaults.Hosting;
using Google.Protobuf.WellKnownTypes;
using Proto = Cloud.Protos.Cluster.V1;

namespace Cloud.Clusters;

/// <summary>What is wrong with a request about clusters: everything at once. Pure.</summary>
public static class ClusterChecks
{
    private const string DisplayNamePath = "display_name";
    private const string AllowInstallationsPath = "allow_installations";
    private const string ThresholdPath = "utilization_threshold_percent";
    private static readonly string[] Paths = [DisplayNamePath, AllowInstallationsPath, ThresholdPath];

    /// <summary>The wish of an import, as far as it is sound, and its kubeconfig; null if that is not.</summary>
    public static (Proto.Cluster Wish, Kubeconfig? Kubeconfig) Import(
        Proto.ImportClusterRequest request, FieldProblems problems)
    {
        var wish = request.Cluster?.Clone() ?? new Proto.Cluster();
        DisplayName(wish.DisplayName, problems);
        if (wish.UtilizationThresholdPercent == 0)
            wish.UtilizationThresholdPercent = Cluster.ThresholdPercentDefault;
        Threshold(wish.UtilizationThresholdPercent, problems);
        return (wish, Credentials(request.Kubeconfig, request.Context, problems));
    }

    /// <summary>The kubeconfig of an update; null when it keeps the old one, or the new one is not sound.</summary>
    public static Kubeconfig? Update(Proto.UpdateClusterRequest request, FieldProblems problems)
    {
        var wish = request.Cluster ?? new Proto.Cluster();
        var paths = request.UpdateMask?.Paths ?? [];
        foreach (var path in paths.Except(Paths))
            problems.Add("update_mask", $"'{path}' cannot be changed; these can: {string.Join(", ", Paths)}.",
                ErrorReason.UpdateMaskInvalid);
        if (paths.Count == 0 && request.Kubeconfig.Length == 0)
            problems.Add("update_mask", $"Name what to change: {string.Join(", ", Paths)}; or give a kubeconfig.",
                ErrorReason.UpdateMaskInvalid);
        if (paths.Contains(DisplayNamePath)) DisplayName(wish.DisplayName, problems);
        if (paths.Contains(ThresholdPath)) Threshold(wish.UtilizationThresholdPercent, problems);
        return request.Kubeconfig.Length == 0 ? null : Credentials(request.Kubeconfig, request.Context, problems);
    }

    /// <summary>A row with the named fields of a wish.</summary>
    public static Cluster With(this Cluster row, Proto.Cluster wish, FieldMask? mask)
    {
        var paths = mask?.Paths ?? [];
        return row with
        {
            DisplayName = paths.Contains(DisplayNamePath) ? wish.DisplayName : row.DisplayName,
            AllowInstallations = paths.Contains(AllowInstallationsPath)
                ? wish.AllowInstallations : row.AllowInstallations,
            UtilizationThresholdPercent = paths.Contains(ThresholdPath)
                ? wish.UtilizationThresholdPercent : row.UtilizationThresholdPercent,
        };
    }

    /// <summary>Names of states in a filter.</summary>
    public static void States<TState>(IEnumerable<string> states, FieldProblems problems)
        where TState : struct, System.Enum
    {
        foreach (var state in states.Where(s => !StateNames<TState>.TryParse(s, out _)))
            problems.Add("states", $"'{state}' is not a state; there are {string.Join(", ", StateNames<TState>.All)}.",
                ErrorReason.StateUnknown);
    }

    private static void DisplayName(string name, FieldProblems problems)
    {
        if (name.Length is 0 or > Cluster.DisplayNameLengthMax || name != name.Trim() || name.Any(char.IsControl))
            problems.Add($"cluster.{DisplayNamePath}",
                $"1 to {Cluster.DisplayNameLengthMax} characters, without spaces around them.",
                ErrorReason.DisplayNameInvalid);
    }

    private static void Threshold(int percent, FieldProblems problems)
    {
        if (percent is < Cluster.ThresholdPercentMin or > Cluster.ThresholdPercentMax)
            problems.Add($"cluster.{ThresholdPath}",
                $"From {Cluster.ThresholdPercentMin} to {Cluster.ThresholdPercentMax}, not {percent}.",
                ErrorReason.ThresholdInvalid);
    }

    private static Kubeconfig? Credentials(string text, string context, FieldProblems problems)
    {
        var found = new List<KubeconfigProblem>();
        var kubeconfig = Kubeconfig.Read(text, context, found);
        foreach (var problem in found) problems.Add("kubeconfig", problem.Description, problem.Reason);
        return kubeconfig;
    }
}
