using Cloud.Operator.Mattermosts;
using k8s.Models;

namespace Cloud.Operator.Manifests;

/// <summary>
/// The identity of the pods and its rights: to see one Job, and nothing else. Labelled, so that changes to them can be
/// watched without watching those of the whole cluster.
/// </summary>
public static class Access
{
    private const string RoleAnnotation = "eks.amazonaws.com/role-arn";
    private const string SetupJob = "mattermost-db-setup";
    private const string Group = "rbac.authorization.k8s.io";

    public static V1ServiceAccount ServiceAccount(Mattermost mattermost) =>
        new() { Metadata = Names.Metadata(mattermost, mattermost.Name, Names.Labels(mattermost)) };

    public static V1Role Role(Mattermost mattermost) => new()
    {
        Metadata = Names.Metadata(mattermost, mattermost.Name, Names.Labels(mattermost)),
        Rules =
        [
            new V1PolicyRule
            {
                ApiGroups = ["batch"],
                Resources = ["jobs"],
                ResourceNames = [SetupJob],
                Verbs = ["get", "list", "watch"],
            },
        ],
    };

    public static V1RoleBinding RoleBinding(Mattermost mattermost) => new()
    {
        Metadata = Names.Metadata(mattermost, mattermost.Name, Names.Labels(mattermost)),
        RoleRef = new V1RoleRef { ApiGroup = Group, Kind = "Role", Name = mattermost.Name },
        Subjects =
        [
            new Rbacv1Subject
            {
                Kind = "ServiceAccount", Name = mattermost.Name, NamespaceProperty = mattermost.Namespace,
            },
        ],
    };

    /// <summary>Where the rights to a bucket come from a ServiceAccount, somebody else must have made it.</summary>
    /// <exception cref="SpecProblemException">It is missing, or carries no role.</exception>
    public static void RequireCloudRole(Mattermost mattermost, V1ServiceAccount? account)
    {
        if (account is null)
        {
            throw new SpecProblemException(
                "ServiceAccountMissing",
                $"ServiceAccount '{mattermost.Name}' must exist, "
                + "because spec.fileStore.external.useServiceAccount is set.");
        }

        if (account.Metadata.Annotations is null || !account.Metadata.Annotations.ContainsKey(RoleAnnotation))
        {
            throw new SpecProblemException(
                "ServiceAccountWithoutRole",
                $"ServiceAccount '{mattermost.Name}' needs the annotation '{RoleAnnotation}'.");
        }
    }
}
