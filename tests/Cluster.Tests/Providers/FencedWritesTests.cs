using System.Text.Json.Nodes;
using Cloud.ClusterInstallations;
using Cloud.Providers;
using Cloud.ServiceDefaults.Storage;
using Cloud.ServiceDefaults.Supervision;
using Cloud.Watching;
using Xunit;

namespace Cloud.ClusterTests.Providers;

public sealed class FencedWritesTests(ClusterWorld world) : IClassFixture<ClusterWorld>
{
    private const string Row = "clusterInstallations/a";
    private const string Overtaken = "EPOCH_STALE";

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task What_was_removed_meanwhile_is_not_made_anew_by_who_saw_it()
    {
        using var api = Api();
        var secret = await WriteAsync(Writes(api), await SecretAsync(api), "applied");
        await api.Delete(Manifests.Secrets, ObjectKey.Of(secret), secret.Metadata.Uid, Ct);

        var refusal = await Assert.ThrowsAsync<KubernetesApiException>(() => WriteAsync(Writes(api), secret, "later"));

        Assert.Equal(KubernetesErrorKind.Conflict, refusal.Kind);
        Assert.Null(await api.Find(Manifests.Secrets, ObjectKey.Of(secret), Ct));
    }

    [Fact]
    public async Task What_somebody_changed_meanwhile_stays_as_they_left_it()
    {
        using var api = Api();
        var secret = await SecretAsync(api);
        await WriteAsync(Writes(api, epoch: 2), secret, "successor");

        var refusal = await Assert.ThrowsAsync<KubernetesApiException>(() => WriteAsync(Writes(api), secret, "late"));

        Assert.Equal(KubernetesErrorKind.Conflict, refusal.Kind);
        Assert.Equal(["successor"], await KeysAsync(api, secret));
    }

    [Fact]
    public async Task A_higher_epoch_is_left_alone_when_it_is_of_the_same_row()
    {
        using var api = Api();
        var secret = await SecretAsync(api, epoch: 2);

        var refusal = await Assert.ThrowsAsync<StepException>(() => WriteAsync(Writes(api, epoch: 1), secret, "late"));
        var other = new FencedWrites(
            api, "clusterInstallations/b", 1, _ => Task.FromResult(new RowNow(1, false)), TimeProvider.System);
        await WriteAsync(other, secret, "other");

        Assert.Equal(Overtaken, refusal.Code);
        Assert.Equal(["other"], await KeysAsync(api, secret));
    }

    [Fact]
    public async Task What_a_row_wrote_that_came_after_this_one_is_left_alone()
    {
        using var api = Api();
        var secret = await SecretAsync(api, epoch: 1);
        var gone = new FencedWrites(
            api, "clusterInstallations/deleted", 7, _ => Task.FromResult(RowNow.Gone), TimeProvider.System);

        var refusal = await Assert.ThrowsAsync<StepException>(() => WriteAsync(gone, secret, "late"));

        Assert.Equal(Overtaken, refusal.Code);
        Assert.Equal(["first"], await KeysAsync(api, secret));
    }

    [Fact]
    public async Task What_is_no_longer_wanted_goes_from_an_object_that_was_created()
    {
        using var api = Api();
        var secret = await SecretAsync(api);

        await WriteAsync(Writes(api), secret, "other");

        Assert.Equal(["other"], await KeysAsync(api, secret));
    }

    [Fact]
    public async Task What_is_created_for_a_row_that_leaves_is_taken_back()
    {
        using var api = Api();
        var name = $"late-{ResourceId.New()}";

        var refusal = await Assert.ThrowsAsync<StepException>(
            () => CreateNamespaceAsync(Writes(api, now: new RowNow(2, IsLeaving: true)), name));

        Assert.Equal(Overtaken, refusal.Code);
        var left = await api.Find(WorkspaceNamespace.Resource, new ObjectKey("", name), Ct);
        Assert.True(left is null or { IsTerminating: true });
    }

    [Fact]
    public async Task What_is_created_for_a_row_that_others_go_on_with_is_left_to_them()
    {
        using var api = Api();
        var name = $"shared-{ResourceId.New()}";

        var refusal = await Assert.ThrowsAsync<StepException>(
            () => CreateNamespaceAsync(Writes(api, now: new RowNow(2, IsLeaving: false)), name));

        Assert.Equal(Overtaken, refusal.Code);
        Assert.False((await api.Get(WorkspaceNamespace.Resource, new ObjectKey("", name), Ct)).IsTerminating);
    }

