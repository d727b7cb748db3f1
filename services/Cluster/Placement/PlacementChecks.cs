using Cloud.ClusterInstallations;
using Cloud.Clusters;
using Cloud.ServiceDefaults.Hosting;

namespace Cloud.Placement;

/// <summary>What is wrong with requests that name installations, clusters, sizes and epochs. Pure.</summary>
public static class PlacementChecks
{
    private const ErrorReason InvalidName = ErrorReason.ResourceNameInvalid;

    /// <summary>The id of an installation; empty with a problem noted.</summary>
    public static string Installation(string name, string field, FieldProblems problems)
    {
        if (ClusterInstallationMessages.InstallationIdOf(name) is { } id) return id;
        problems.Add(field, $"'{name}' has not the form installations/{{id}}.", InvalidName);
        return "";
    }

    /// <summary>The id of a cluster; empty with a problem noted.</summary>
    public static string ClusterId(string name, string field, FieldProblems problems)
    {
        if (Cluster.IdOf(name) is { } id) return id;
        problems.Add(field, $"'{name}' has not the form clusters/{{id}}.", InvalidName);
        return "";
    }

    /// <summary>As above, where empty means all.</summary>
    public static string ClusterFilter(string name, FieldProblems problems) =>
        name.Length == 0 ? "" : ClusterId(name, "cluster", problems);

    /// <summary>The numbers of a size; null with a problem noted.</summary>
    public static WorkspaceSize? Size(string name, string field, FieldProblems problems)
    {
        if (WorkspaceSize.Find(name) is { } size) return size;
        problems.Add(field, $"'{name}' is not a size; there are {string.Join(", ", WorkspaceSize.Names)}.",
            ErrorReason.SizeUnknown);
        return null;
    }

    /// <summary>Whether an installation wants its cluster for itself.</summary>
    public static Affinity Affinity(string name, FieldProblems problems)
    {
        if (name.Length == 0) return Placement.Affinity.Multitenant;
        if (StateNames<Affinity>.TryParse(name, out var affinity)) return affinity;
        problems.Add("affinity", $"'{name}' is not one of {string.Join(", ", StateNames<Affinity>.All)}.",
            ErrorReason.AffinityUnknown);
        return Placement.Affinity.Multitenant;
    }

    /// <summary>The request comes from a worker that was overtaken.</summary>
    public static ProblemException StaleEpoch(string installation, long epoch, long highest) => Problem.Aborted(
        ErrorReason.EpochStale,
        $"installations/{installation} was asked about with epoch {highest} already; {epoch} comes from a worker that "
        + "was overtaken.");
}
