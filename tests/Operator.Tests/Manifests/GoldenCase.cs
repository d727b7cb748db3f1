using System.Reflection;
using System.Text;
using System.Text.Json.Nodes;
using Cloud.Operator.Manifests;
using Cloud.Operator.Mattermosts;
using k8s;
using k8s.Models;
using YamlDotNet.Serialization;

namespace Cloud.Operator.Tests.Manifests;

/// <summary>A resource and what it refers to, read from <c>cases/&lt;name&gt;/resource.yaml</c>.</summary>
public sealed class GoldenCase
{
    private static readonly string Root = typeof(GoldenCase).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>()
        .Single(a => a.Key == "CasesDirectory").Value!;

    private readonly IReadOnlyList<JsonObject> _documents;

    private GoldenCase(string name, IReadOnlyList<JsonObject> documents)
    {
        Directory = Path.Combine(Root, name);
        _documents = documents;
    }

    public static IEnumerable<string> Names =>
        System.IO.Directory.GetDirectories(Root).Select(d => Path.GetFileName(d)).Order();

    public string Directory { get; }

    public static GoldenCase Read(string name)
    {
        var text = File.ReadAllText(Path.Combine(Root, name, "resource.yaml"));
        var documents = text.Split("\n---\n").Select(ToJson);
        return new GoldenCase(name, [.. documents]);
    }

    /// <summary>Every object that the operator makes for the resource, by file name.</summary>
    public IReadOnlyDictionary<string, string> Build()
    {
        var mattermost = Complete();
        var spec = mattermost.Spec;
        var facts = new Facts(
            DatabaseSettings.Read(spec, Secret(DatabaseSettings.SecretName(spec))),
            FileStoreSettings.Read(mattermost, Secret(FileStoreSettings.SecretName(spec)), Claim()));
        var (service, serviceResult) = ResourcePatches.Apply(Services.Build(mattermost), spec.ResourcePatch?.Service);
        var (deployment, deploymentResult) = ResourcePatches.Apply(
            Deployments.Build(mattermost, facts), spec.ResourcePatch?.Deployment);
        var made = new Dictionary<string, object?>
        {
            ["service"] = service,
            ["deployment"] = deployment,
            ["update-job"] = UpdateJobs.Build(mattermost, deployment),
            ["service-account"] = Access.ServiceAccount(mattermost),
            ["role"] = Access.Role(mattermost),
            ["role-binding"] = Access.RoleBinding(mattermost),
            ["ingress"] = Ingresses.IsWanted(spec) ? Ingresses.Build(mattermost) : null,
            ["ingress-class"] = Ingresses.BuildClass(mattermost),
            ["claim"] = facts.FileStore.Kind == FileStoreKind.OwnClaim
                ? FileStoreSettings.OwnClaim(mattermost, null) : null,
            ["job-server"] = JobServers.IsWanted(spec) ? JobServers.Build(mattermost, deployment) : null,
            ["service-patch"] = serviceResult,
            ["deployment-patch"] = deploymentResult,
            ["spec"] = spec,
        };
        return made.Where(m => m.Value is not null).ToDictionary(m => m.Key + ".yaml", m => ToYaml(m.Value!));
    }

    /// <summary>The resource as it is after its defaults have been stored.</summary>
    private Mattermost Complete()
    {
        var document = _documents.Single(d => d["kind"]!.ToString() == "Mattermost");
        var mattermost = KubernetesJson.Deserialize<Mattermost>(document);
        if (Defaulting.PatchFor(mattermost.Spec) is { } patch)
        {
            Merge(document["spec"]!.AsObject(), patch);
            mattermost = KubernetesJson.Deserialize<Mattermost>(document);
            Assert.Null(Defaulting.PatchFor(mattermost.Spec));
        }

        return mattermost;
    }

    private V1Secret? Secret(string? name)
    {
        var found = _documents.SingleOrDefault(d =>
            d["kind"]!.ToString() == "Secret" && d["metadata"]!["name"]!.ToString() == name);
        return found is null ? null : new V1Secret
        {
            Data = found["stringData"]!.AsObject().ToDictionary(
                p => p.Key, p => Encoding.UTF8.GetBytes(p.Value!.ToString())),
        };
    }

    private V1PersistentVolumeClaim? Claim() =>
        _documents.SingleOrDefault(d => d["kind"]!.ToString() == "PersistentVolumeClaim") is { } found
            ? KubernetesJson.Deserialize<V1PersistentVolumeClaim>(found) : null;

    /// <summary>A merge patch (RFC 7386), as the API server would apply it.</summary>
    internal static void Merge(JsonObject into, JsonObject patch)
    {
        foreach (var (name, value) in patch)
        {
            if (value is null)
            {
                into.Remove(name);
            }
            else if (value is JsonObject map)
            {
                into[name] ??= new JsonObject();
                Merge(into[name]!.AsObject(), map);
            }
            else
            {
                into[name] = value.DeepClone();
            }
        }
    }

    private static JsonObject ToJson(string yaml)
    {
        var graph = new DeserializerBuilder().WithAttemptingUnquotedStringTypeDeserialization().Build()
            .Deserialize<object>(yaml);
        // Through text, so that every value is plain JSON whatever YAML made of it.
        return JsonNode.Parse(ToNode(graph)!.ToJsonString())!.AsObject();
    }

    private static JsonNode? ToNode(object? value) => value switch
    {
        null => null,
        IDictionary<object, object> map => new JsonObject(
            map.Select(p => KeyValuePair.Create(p.Key.ToString()!, ToNode(p.Value)))),
        IList<object> list => new JsonArray([.. list.Select(ToNode)]),
        _ => JsonValue.Create(value),
    };

    private static string ToYaml(object value)
    {
        var graph = FromNode(JsonNode.Parse(KubernetesJson.Serialize(value)));
        return new SerializerBuilder().WithQuotingNecessaryStrings().WithIndentedSequences()
            .DisableAliases().Build().Serialize(graph!);
    }

    private static object? FromNode(JsonNode? node) => node switch
    {
        null => null,
        JsonObject map => map.ToDictionary(p => p.Key, p => FromNode(p.Value)),
        JsonArray list => list.Select(FromNode).ToList(),
        JsonValue value when value.TryGetValue<bool>(out var flag) => flag,
        JsonValue value when value.TryGetValue<long>(out var number) => number,
        _ => node.ToString(),
    };
}
