using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Cloud.Simulator.ApiServers.Requests;
using Cloud.Simulator.ApiServers.ResourceTypes;

namespace Cloud.Simulator.ApiServers.Discovery;

/// <summary>
/// The OpenAPI documents: which paths take which kinds and that field validation happens on this side, so that
/// <c>kubectl apply</c> leaves it to the server. They carry the schemas of custom resources, not of built-in kinds.
/// </summary>
public sealed class OpenApiRequests(ApiServer server)
{
    private const string V2Protobuf = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf";

    // A Document message with its one mandatory field: swagger = "2.0".
    private static readonly byte[] EmptyV2 = [0x0A, 0x03, (byte)'2', (byte)'.', (byte)'0'];

    /// <summary>Answers /openapi/v2 and /openapi/v3...; false when the path is about something else.</summary>
    public async Task<bool> TryAnswerAsync(HttpContext http, string path, CancellationToken ct)
    {
        const string v3 = "/openapi/v3";
        if (path == "/openapi/v2")
        {
            await AnswerV2Async(http, ct);
            return true;
        }
        if (path == v3)
        {
            await Answers.WriteAsync(http, Index(), StatusCodes.Status200OK, Form.Object, ct);
            return true;
        }
        if (!path.StartsWith(v3 + "/", StringComparison.Ordinal)) return false;
        var parts = path[v3.Length..].Split('/', StringSplitOptions.RemoveEmptyEntries);
        var (group, version) = parts switch
        {
            ["api", var legacy] => ("", legacy),
            ["apis", var named, var served] => (named, served),
            _ => throw ApiErrors.NoSuchResource(),
        };
        var types = server.Types.All.Where(t => t.Group == group && t.Version == version).ToList();
        if (types.Count == 0) throw ApiErrors.NoSuchResource();
        await Answers.WriteAsync(http, Document(types), StatusCodes.Status200OK, Form.Object, ct);
        return true;
    }

    private static async Task AnswerV2Async(HttpContext http, CancellationToken ct)
    {
        if (http.Request.Headers.Accept.ToString().Contains("protobuf", StringComparison.Ordinal))
        {
            http.Response.ContentType = V2Protobuf;
            await http.Response.Body.WriteAsync(EmptyV2, ct);
            return;
        }
        await Answers.WriteAsync(http, new JsonObject
        {
            ["swagger"] = "2.0",
            ["info"] = new JsonObject { ["title"] = "Kubernetes", ["version"] = "v1.33.4" },
            ["paths"] = new JsonObject(),
            ["definitions"] = new JsonObject(),
        }, StatusCodes.Status200OK, Form.Object, ct);
    }

    private JsonObject Index()
    {
        var paths = new JsonObject();
        foreach (var group in server.Types.All.GroupBy(t => t.Group.Length == 0 ? "api/v1" : $"apis/{t.ApiVersion}"))
        {
            // Clients cache by this hash, so it changes with what is served.
            var served = Encoding.UTF8.GetBytes(
                string.Join(',', group.Select(t => t.Plural + t.Schema.Source?.ToJsonString())));
            paths[group.Key] = new JsonObject
            {
                ["serverRelativeURL"] = $"/openapi/v3/{group.Key}?hash={Convert.ToHexString(SHA256.HashData(served))}",
            };
        }
        return new JsonObject { ["paths"] = paths };
    }

    private static JsonObject Document(IReadOnlyList<ResourceType> types)
    {
        var paths = new JsonObject();
        foreach (var type in types)
        {
            var root = (type.Group.Length == 0 ? "/api/v1/" : $"/apis/{type.ApiVersion}/") +
                (type.Namespaced ? "namespaces/{namespace}/" : "") + type.Plural;
            paths[root] = new JsonObject { ["post"] = Operation(type, "post") };
            if (type.IsReview) continue;
            paths[root + "/{name}"] = new JsonObject
            {
                ["get"] = Operation(type, "get"), ["put"] = Operation(type, "put"),
                    ["patch"] = Operation(type, "patch"),
                ["delete"] = Operation(type, "delete"),
            };
        }
        return new JsonObject
        {
            ["openapi"] = "3.0.0",
            ["info"] = new JsonObject { ["title"] = "Kubernetes", ["version"] = "v1.33.4" },
            ["paths"] = paths,
            ["components"] = new JsonObject { ["schemas"] = Schemas(types) },
        };
    }

    // What a definition says of its fields, so that kubectl explain can tell people.
    private static JsonObject Schemas(IReadOnlyList<ResourceType> types)
    {
        var schemas = new JsonObject();
        foreach (var type in types.Where(t => t.Custom is not null && t.Schema.Source is not null))
        {
            var schema = (JsonObject)type.Schema.Source!.DeepClone();
            schema["x-kubernetes-group-version-kind"] = new JsonArray(new JsonObject
            {
                ["group"] = type.Group, ["version"] = type.Version, ["kind"] = type.Kind,
            });
            var group = string.Join('.', type.Group.Split('.').Reverse());
            schemas[$"{group}.{type.Version}.{type.Kind}"] = schema;
        }
        return schemas;
    }

    private static JsonObject Operation(ResourceType type, string method) => new()
    {
        ["x-kubernetes-action"] = method,
        ["x-kubernetes-group-version-kind"] = new JsonObject
        {
            ["group"] = type.Group, ["version"] = type.Version, ["kind"] = type.Kind,
        },
        ["parameters"] = new JsonArray([.. Parameters(method).Select(p => new JsonObject
        {
            ["name"] = p, ["in"] = "query", ["schema"] = new JsonObject { ["type"] = "string", ["uniqueItems"] = true },
        })]),
        ["responses"] = new JsonObject { ["200"] = new JsonObject { ["description"] = "OK" } },
    };

    private static string[] Parameters(string method) => method switch
    {
        "get" => [],
        "delete" => ["dryRun", "gracePeriodSeconds", "propagationPolicy"],
        "patch" => ["dryRun", "fieldManager", "fieldValidation", "force"],
        _ => ["dryRun", "fieldManager", "fieldValidation"],
    };
}
