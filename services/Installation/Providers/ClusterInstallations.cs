using Cloud.Installations;
using Cloud.Protos.Cluster.V1;
using Grpc.Core;

namespace Cloud.Providers;

/// <summary>What journeys ask of the cluster service about the installation in its cluster: all of it can be asked
/// again.</summary>
public sealed class ClusterInstallations(ClusterInstallationService.ClusterInstallationServiceClient client)
{
    private const string Service = "cluster";

    /// <summary>Makes it real in the cluster it was placed in. The one that the row knows is only looked at.</summary>
    public Task<ClusterInstallation> EnsureAsync(Installation row, CancellationToken ct) =>
        row.ClusterInstallation is { } known ? GetAsync(known, ct) : CreateAsync(row, ct);

    /// <summary>Makes the cluster want what the row wants. Asking for what is wanted already starts no work.</summary>
    public Task<ClusterInstallation> ApplyAsync(Installation row, bool hibernated, CancellationToken ct) => AskAsync(
        $"to change {row.ClusterInstallation}",
        () => client.UpdateClusterInstallationAsync(
            new UpdateClusterInstallationRequest
            {
                ClusterInstallation = new ClusterInstallation
                {
                    Name = row.ClusterInstallation ?? throw new StepException(
                        ErrorReason.ClusterInstallationMissing, $"{row.Name} was never created in a cluster."),
                    Spec = SpecOf(row, hibernated),
                },
                InstallationEpoch = row.Epoch,
            },
            cancellationToken: ct),
        ct);

    /// <summary>Removes one from its cluster.</summary>
    public Task<ClusterInstallation> RemoveAsync(string name, Installation row, CancellationToken ct) => AskAsync(
        $"to delete {name}",
        () => client.DeleteClusterInstallationAsync(
            new DeleteClusterInstallationRequest { Name = name, InstallationEpoch = row.Epoch }, cancellationToken: ct),
        ct);

    /// <summary>Those of an installation that are not deleted, known to its row or not.</summary>
    public async Task<IReadOnlyList<ClusterInstallation>> OfAsync(Installation row, CancellationToken ct)
    {
        var found = await AskAsync(
            $"for the cluster installations of {row.Name}",
            () => client.ListClusterInstallationsAsync(
                new ListClusterInstallationsRequest { Installation = row.Name }, cancellationToken: ct),
            ct);
        return found.ClusterInstallations;
    }

    private Task<ClusterInstallation> CreateAsync(Installation row, CancellationToken ct) => AskAsync(
        $"to create {row.Name} in {row.Cluster}",
        () => client.CreateClusterInstallationAsync(
            new CreateClusterInstallationRequest
            {
                ClusterInstallation = new ClusterInstallation
                {
                    Installation = row.Name, Cluster = row.Cluster, Spec = SpecOf(row, hibernated: false),
                },
                InstallationEpoch = row.Epoch,
            },
            cancellationToken: ct),
        ct);

    private Task<ClusterInstallation> GetAsync(string name, CancellationToken ct) => AskAsync(
        $"for {name}",
        () => client.GetClusterInstallationAsync(
            new GetClusterInstallationRequest { Name = name }, cancellationToken: ct),
        ct);

    private static ClusterInstallationSpec SpecOf(Installation row, bool hibernated)
    {
        var spec = new ClusterInstallationSpec
        {
            Version = row.ApplicationVersion,
            Image = row.Image,
            Size = row.Size,
            Hibernated = hibernated,
            DnsNames = { row.DnsNames },
            LogicalDatabase = row.LogicalDatabase ?? "",
        };
        foreach (var (name, variable) in row.MattermostEnv)
        {
            if (variable.SecretKey is { } secret)
            {
                spec.SecretEnv[name] = secret.ToString();
            }
            else if (variable.ConfigMapKey is { } configMap)
            {
                spec.ConfigMapEnv[name] = configMap.ToString();
            }
            else
            {
                spec.Env[name] = variable.Value ?? "";
            }
        }

        return spec;
    }

    private static async Task<T> AskAsync<T>(string asked, Func<AsyncUnaryCall<T>> ask, CancellationToken ct)
    {
        try
        {
            return await ask();
        }
        catch (RpcException e) when (!ct.IsCancellationRequested)
        {
            throw PeerErrors.From(Service, asked, e);
        }
    }
}
