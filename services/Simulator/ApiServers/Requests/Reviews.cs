using System.Text.Json.Nodes;
using Cloud.Simulator.ApiServers.Objects;

namespace Cloud.Simulator.ApiServers.Requests;

/// <summary>Answers questions about who may do what. Whoever holds the cluster's token may do everything.</summary>
public static class Reviews
{
    private const string User = "simulator-admin";

    public static async Task AnswerAsync(ResourceRequest request, CancellationToken ct)
    {
        var review = await Bodies.ReadObjectAsync(request.Request, ct);
        review["kind"] = request.Type.Kind;
        review["apiVersion"] = request.Type.ApiVersion;
        review.Metadata();
        review["status"] = request.Type.Kind switch
        {
            "SelfSubjectReview" => new JsonObject { ["userInfo"] = WhoAmI() },
            "TokenReview" => Token(request, review),
            "SelfSubjectRulesReview" => new JsonObject
            {
                ["resourceRules"] = new JsonArray(Rule("apiGroups", "resources")),
                ["nonResourceRules"] = new JsonArray(Rule("nonResourceURLs")),
                ["incomplete"] = false,
            },
            _ => new JsonObject { ["allowed"] = true, ["reason"] = "the simulator allows everything to its one user" },
        };
        await Answers.WriteAsync(request.Http, review, StatusCodes.Status201Created, Form.Object, ct);
    }

    private static JsonObject Token(ResourceRequest request, JsonObject review)
    {
        var known = review.Text("spec", "token") == request.Server.Settings.EffectiveToken;
        return known ? new JsonObject { ["authenticated"] = true, ["user"] = WhoAmI() }
            : new JsonObject { ["authenticated"] = false };
    }

    private static JsonObject WhoAmI() => new()
    {
        ["username"] = User, ["groups"] = new JsonArray("system:masters", "system:authenticated"),
    };

    private static JsonObject Rule(params string[] fields)
    {
        var rule = new JsonObject { ["verbs"] = new JsonArray("*") };
        foreach (var field in fields) rule[field] = new JsonArray("*");
        return rule;
    }
}
