using Cloud.Placement;
using Cloud.ServiceDefaults.Hosting;
using Google.Protobuf.Reflection;
using Google.Protobuf.WellKnownTypes;
using Proto = Cloud.Protos.Cluster.V1;

namespace Cloud.ClusterInstallations;

/// <summary>What is wrong with a request about cluster installations: everything at once. Pure.</summary>
public static class ClusterInstallationChecks
{
    private const string SpecPath = "spec";
    private const string BelowSpec = "spec.";
    private const int HostNameLengthMax = 253;
    private const int HostLabelLengthMax = 63;

    private static readonly string Paths = string.Join(", ", Proto.ClusterInstallationSpec.Descriptor.Fields
        .InDeclarationOrder().Select(f => BelowSpec + f.Name).Prepend(SpecPath));

    /// <summary>A whole spec.</summary>
    public static void Spec(Proto.ClusterInstallationSpec spec, FieldProblems problems)
    {
        const string at = "cluster_installation.spec";
        if (spec.Version.Length == 0) problems.Add($"{at}.version", "It must be given.", ErrorReason.VersionInvalid);
        if (spec.Image.Length == 0) problems.Add($"{at}.image", "It must be given.", ErrorReason.ImageInvalid);
        PlacementChecks.Size(spec.Size, $"{at}.size", problems);
        if (spec.LogicalDatabase.Length == 0)
            problems.Add($"{at}.logical_database", "It must be given.", ErrorReason.ResourceNameInvalid);
        if (spec.DnsNames.Count == 0)
            problems.Add($"{at}.dns_names", "At least one is needed.", ErrorReason.DnsNameInvalid);
        for (var n = 0; n < spec.DnsNames.Count; n++)
            if (!IsHostName(spec.DnsNames[n]))
                problems.Add($"{at}.dns_names[{n}]",
                    $"'{spec.DnsNames[n]}' is not a host name in lower case, as an Ingress takes it.",
                    ErrorReason.DnsNameInvalid);
        References(spec.SecretEnv, $"{at}.secret_env", "secret/key", problems);
        References(spec.ConfigMapEnv, $"{at}.config_map_env", "configmap/key", problems);
    }

    /// <summary>Which fields of the spec an update takes; empty for all of it.</summary>
    public static IReadOnlyList<FieldDescriptor> SpecFields(FieldMask? mask, FieldProblems problems)
    {
        var fields = new List<FieldDescriptor>();
        foreach (var path in mask?.Paths ?? [])
        {
            if (path == SpecPath) return [];
            var field = path.StartsWith(BelowSpec, StringComparison.Ordinal)
                ? Proto.ClusterInstallationSpec.Descriptor.FindFieldByName(path[BelowSpec.Length..])
                : null;
            if (field is not null) fields.Add(field);
            else problems.Add("update_mask", $"'{path}' cannot be changed; these can: {Paths}.",
                ErrorReason.UpdateMaskInvalid);
        }
        return fields;
    }

    /// <summary>The current spec with the named fields of the wish; the wish itself when none is named.</summary>
    public static Proto.ClusterInstallationSpec Merged(
        Proto.ClusterInstallationSpec current,
        Proto.ClusterInstallationSpec wish,
        IReadOnlyList<FieldDescriptor> fields)
    {
        if (fields.Count == 0) return wish;
        var merged = current.Clone();
        foreach (var field in fields)
        {
            field.Accessor.Clear(merged);
            if (field.IsMap || field.IsRepeated)
            {
                var part = new Proto.ClusterInstallationSpec();
                part.MergeFrom(wish);
                foreach (var other in Proto.ClusterInstallationSpec.Descriptor.Fields.InDeclarationOrder())
                    if (other != field) other.Accessor.Clear(part);
                merged.MergeFrom(part);
            }
            else
            {
                field.Accessor.SetValue(merged, field.Accessor.GetValue(wish));
            }
        }
        return merged;
    }

    /// <summary>
    /// A name that every API server takes as host of an Ingress: else the operator would be refused, long after the
    /// caller was told that all is well.
    /// </summary>
    internal static bool IsHostName(string name) => name.Length is > 0 and <= HostNameLengthMax
        && name.Split('.').All(label => label.Length is > 0 and <= HostLabelLengthMax
            && label[0] != '-' && label[^1] != '-'
            && label.All(c => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c) || c == '-'));

    private static void References(
        IEnumerable<KeyValuePair<string, string>> variables, string field, string form, FieldProblems problems)
    {
        foreach (var (name, reference) in variables)
            if (reference.Split('/') is not [{ Length: > 0 }, { Length: > 0 }])
                problems.Add(
                    $"{field}[{name}]", $"'{reference}' has not the form {form}.", ErrorReason.EnvReferenceInvalid);
    }
}
