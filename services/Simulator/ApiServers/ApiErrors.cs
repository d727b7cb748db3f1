using System.Text.Json.Nodes;
using Cloud.Simulator.ApiServers.ResourceTypes;
using Cloud.Simulator.ApiServers.Validation;

namespace Cloud.Simulator.ApiServers;

/// <summary>The refusals of a Kubernetes API server, in its wording.</summary>
public static class ApiErrors
{
    public static ApiException NotFound(ResourceType type, string name) => NotFound(type.Group, type.Plural, name);

    public static ApiException NotFound(string group, string plural, string name) =>
        new(404, "NotFound", $"{Qualified(group, plural)} \"{name}\" not found")
        {
            Details = Details(name, group, plural),
        };

    /// <summary>The path names no resource that is served.</summary>
    public static ApiException NoSuchResource() =>
        new(404, "NotFound", "the server could not find the requested resource") { Details = [] };

    public static ApiException AlreadyExists(ResourceType type, string name) =>
        new(409, "AlreadyExists", $"{type.Resource} \"{name}\" already exists")
        {
            Details = Details(name, type.Group, type.Plural),
        };

    public static ApiException Conflict(ResourceType type, string name, string why) =>
        new(409, "Conflict", $"Operation cannot be fulfilled on {type.Resource} \"{name}\": {why}")
        {
            Details = Details(name, type.Group, type.Plural),
        };

    /// <summary>The object moved on since the caller read it.</summary>
    public static ApiException Stale(ResourceType type, string name) => Conflict(type, name,
        "the object has been modified; please apply your changes to the latest version and try again");

    public static ApiException Forbidden(ResourceType type, string name, string why) =>
        new(403, "Forbidden", $"{type.Resource} \"{name}\" is forbidden: {why}")
        {
            Details = Details(name, type.Group, type.Plural),
        };

    public static ApiException BadRequest(string message) => new(400, "BadRequest", message);

    public static ApiException Unauthorized() => new(401, "Unauthorized", "Unauthorized");

    public static ApiException MethodNotAllowed() =>
        new(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")
        {
            Details = [],
        };

    public static ApiException NotAcceptable(string accepted) =>
        new(406, "NotAcceptable",
            $"only the following media types are accepted: {accepted}") { Details = [] };

    public static ApiException UnsupportedMediaType(string contentType, string accepted) =>
        new(415, "UnsupportedMediaType",
            $"the body of the request was in an unknown format - accepted media types include: {accepted}")
        {
            Details = contentType.Length == 0 ? [] : null,
        };

    public static ApiException Internal(string message) =>
        new(500, "InternalError", "Internal error occurred: " + message)
        {
            Details = new JsonObject { ["causes"] = new JsonArray(new JsonObject { ["message"] = message }) },
        };

    /// <summary>The object breaks the rules of its kind, each named.</summary>
    public static ApiException Invalid(ResourceType type, string name, IReadOnlyList<FieldError> errors) =>
        Invalid(type.QualifiedKind, type.Group, type.Kind, name, errors);

    public static ApiException Invalid(
        string qualifiedKind, string group, string kind, string name, IReadOnlyList<FieldError> errors)
    {
        var details = Details(name, group, kind);
        details["causes"] = new JsonArray([.. errors.Select(e => (JsonNode)new JsonObject
        {
            ["reason"] = e.Reason, ["message"] = e.Detail, ["field"] = e.Field,
        })]);
        var texts = errors.Select(e => e.ToString()).Distinct().ToList();
        var all = texts.Count == 1 ? texts[0] : $"[{string.Join(", ", texts)}]";
        return new ApiException(422, "Invalid", $"{qualifiedKind} \"{name}\" is invalid: {all}") { Details = details };
    }

    /// <summary>The list or watch goes back further than history does.</summary>
    public static ApiException Expired(string message) => new(410, "Expired", message);

    /// <summary>The caller knows a revision that this server has not seen.</summary>
    public static ApiException TooLarge(long asked, long current) =>
        new(504, "Timeout", $"Too large resource version: {asked}, current: {current}")
        {
            Details = new JsonObject
            {
                ["causes"] = new JsonArray(new JsonObject
                {
                    ["reason"] = "ResourceVersionTooLarge", ["message"] = "Too large resource version",
                }),
                ["retryAfterSeconds"] = 1,
            },
        };

    /// <summary>details{name, group, kind}, leaving out what is empty.</summary>
    public static JsonObject Details(string name, string group, string kind)
    {
        var details = new JsonObject();
        if (name.Length > 0) details["name"] = name;
        if (group.Length > 0) details["group"] = group;
        details["kind"] = kind;
        return details;
    }

    private static string Qualified(string group, string plural) => group.Length == 0 ? plural : $"{plural}.{group}";
}