    [Fact]
    public async Task A_definition_is_not_taken_back_because_all_that_it_defines_would_go_with_it()
    {
        using var api = Api();
        var kind = ResourceKinds.CustomResourceDefinitions;
        var key = new ObjectKey("", "things.example.com");

        await Assert.ThrowsAsync<StepException>(() => Writes(api, now: new RowNow(2, IsLeaving: true)).WriteAsync(
            kind, key, Definition(key.Name), found: null, Ct));

        Assert.Null((await api.Get(kind, key, Ct)).Metadata.DeletionTimestamp);
    }

    [Fact]
    public async Task Who_was_overtaken_removes_nothing()
    {
        using var api = Api();
        var secret = await SecretAsync(api);

        var refusal = await Assert.ThrowsAsync<StepException>(() =>
            Writes(api, now: new RowNow(2, IsLeaving: true)).RemoveAsync(Manifests.Secrets, secret, Ct));

        Assert.Equal(Overtaken, refusal.Code);
        Assert.NotNull(await api.Find(Manifests.Secrets, ObjectKey.Of(secret), Ct));
        Assert.True(await Writes(api).RemoveAsync(Manifests.Secrets, secret, Ct));
    }

    private KubernetesApi Api() =>
        KubernetesClients.FromKubeconfig(world.Kubeconfig("large"), context: null, TimeProvider.System);

    private static FencedWrites Writes(KubernetesApi api, long epoch = 1, RowNow? now = null) => new(
        api, Row, epoch, _ => Task.FromResult(now ?? new RowNow(epoch, IsLeaving: false)), TimeProvider.System);

    /// <summary>A Secret as it was seen, with one key.</summary>
    private static async Task<UnstructuredObject> SecretAsync(KubernetesApi api, long epoch = 1)
    {
        var key = new ObjectKey("default", $"fenced-{ResourceId.New()}");
        await Writes(api, epoch).WriteAsync(Manifests.Secrets, key, Secret(key, "first"), found: null, Ct);
        return await api.Get(Manifests.Secrets, key, Ct);
    }

    private static Task<UnstructuredObject> WriteAsync(
        FencedWrites writes, UnstructuredObject seen, string dataKey) => writes.WriteAsync(
        Manifests.Secrets, ObjectKey.Of(seen), Secret(ObjectKey.Of(seen), dataKey), seen, Ct);

    private static Task<UnstructuredObject> CreateNamespaceAsync(
        FencedWrites writes, string name) => writes.WriteAsync(
        Manifests.Namespaces,
        new ObjectKey("", name),
        new JsonObject
        {
            ["apiVersion"] = "v1", ["kind"] = "Namespace", ["metadata"] = new JsonObject { ["name"] = name },
        },
        found: null,
        Ct);

    private static async Task<IEnumerable<string>> KeysAsync(KubernetesApi api, UnstructuredObject secret) =>
        (await api.Get(Manifests.Secrets, ObjectKey.Of(secret), Ct)).Value("data")!.Value
        .EnumerateObject().Select(property => property.Name);

    private static JsonObject Definition(string name) => new()
    {
        ["apiVersion"] = "apiextensions.k8s.io/v1",
        ["kind"] = "CustomResourceDefinition",
        ["metadata"] = new JsonObject { ["name"] = name },
        ["spec"] = new JsonObject
        {
            ["group"] = "example.com",
            ["scope"] = "Namespaced",
            ["names"] = new JsonObject { ["plural"] = "things", ["singular"] = "thing", ["kind"] = "Thing" },
            ["versions"] = new JsonArray(new JsonObject
            {
                ["name"] = "v1",
                ["served"] = true,
                ["storage"] = true,
                ["schema"] = new JsonObject { ["openAPIV3Schema"] = new JsonObject { ["type"] = "object" } },
            }),
        },
    };

    private static JsonObject Secret(ObjectKey key, string dataKey) => new()
    {
        ["apiVersion"] = "v1",
        ["kind"] = "Secret",
        ["metadata"] = new JsonObject { ["name"] = key.Name, ["namespace"] = key.Namespace },
        ["data"] = new JsonObject { [dataKey] = "" },
    };
}
