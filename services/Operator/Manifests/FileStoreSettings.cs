using Cloud.Operator.Mattermosts;
using k8s.Models;

namespace Cloud.Operator.Manifests;

/// <summary>Where files go.</summary>
public enum FileStoreKind
{
    /// <summary>An S3 bucket.</summary>
    Bucket,

    /// <summary>A claim that somebody else made.</summary>
    ExternalClaim,

    /// <summary>A claim that the operator makes.</summary>
    OwnClaim,
}

/// <summary>What the pods need to know of the file store.</summary>
/// <param name="Claim">Name of the claim; null for a bucket.</param>
/// <param name="KeySecret">Secret with the access keys; null for claims and for rights by ServiceAccount.</param>
public sealed record FileStoreSettings(
    FileStoreKind Kind, string? Claim, string? Url, string? Bucket, string? KeySecret)
{
    public const string DefaultSize = "50Gi";
    public const string MountPath = "/mattermost/data";

    private const string VolumeName = "mattermost-data";

    /// <summary>The Secret with access keys that the spec names; null when none is used.</summary>
    public static string? SecretName(MattermostSpec spec) =>
        IsBucket(spec) && spec.FileStore!.External!.UseServiceAccount != true
            ? spec.FileStore.External.Secret ?? "" : null;

    /// <summary>The claim of somebody else that the spec names; null when none is used.</summary>
    public static string? ExternalClaimName(MattermostSpec spec) =>
        !IsBucket(spec) && spec.FileStore?.ExternalVolume?.VolumeClaimName is { Length: > 0 } name ? name : null;

    /// <summary>True when the rights to the bucket come from a ServiceAccount that must exist.</summary>
    public static bool UsesServiceAccount(MattermostSpec spec) =>
        IsBucket(spec) && spec.FileStore!.External!.UseServiceAccount == true;

    /// <summary>Checks the spec against the Secret or claim it names.</summary>
    /// <param name="secret">The Secret with access keys; null when it does not exist.</param>
    /// <param name="claim">The claim of somebody else; null when it does not exist.</param>
    /// <exception cref="SpecProblemException">No usable file store is described.</exception>
    public static FileStoreSettings Read(Mattermost mattermost, V1Secret? secret, V1PersistentVolumeClaim? claim)
    {
        var spec = mattermost.Spec;
        if (IsBucket(spec))
        {
            return ReadBucket(spec.FileStore!.External!, secret);
        }

        if (ExternalClaimName(spec) is { } name)
        {
            return ReadClaim(name, claim);
        }

        return spec.FileStore?.Local?.Enabled == true
            ? new FileStoreSettings(FileStoreKind.OwnClaim, mattermost.Name, null, null, null)
            : throw new SpecProblemException(
                "FileStoreNotSupported",
                "No file store: set spec.fileStore.external (with url and bucket), externalVolume or local. "
                + "File stores managed by the MinIO operator are not supported.");
    }

    /// <summary>Environment of the application.</summary>
    public IEnumerable<V1EnvVar> Environment()
    {
        if (Kind != FileStoreKind.Bucket)
        {
            yield return new V1EnvVar { Name = "MM_FILESETTINGS_DRIVERNAME", Value = "local" };
            yield return new V1EnvVar { Name = "MM_FILESETTINGS_DIRECTORY", Value = MountPath };
            yield break;
        }

        yield return new V1EnvVar { Name = "MM_FILESETTINGS_DRIVERNAME", Value = "amazons3" };
        yield return new V1EnvVar { Name = "MM_FILESETTINGS_AMAZONS3BUCKET", Value = Bucket };
        yield return new V1EnvVar { Name = "MM_FILESETTINGS_AMAZONS3ENDPOINT", Value = Url };
        yield return new V1EnvVar { Name = "MM_FILESETTINGS_AMAZONS3SSL", Value = "true" };
        if (KeySecret is not null)
        {
            yield return DatabaseSettings.FromSecret(
                "MM_FILESETTINGS_AMAZONS3ACCESSKEYID", KeySecret, "accesskey");
            yield return DatabaseSettings.FromSecret(
                "MM_FILESETTINGS_AMAZONS3SECRETACCESSKEY", KeySecret, "secretkey");
        }
    }

    /// <summary>The volume of a claim; null for a bucket.</summary>
    public V1Volume? Volume() => Claim is null ? null : new V1Volume
    {
        Name = VolumeName,
        PersistentVolumeClaim = new V1PersistentVolumeClaimVolumeSource { ClaimName = Claim },
    };

    /// <summary>Where the volume goes; null for a bucket.</summary>
    public V1VolumeMount? Mount() =>
        Claim is null ? null : new V1VolumeMount { Name = VolumeName, MountPath = MountPath };

    /// <summary>
    /// The claim that the operator makes. A claim that exists keeps its access modes, which cannot change; asking for
    /// others is an error instead of a request that every API server refuses.
    /// </summary>
    public static V1PersistentVolumeClaim OwnClaim(Mattermost mattermost, V1PersistentVolumeClaim? live)
    {
        var wanted = mattermost.Spec.FileStore!.Local!;
        var modes = live?.Spec?.AccessModes is { Count: > 0 } present ? present
            : wanted.AccessModes is { Count: > 0 } asked ? asked : ["ReadWriteMany"];
        if (live is not null && wanted.AccessModes is { Count: > 0 } others
            && !others.Order().SequenceEqual(modes.Order()))
        {
            throw new SpecProblemException(
                "AccessModesImmutable",
                $"PersistentVolumeClaim '{mattermost.Name}' has the access modes {string.Join(", ", modes)}, "
                + "which cannot be changed; remove spec.fileStore.local.accessModes or set them to these.");
        }

        var size = string.IsNullOrEmpty(wanted.StorageSize) ? DefaultSize : wanted.StorageSize;
        return new V1PersistentVolumeClaim
        {
            Metadata = Names.Metadata(mattermost, mattermost.Name, Names.Labels(mattermost)),
            Spec = new V1PersistentVolumeClaimSpec
            {
                AccessModes = modes,
                Resources = new V1VolumeResourceRequirements
                {
                    Requests = new Dictionary<string, ResourceQuantity> { ["storage"] = new(size) },
                },
            },
        };
    }

    private static bool IsBucket(MattermostSpec spec) => !string.IsNullOrEmpty(spec.FileStore?.External?.Url);

    private static FileStoreSettings ReadBucket(ExternalFileStoreSpec external, V1Secret? secret)
    {
        if (string.IsNullOrEmpty(external.Bucket))
        {
            throw new SpecProblemException("FileStoreIncomplete", "spec.fileStore.external needs a bucket.");
        }

        if (external.UseServiceAccount == true)
        {
            return new FileStoreSettings(FileStoreKind.Bucket, null, external.Url, external.Bucket, null);
        }

        if (secret is null)
        {
            throw new SpecProblemException(
                "FileStoreSecretMissing",
                $"Secret '{external.Secret}' named by spec.fileStore.external.secret does not exist.");
        }

        foreach (var key in (ReadOnlySpan<string>)["accesskey", "secretkey"])
        {
            if (secret.Data is null || !secret.Data.ContainsKey(key))
            {
                throw new SpecProblemException(
                    "FileStoreSecretIncomplete", $"Secret '{external.Secret}' has no value under '{key}'.");
            }
        }

        return new FileStoreSettings(FileStoreKind.Bucket, null, external.Url, external.Bucket, external.Secret);
    }

    private static FileStoreSettings ReadClaim(string name, V1PersistentVolumeClaim? claim)
    {
        if (claim is null)
        {
            throw new SpecProblemException(
                "VolumeClaimMissing",
                $"PersistentVolumeClaim '{name}' named by spec.fileStore.externalVolume does not exist.");
        }

        if (claim.Status?.Phase is { } phase && phase is not ("Bound" or "Pending"))
        {
            throw new SpecProblemException(
                "VolumeClaimUnusable", $"PersistentVolumeClaim '{name}' is {phase}, not Bound or Pending.");
        }

        return new FileStoreSettings(FileStoreKind.ExternalClaim, name, null, null, null);
    }
}
