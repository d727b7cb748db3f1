using System.Text.Json.Nodes;
using Cloud.Operator.Manifests;
using Cloud.Operator.Mattermosts;
using Cloud.Watching;
using k8s.Models;

namespace Cloud.Operator.Reconciling;

/// <summary>The phases that complete and check what is wanted, before anything is made.</summary>
public sealed class SpecPhases(KubernetesApi api, ClusterView view, ILogger<SpecPhases> log)
{
    /// <summary>Refuses what cannot work, then fills in defaults and a named size, and stores them.</summary>
    public async Task<PhaseResult> Complete(Pass pass, CancellationToken cancellation)
    {
        var spec = pass.Mattermost.Spec;
        Ingresses.RequireHosts(spec);
        Pods.RequireAllowedVolumes(spec);
        if (Defaulting.IsMutableTag(spec.Version))
        {
            log.LogWarning("{Mattermost} runs the mutable tag {Version}", pass.Mattermost.Key, spec.Version);
        }

        if (Defaulting.IsUnknownSize(spec.Size))
        {
            log.LogWarning(
                "{Mattermost} asks for the unknown size {Size}; filling what is missing as for {Default}",
                pass.Mattermost.Key, spec.Size, Sizes.DefaultName);
        }

        if (Defaulting.PatchFor(spec) is { } patch)
        {
            // Guarded by the version: what was read as missing may have been given since.
            var body = new JsonObject
            {
                ["metadata"] = new JsonObject { ["resourceVersion"] = pass.Mattermost.Metadata.ResourceVersion },
                ["spec"] = patch,
            };
            using var write = view.Mattermosts.BeginWrite(pass.Mattermost.Key);
            var answer = await api.MergePatch(
                Mattermost.ResourceKind, pass.Mattermost.Key, body, Children.FieldManager, null, cancellation);
            write.Complete(answer);
            pass.Mattermost = answer;
        }

        return PhaseResult.Next;
    }

    /// <summary>Learns about the database from its Secret.</summary>
    public Task<PhaseResult> CheckDatabase(Pass pass, CancellationToken cancellation)
    {
        var spec = pass.Mattermost.Spec;
        var secret = DatabaseSettings.SecretName(spec) is { } name ? Secret(pass, name) : null;
        pass.Database = DatabaseSettings.Read(spec, secret);
        return Task.FromResult(PhaseResult.Next);
    }

    /// <summary>Learns about the file store from its Secret, claim or ServiceAccount.</summary>
    public async Task<PhaseResult> CheckFileStore(Pass pass, CancellationToken cancellation)
    {
        var (mattermost, spec) = (pass.Mattermost, pass.Mattermost.Spec);
        var secret = FileStoreSettings.SecretName(spec) is { Length: > 0 } name ? Secret(pass, name) : null;
        // Claims and accounts of others bear no label of ours, so they are in no cache.
        var claim = FileStoreSettings.ExternalClaimName(spec) is { } claimName
            ? await api.Find(
                ResourceKinds.PersistentVolumeClaims, new ObjectKey(mattermost.Namespace, claimName), cancellation)
            : null;
        pass.FileStore = FileStoreSettings.Read(mattermost, secret, claim);
        if (FileStoreSettings.UsesServiceAccount(spec))
        {
            var account = await api.Find(ResourceKinds.ServiceAccounts, mattermost.Key, cancellation);
            Access.RequireCloudRole(mattermost, account);
        }

        return PhaseResult.Next;
    }

    /// <summary>A licence that is named must be there: without it pods would wait for their volume for ever.</summary>
    public Task<PhaseResult> CheckLicense(Pass pass, CancellationToken cancellation)
    {
        if (pass.Mattermost.Spec.LicenseSecret is { Length: > 0 } name)
        {
            if (Secret(pass, name) is not { } secret)
            {
                throw new SpecProblemException(
                    "LicenseSecretMissing", $"Secret '{name}' named by spec.licenseSecret does not exist.");
            }

            if (secret.Data is null || !secret.Data.ContainsKey("license"))
            {
                throw new SpecProblemException(
                    "LicenseSecretIncomplete", $"Secret '{name}' has no value under 'license'.");
            }
        }

        return Task.FromResult(PhaseResult.Next);
    }

    private V1Secret? Secret(Pass pass, string name) => view.Secrets.Find(pass.Mattermost.Namespace, name);
}
