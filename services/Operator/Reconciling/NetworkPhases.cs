using Cloud.Operator.Manifests;
using Cloud.Operator.Mattermosts;
using Cloud.Watching;
using k8s.Models;

namespace Cloud.Operator.Reconciling;

/// <summary>The phases that make identity, Service and Ingress.</summary>
public sealed class NetworkPhases(KubernetesApi api, ClusterView view, Children children)
{
    private static readonly TimeSpan RecheckDeletion = TimeSpan.FromSeconds(2);

    /// <summary>The Service. Its type cannot always be changed in place, so a change of type makes a new one.</summary>
    public async Task<PhaseResult> EnsureService(Pass pass, CancellationToken cancellation)
    {
        var mattermost = pass.Mattermost;
        var (desired, patched) = ResourcePatches.Apply(
            Services.Build(mattermost), mattermost.Spec.ResourcePatch?.Service);
        pass.ServicePatch = patched;
        var live = view.Services.Find(mattermost.Key);
        if (live is not null && Services.MustBeReplaced(live, desired))
        {
            await children.DeleteOwned(mattermost, ResourceKinds.Services, live, cancellation);
            return PhaseResult.Wait("the Service of another type to go", RecheckDeletion);
        }

        await children.Apply(ResourceKinds.Services, view.Services, desired, cancellation);
        return PhaseResult.Next;
    }

    /// <summary>ServiceAccount, Role and RoleBinding.</summary>
    public async Task<PhaseResult> EnsureAccess(Pass pass, CancellationToken cancellation)
    {
        var mattermost = pass.Mattermost;
        var account = FileStoreSettings.UsesServiceAccount(mattermost.Spec)
            ? Task.CompletedTask
            : children.Apply(
                ResourceKinds.ServiceAccounts, view.ServiceAccounts, Access.ServiceAccount(mattermost), cancellation);
        await Task.WhenAll(
            account,
            children.Apply(ResourceKinds.Roles, view.Roles, Access.Role(mattermost), cancellation),
            children.Apply(
                ResourceKinds.RoleBindings, view.RoleBindings, Access.RoleBinding(mattermost), cancellation));
        return PhaseResult.Next;
    }

    /// <summary>
    /// The Ingress and, for an ALB, its class. A copy behind a load balancer Service has none, and one that exists is
    /// left alone there.
    /// </summary>
    public async Task<PhaseResult> EnsureIngress(Pass pass, CancellationToken cancellation)
    {
        var (mattermost, spec) = (pass.Mattermost, pass.Mattermost.Spec);
        if (spec.UseServiceLoadBalancer == true && !Ingresses.UsesAlb(spec))
        {
            return PhaseResult.Next;
        }

        var live = view.Ingresses.Find(mattermost.Key);
        if (Ingresses.BuildClass(mattermost) is { } ingressClass)
        {
            await EnsureClass(mattermost, ingressClass, cancellation);
        }
        else if (live?.Spec.IngressClassName == mattermost.Name)
        {
            await DeleteClass(mattermost.Key, cancellation);
        }

        if (Ingresses.IsWanted(spec))
        {
            await children.Apply(ResourceKinds.Ingresses, view.Ingresses, Ingresses.Build(mattermost), cancellation);
        }
        else
        {
            await children.DeleteOwned(mattermost, ResourceKinds.Ingresses, live, cancellation);
        }

        return PhaseResult.Next;
    }

    /// <summary>
    /// Removes the IngressClass of a resource, which garbage collection cannot reach; not one of another.
    /// </summary>
    public async Task DeleteClass(ObjectKey resource, CancellationToken cancellation)
    {
        var key = new ObjectKey("", resource.Name);
        if (await api.Find(ResourceKinds.IngressClasses, key, cancellation) is { } live && Belongs(live, resource))
        {
            await api.Delete(ResourceKinds.IngressClasses, key, live.Metadata.Uid, cancellation);
        }
    }

    private async Task EnsureClass(Mattermost mattermost, V1IngressClass desired, CancellationToken cancellation)
    {
        var live = await api.Find(ResourceKinds.IngressClasses, ObjectKey.Of(desired), cancellation);
        if (live is not null && !Belongs(live, mattermost.Key) && live.Spec?.Controller != desired.Spec.Controller)
        {
            throw new SpecProblemException(
                "IngressClassTaken",
                $"IngressClass '{mattermost.Name}' exists and belongs to somebody else; "
                + "set spec.awsLoadBalancerController.ingressClassName.");
        }

        var applier = new Applier(api, Children.FieldManager);
        await applier.Apply(ResourceKinds.IngressClasses, desired, live, force: true, cancellation);
    }

    private static bool Belongs(V1IngressClass live, ObjectKey resource) =>
        live.Metadata.Labels is { } labels
        && labels.TryGetValue(Names.ResourceLabel, out var name) && name == resource.Name
        && labels.TryGetValue(Ingresses.ClassNamespaceLabel, out var ns) && ns == resource.Namespace;
}
