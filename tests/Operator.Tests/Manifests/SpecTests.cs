using Cloud.Operator.Manifests;
using Cloud.Operator.Mattermosts;
using k8s.Models;

namespace Cloud.Operator.Tests.Manifests;

public sealed class SpecTests
{
    [Theory]
    [InlineData("100users", 1, "100m", "256Mi")]
    [InlineData("1000users", 2, "150m", "256Mi")]
    [InlineData("25000users", 2, "1", "4Gi")]
    [InlineData("cloud10users", 2, "10m", "150Mi")]
    [InlineData("miniSingleton", 1, "10m", "150Mi")]
    public void A_named_size_overrides_what_was_there_and_is_erased(
        string name, int replicas, string cpu, string memory)
    {
        var patch = Defaulting.PatchFor(new MattermostSpec { Size = name, Replicas = 9 })!;
        Assert.Equal(replicas, patch["replicas"]!.GetValue<int>());
        var requests = patch["scheduling"]!["resources"]!["requests"]!;
        Assert.Equal((cpu, memory), (requests["cpu"]!.ToString(), requests["memory"]!.ToString()));
        Assert.True(patch.ContainsKey("size"));
        Assert.Null(patch["size"]);
    }

    [Fact]
    public void Without_a_size_only_what_is_missing_is_filled_and_zero_replicas_are_kept()
    {
        var patch = Defaulting.PatchFor(
            new MattermostSpec { Size = "huge", Replicas = 0, Image = "x", Version = "1" })!;
        Assert.False(patch.ContainsKey("replicas"));
        Assert.False(patch.ContainsKey("image"));
        Assert.Equal("500m", patch["scheduling"]!["resources"]!["requests"]!["cpu"]!.ToString());
        Assert.Equal("IfNotPresent", patch["imagePullPolicy"]!.ToString());
    }

    [Theory]
    [InlineData(null, "5m0s")]
    [InlineData("90s", "1m30s")]
    [InlineData("1h", "1h0m0s")]
    [InlineData("1.5m", "1m30s")]
    [InlineData("1h30m", "1h30m0s")]
    [InlineData("250ms", "250ms")]
    public void Durations_are_written_in_one_way(string? text, string canonical) =>
        Assert.Equal(canonical, GoDuration.Canonical(text));

    [Theory]
    [InlineData("soon")]
    [InlineData("5")]
    [InlineData("m5")]
    public void What_is_no_duration_is_refused(string text) =>
        Assert.Throws<SpecProblemException>(() => GoDuration.Canonical(text));

    [Theory]
    [InlineData("postgres://u@h/d", "postgres://h", true)]
    [InlineData("postgres://u@h/d", "https://h", true)]
    [InlineData("postgres://u@h/d", "postgresql://h", false)]
    [InlineData("mysql://u@h/d", "postgres://h", false)]
    [InlineData("mysql://u@h/d", "http://h:3306", true)]
    [InlineData("sqlite", "mysql://h", true)]
    [InlineData("postgres://u@h/d", "  ", false)]
    [InlineData("postgres://u@h/d", "h:5432", false)]
    public void Only_an_address_that_a_check_can_ask_is_let_through(string connection, string address, bool allowed)
    {
        var spec = new MattermostSpec
        {
            Database = new DatabaseSpec { External = new ExternalDatabaseSpec { Secret = "s" } },
        };
        var secret = new V1Secret
        {
            Data = new Dictionary<string, byte[]>
            {
                [DatabaseSettings.ConnectionStringKey] = System.Text.Encoding.UTF8.GetBytes(connection),
                [DatabaseSettings.CheckUrlKey] = System.Text.Encoding.UTF8.GetBytes(address),
            },
        };
        var error = Record.Exception(() => DatabaseSettings.Read(spec, secret));
        Assert.Equal(allowed, error is null);
    }

    [Fact]
    public void The_access_modes_of_a_claim_that_exists_are_kept_and_cannot_be_changed()
    {
        var live = new V1PersistentVolumeClaim
        {
            Spec = new V1PersistentVolumeClaimSpec { AccessModes = ["ReadWriteOnce"] },
        };
        Assert.Equal(["ReadWriteMany"], FileStoreSettings.OwnClaim(Local(null), null).Spec.AccessModes);
        Assert.Equal(["ReadWriteOnce"], FileStoreSettings.OwnClaim(Local(null), live).Spec.AccessModes);
        Assert.Throws<SpecProblemException>(() => FileStoreSettings.OwnClaim(Local("ReadWriteMany"), live));
    }

    private static Mattermost Local(string? mode) => new()
    {
        Metadata = new V1ObjectMeta { Name = "chat", NamespaceProperty = "team", Uid = "u" },
        Spec = new MattermostSpec
        {
            FileStore = new FileStoreSpec
            {
                Local = new LocalFileStoreSpec { Enabled = true, AccessModes = mode is null ? null : [mode] },
            },
        },
    };
}
