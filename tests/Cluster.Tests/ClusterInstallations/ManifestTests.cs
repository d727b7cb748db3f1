using System.Collections.Immutable;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Cloud.ClusterInstallations;
using Cloud.TestHost;
using Xunit;

namespace Cloud.ClusterTests.ClusterInstallations;

/// <summary>The objects as files, so that a change of one is seen and judged. <c>CLOUD_UPDATE_GOLDEN=1</c> rewrites
/// them.</summary>
public sealed class ManifestTests
{
    private static readonly JsonSerializerOptions Readable = new()
    {
        WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    private static readonly ClusterInstallation Running = new()
    {
        Id = "rowrowrowrowrowrowrowrow12",
        State = ClusterInstallationState.CreationRequested,
        Epoch = 7,
        InstallationId = "acmeacmeacmeacmeacmeacme12",
        ClusterId = "clusterclusterclusterclust",
        Spec = new ClusterInstallationSpec
        {
            Version = "10.1.0",
            Image = "mattermost/mattermost-enterprise-edition",
            Size = "1000users",
            DnsNames = ["acme.localhost"],
            LogicalDatabase = "logicalDatabases/databasedatabasedatabased1",
        },
    };

    [Fact]
    public void A_running_one() => AssertGolden("running", Running);

    [Fact]
    public void A_hibernated_one() =>
        AssertGolden("hibernated", Running with { Spec = Running.Spec with { Hibernated = true } });

    [Fact]
    public void One_with_a_single_pod_has_no_disruption_budget() =>
        AssertGolden("single-pod", Running with { Spec = Running.Spec with { Size = "miniSingleton" } });

    [Fact]
    public void One_with_several_names_and_all_kinds_of_variables() => AssertGolden("variables", Running with
    {
        Spec = Running.Spec with
        {
            DnsNames = ["acme.localhost", "chat.acme.localhost"],
            Env = Variables(("MM_B", "2"), ("MM_A", "1"), ("MM_CLOUD_INSTALLATION_ID", "forged")),
            SecretEnv = Variables(("MM_PASSWORD", "mail/password")),
            ConfigMapEnv = Variables(("MM_THEME", "theme/name")),
        },
    });

    [Fact]
    public void Specs_are_equal_by_content()
    {
        var one = Running.Spec with { Env = Variables(("A", "1")), DnsNames = ["a.localhost"] };
        var other = Running.Spec with { Env = Variables(("A", "1")), DnsNames = ["a.localhost"] };

        Assert.Equal(one, other);
        Assert.NotEqual(one, other with { Env = Variables(("A", "2")) });
        Assert.NotEqual(one, other with { DnsNames = ["b.localhost"] });
    }

    [Fact]
    public void A_password_is_written_nowhere_but_into_the_secret()
    {
        var secret = Manifests.DatabaseSecret(Running, "postgres://u:p@h/d", "postgres://u:p@h/d?x");

        Assert.Equal("mm-acme-database", secret.Key.Name);
        Assert.Equal(
            "postgres://u:p@h/d",
            System.Text.Encoding.UTF8.GetString(
                Convert.FromBase64String(secret.Document["data"]!["DB_CONNECTION_STRING"]!.GetValue<string>())));
        Assert.DoesNotContain("p@h", Written(Running), StringComparison.Ordinal);
    }

    private static ImmutableSortedDictionary<string, string> Variables(
        params (string Name, string Value)[] variables) =>
        variables.ToImmutableSortedDictionary(v => v.Name, v => v.Value, StringComparer.Ordinal);

    private static void AssertGolden(string name, ClusterInstallation row)
    {
        var path = Path.Combine(
            Repository.Root, "tests", "Cluster.Tests", "ClusterInstallations", "cases", $"{name}.json");
        var written = Written(row);
        if (Environment.GetEnvironmentVariable("CLOUD_UPDATE_GOLDEN") == "1") File.WriteAllText(path, written);
        Assert.Equal(File.ReadAllText(path), written);
    }

    private static string Written(ClusterInstallation row)
    {
        Manifest?[] all =
        [
            Manifests.Namespace(row), Manifests.NetworkPolicy(row), Manifests.PodDisruptionBudget(row),
            Manifests.Mattermost(row),
        ];
        return new JsonArray([.. all.OfType<Manifest>().Select(m => m.Document.DeepClone())])
            .ToJsonString(Readable) + "\n";
    }
}
