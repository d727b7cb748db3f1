using System.Text;
using System.Text.RegularExpressions;
using Cloud.Dns;
using Google.Protobuf.Collections;
using Proto = Cloud.Protos.Installation.V1;

namespace Cloud.Installations;

/// <summary>What a wished installation must look like, beyond how much its fields may hold: that the contract says.
/// Every function notes all it finds instead of stopping at the first, and answers the row as wished, defaults filled
/// in.</summary>
public sealed partial class InstallationChecks(DnsNames dns)
{
    public const string DefaultOwner = "unowned";
    public const string DefaultVersion = "10.1.0";
    public const string DefaultImage = "mattermost/mattermost-enterprise-edition";
    public const string DefaultSize = "100users";
    public const string Multitenant = "multitenant";
    public const string Isolated = "isolated";

    /// <summary>Bytes of all names and values together, at most: a Kubernetes object holds about 1 MiB, and the
    /// environment is in several.</summary>
    public const int MaxEnvironmentBytes = 256 * 1024;

    private const string PathPart = "[a-z0-9]+([._-]+[a-z0-9]+)*";

    /// <summary>Sizes by the operator's names.</summary>
    public static readonly IReadOnlyList<string> Sizes =
    [
        "miniSingleton", "miniHA", "cloud10users", "cloud100users", "100users", "1000users", "5000users", "10000users",
        "25000users",
    ];

    /// <summary>Fields that an update can name.</summary>
    public static readonly IReadOnlyList<string> UpdatablePaths =
        ["owner_id", "dns_names", "version", "image", "size", "mattermost_env"];

    /// <summary>The row a creation asks for.</summary>
    public Installation ForCreation(string id, Proto.CreateInstallationRequest request, FieldProblems problems)
    {
        var wish = request.Installation ?? new Proto.Installation();
        if (wish.DnsNames.Count > 0 && request.NameHint.Length > 0)
        {
            problems.Add(
                "name_hint", "Give name_hint or installation.dns_names, not both.", ErrorReason.FieldsConflicting);
        }

        return new Installation
        {
            Id = id,
            State = InstallationState.CreationRequested,
            OwnerId = Owner(wish.OwnerId, problems),
            DnsNames = wish.DnsNames.Count > 0 ? Names(wish.DnsNames, problems) : NameFromHint(id, request, problems),
            ApplicationVersion = ApplicationVersion(wish.Version, problems),
            Image = Image(wish.Image, problems),
            Size = Size(wish.Size, problems),
            Affinity = Affinity(wish.Affinity, problems),
            MattermostEnv = Environment(wish.MattermostEnv, problems),
        };
    }

    /// <summary>What an update does to a row: the named fields are taken, the others stay as they are.</summary>
    public Func<Installation, Installation> ForUpdate(Proto.UpdateInstallationRequest request, FieldProblems problems)
    {
        var changes = Paths(request, problems).Select(path => Change(path, request.Installation, problems)).ToList();
        return row => changes.Aggregate(row, (changed, change) => change(changed));
    }

    private Func<Installation, Installation> Change(string path, Proto.Installation wish, FieldProblems problems)
    {
        switch (path)
        {
            case "owner_id":
                var owner = Owner(wish.OwnerId, problems);
                return row => row with { OwnerId = owner };
            case "version":
                var version = ApplicationVersion(wish.Version, problems);
                return row => row with { ApplicationVersion = version };
            case "image":
                var image = Image(wish.Image, problems);
                return row => row with { Image = image };
            case "size":
                var size = Size(wish.Size, problems);
                return row => row with { Size = size };
            case "mattermost_env":
                var environment = Environment(wish.MattermostEnv, problems);
                return row => WithEnvironment(row, environment);
            default:
                var names = NamesOfUpdate(wish.DnsNames, problems);
                return row => WithNames(row, names);
        }
    }

    private static IEnumerable<string> Paths(Proto.UpdateInstallationRequest request, FieldProblems problems)
    {
        var wish = request.Installation;
        if (request.UpdateMask is not { Paths.Count: > 0 } mask)
        {
            return UpdatablePaths.Where(path => path switch
            {
                "owner_id" => wish.OwnerId.Length > 0,
                "version" => wish.Version.Length > 0,
                "image" => wish.Image.Length > 0,
                "size" => wish.Size.Length > 0,
                "mattermost_env" => wish.MattermostEnv.Count > 0,
                _ => wish.DnsNames.Count > 0,
            });
        }

        foreach (var path in mask.Paths.Where(path => !UpdatablePaths.Contains(path)))
        {
            problems.Add(
                "update_mask", $"'{path}' cannot be updated; these can: {string.Join(", ", UpdatablePaths)}.",
                ErrorReason.UpdateMaskInvalid);
        }

        return mask.Paths.Where(path => UpdatablePaths.Contains(path)).Distinct();
    }

    // Lists that say the same keep being the same object, so that a change of nothing equals the row as it was.
    private static Installation WithNames(Installation row, string[] names) =>
        names.SequenceEqual(row.DnsNames, StringComparer.Ordinal) ? row : row with { DnsNames = names };

    private static Installation WithEnvironment(
        Installation row, SortedDictionary<string, EnvironmentVariable> environment) =>
        environment.Count == row.MattermostEnv.Count
            && environment.All(pair => row.MattermostEnv.TryGetValue(pair.Key, out var now) && now == pair.Value)
            ? row
            : row with { MattermostEnv = environment };

