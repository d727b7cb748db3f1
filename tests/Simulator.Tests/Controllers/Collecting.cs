using System.Text.Json.Nodes;
using Cloud.Simulator.Controllers;
using Xunit;

namespace Cloud.Simulator.Tests.Controllers;

public sealed class Collecting
{
    [Fact]
    public async Task A_deleted_deployment_takes_its_replica_sets_and_pods_with_it()
    {
        await using var cluster = await LiveCluster.StartAsync();
        cluster.Create("deployments.apps", Objects.Deployment("web", 3));
        await cluster.Until(() => cluster.List("pods").Count(Pods.IsReady) == 3);
        cluster.Delete("deployments.apps", "web");
        await cluster.Until(() => cluster.List("pods").Count == 0 && cluster.List("replicasets.apps").Count == 0);
    }

    [Fact]
    public async Task Foreground_deletion_ends_the_owner_last_and_orphan_leaves_the_dependents()
    {
        await using var cluster = await LiveCluster.StartAsync();
        cluster.Create("deployments.apps", Objects.Deployment("web", 2));
        await cluster.Until(() => cluster.List("pods").Count(Pods.IsReady) == 2);
        cluster.Delete("deployments.apps", "web", "Foreground");
        await cluster.Until(() =>
        {
            var gone = cluster.Get("deployments.apps", "web") is null;
            if (gone) Assert.Empty(cluster.List("pods"));
            return gone;
        });

        cluster.Create("deployments.apps", Objects.Deployment("kept", 2));
        await cluster.Until(() => cluster.List("pods").Count(Pods.IsReady) == 2);
        cluster.Delete("deployments.apps", "kept", "Orphan");
        await cluster.Until(() => cluster.Get("deployments.apps", "kept") is null);
        await cluster.Until(() => cluster.List("replicasets.apps").All(s => s.ControllerUid() is null));
        Assert.Equal(2, cluster.List("pods").Count(Pods.IsReady));
    }

    [Fact]
    public async Task An_object_whose_owner_never_was_is_deleted_and_one_of_two_owners_suffices()
    {
        await using var cluster = await LiveCluster.StartAsync();
        var owner = cluster.Create("configmaps", Map("owner"));
        cluster.Create("configmaps", Map("shared", (owner.Name(), owner.Uid()), ("absent", "no-such-uid")));
        cluster.Create("configmaps", Map("lost", ("absent", "no-such-uid")));
        await cluster.Until(() => cluster.Get("configmaps", "lost") is null);
        await cluster.Until(() => cluster.Get("configmaps", "shared")!.OwnerReferences().Count() == 1);
        cluster.Delete("configmaps", "owner");
        await cluster.Until(() => cluster.Get("configmaps", "shared") is null);
    }

    [Fact]
    public async Task A_custom_resource_owns_what_was_made_for_it()
    {
        await using var cluster = await LiveCluster.StartAsync();
        cluster.Create("customresourcedefinitions.apiextensions.k8s.io", LiveCluster.Parse("""
            {"apiVersion":"apiextensions.k8s.io/v1","kind":"CustomResourceDefinition",
             "metadata":{"name":"things.example.com"},
             "spec":{"group":"example.com","scope":"Namespaced",
               "names":{"plural":"things","singular":"thing","kind":"Thing","listKind":"ThingList"},
               "versions":[{"name":"v1","served":true,"storage":true,
                 "schema":{"openAPIV3Schema":{"type":"object","x-kubernetes-preserve-unknown-fields":true}}}]}}
            """));
        await cluster.Settle();
        var thing = cluster.Create("things.example.com", LiveCluster.Parse("""
            {"apiVersion":"example.com/v1","kind":"Thing","metadata":{"name":"one","namespace":"story"}}
            """));
        var map = Map("made");
        map["metadata"]!["ownerReferences"] = new JsonArray(new JsonObject
        {
            ["apiVersion"] = "example.com/v1", ["kind"] = "Thing", ["name"] = "one", ["uid"] = thing.Uid(),
        });
        cluster.Create("configmaps", map);
        await cluster.Settle();
        Assert.NotNull(cluster.Get("configmaps", "made"));
        cluster.Delete("things.example.com", "one");
        await cluster.Until(() => cluster.Get("configmaps", "made") is null);
    }

    [Fact]
    public async Task A_deleted_namespace_leaves_nothing_behind()
    {
        await using var cluster = await LiveCluster.StartAsync();
        await cluster.Until(() => cluster.Get("serviceaccounts", "default") is not null
            && cluster.Get("configmaps", "kube-root-ca.crt") is not null);
        cluster.Create("deployments.apps", Objects.Deployment("web", 3));
        cluster.Create("services", Objects.Service("web"));
        cluster.Create("secrets", Objects.Secret("s", "k", "v"));
        await cluster.Until(() => cluster.List("pods").Count(Pods.IsReady) == 3);
        cluster.Api.Delete("namespaces", null, LiveCluster.Namespace);
        await cluster.Until(() => cluster.Api.Get("namespaces", null, LiveCluster.Namespace) is null);
        foreach (var kind in Resources.BuiltIn.Where(k => k.Namespaced)) Assert.Empty(cluster.List(kind.Resource));
    }

    [Fact]
    public async Task A_namespace_waits_for_the_finalizers_in_it_and_says_so()
    {
        await using var cluster = await LiveCluster.StartAsync();
        var held = Map("held");
        held["metadata"]!["finalizers"] = new JsonArray("example.com/hold");
        cluster.Create("configmaps", held);
        cluster.Api.Delete("namespaces", null, LiveCluster.Namespace);
        await cluster.Until(() => Conditions.IsTrue(
            cluster.Api.Get("namespaces", null, LiveCluster.Namespace)!["status"], "NamespaceFinalizersRemaining"));
        cluster.Change("configmaps", "held", m => m["metadata"]!["finalizers"] = new JsonArray());
        await cluster.Until(() => cluster.Api.Get("namespaces", null, LiveCluster.Namespace) is null);
    }

    private static JsonObject Map(string name, params (string Name, string Uid)[] owners)
    {
        var map = new JsonObject
        {
            ["apiVersion"] = "v1",
            ["kind"] = "ConfigMap",
            ["metadata"] = new JsonObject { ["name"] = name, ["namespace"] = LiveCluster.Namespace },
        };
        if (owners.Length == 0) return map;
        map["metadata"]!["ownerReferences"] = JsonFields.ToArray(owners.Select(o => new JsonObject
        {
            ["apiVersion"] = "v1", ["kind"] = "ConfigMap", ["name"] = o.Name, ["uid"] = o.Uid,
        }));
        return map;
    }
}
