using System.Text.Json.Nodes;

namespace Cloud.Simulator.ApiServers.Requests;

/// <summary>What a server in trouble answers.</summary>
internal static class FaultErrors
{
    public static ApiException Of(int code, string verb, string resource) => code switch
    {
        401 => ApiErrors.Unauthorized(),
        403 => new ApiException(code, "Forbidden", $"{resource} is forbidden: told to by a fault"),
        404 => ApiErrors.NoSuchResource(),
        409 => new ApiException(code, "Conflict",
            $"Operation cannot be fulfilled on {resource}: the object has been modified; please apply your changes " +
            $"to the latest version and try again"),
        410 => ApiErrors.Expired("too old resource version: told to by a fault"),
        429 => new ApiException(code, "TooManyRequests",
            "the server has received too many requests and has asked us to try again later")
        {
            Details = new JsonObject { ["retryAfterSeconds"] = 1 },
        },
        503 => new ApiException(code, "ServiceUnavailable", "the server is currently unable to handle the request"),
        504 => new ApiException(code, "Timeout",
            $"Timeout: request did not complete within requested timeout ({verb} {resource})"),
        _ => new ApiException(code, "InternalError",
            $"Internal error occurred: told to by a fault ({verb} {resource})"),
    };
}