    private string[] Names(RepeatedField<string> wished, FieldProblems problems)
    {
        string[] names = [.. wished.Select(DnsNames.Normalize)];
        dns.Check(names, "installation.dns_names", problems);
        return names;
    }

    private string[] NamesOfUpdate(RepeatedField<string> wished, FieldProblems problems)
    {
        if (wished.Count == 0)
        {
            problems.Add(
                "installation.dns_names", "An installation has at least one name.", ErrorReason.DnsNameRequired);
        }

        return Names(wished, problems);
    }

    private string[] NameFromHint(string id, Proto.CreateInstallationRequest request, FieldProblems problems)
    {
        if (request.NameHint.Length == 0)
        {
            return [dns.UnderDefaultDomain(id)];
        }

        var label = DnsNames.Normalize(request.NameHint);
        dns.CheckLabel(label, "name_hint", problems);
        return [dns.UnderDefaultDomain(label)];
    }

    private static string Owner(string owner, FieldProblems problems)
    {
        if (owner.Any(c => char.IsControl(c) || char.IsWhiteSpace(c)))
        {
            problems.Add(
                "installation.owner_id", "Must not contain spaces or control characters.", ErrorReason.OwnerInvalid);
        }

        return owner.Length == 0 ? DefaultOwner : owner;
    }

    private static string ApplicationVersion(string version, FieldProblems problems)
    {
        if (version.Length > 0 && !ImageTag().IsMatch(version))
        {
            problems.Add(
                "installation.version",
                $"'{version}' is not an image tag: 1 to 128 letters, digits, '.', '_', '-', "
                + "beginning with none of '.', '-'.",
                ErrorReason.VersionInvalid);
        }

        return version.Length == 0 ? DefaultVersion : version;
    }

    private static string Image(string image, FieldProblems problems)
    {
        if (image.Length > 0 && !ImageRepository().IsMatch(image))
        {
            problems.Add(
                "installation.image",
                $"'{image}' is not an image repository such as '{DefaultImage}'; the tag belongs into version.",
                ErrorReason.ImageInvalid);
        }

        return image.Length == 0 ? DefaultImage : image;
    }

    private static string Size(string size, FieldProblems problems)
    {
        if (size.Length > 0 && !Sizes.Contains(size, StringComparer.Ordinal))
        {
            problems.Add(
                "installation.size", $"'{size}' is not a size; there are {string.Join(", ", Sizes)}.",
                ErrorReason.SizeUnknown);
        }

        return size.Length == 0 ? DefaultSize : size;
    }

    private static string Affinity(string affinity, FieldProblems problems)
    {
        if (affinity is not ("" or Multitenant or Isolated))
        {
            problems.Add(
                "installation.affinity", $"'{affinity}' is neither {Multitenant} nor {Isolated}.",
                ErrorReason.AffinityUnknown);
        }

        return affinity.Length == 0 ? Multitenant : affinity;
    }

    private static SortedDictionary<string, EnvironmentVariable> Environment(
        MapField<string, Proto.EnvVar> environment, FieldProblems problems)
    {
        const string Field = "installation.mattermost_env";
        var bytes = environment.Sum(
            pair => Encoding.UTF8.GetByteCount(pair.Key) + Encoding.UTF8.GetByteCount(pair.Value.Value));
        if (bytes > MaxEnvironmentBytes)
        {
            problems.Add(
                Field, $"At most {MaxEnvironmentBytes} bytes in all, not {bytes}.", ErrorReason.EnvironmentTooLarge);
        }

        foreach (var (name, variable) in environment)
        {
            CheckVariable($"{Field}[{name}]", name, variable, problems);
        }

        return InstallationMessages.EnvironmentOf(environment);
    }

    private static void CheckVariable(string field, string name, Proto.EnvVar variable, FieldProblems problems)
    {
        if (!VariableName().IsMatch(name))
        {
            problems.Add(
                field, $"'{name}' is not a variable's name: letters, digits and '_', not beginning with a digit.",
                ErrorReason.EnvNameInvalid);
        }

        var reference = variable.SourceCase switch
        {
            Proto.EnvVar.SourceOneofCase.SecretKey => variable.SecretKey,
            Proto.EnvVar.SourceOneofCase.ConfigMapKey => variable.ConfigMapKey,
            _ => null,
        };
        if (variable.SourceCase == Proto.EnvVar.SourceOneofCase.None)
        {
            problems.Add(
                field, "Give exactly one of value, secret_key and config_map_key.", ErrorReason.EnvSourceRequired);
        }
        else if (reference is not null
            && !(ObjectName().IsMatch(reference.Name) && KeyInObject().IsMatch(reference.Key)))
        {
            problems.Add(
                field,
                $"'{reference.Name}' and '{reference.Key}' are not the name of a Kubernetes object and a key in it.",
                ErrorReason.EnvReferenceInvalid);
        }
    }

    [GeneratedRegex(@"^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}\z")]
    private static partial Regex ImageTag();

    // [host[:port]/]path[/path...], without a tag or digest.
    [GeneratedRegex(@"^([A-Za-z0-9][A-Za-z0-9.-]*(:[0-9]{1,5})?/)?" + PathPart + "(/" + PathPart + @")*\z")]
    private static partial Regex ImageRepository();

    [GeneratedRegex(@"^[A-Za-z_][A-Za-z0-9_]{0,254}\z")]
    private static partial Regex VariableName();

    [GeneratedRegex(@"^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?\z")]
    private static partial Regex ObjectName();

    [GeneratedRegex(@"^[A-Za-z0-9._-]{1,253}\z")]
    private static partial Regex KeyInObject();
}
