using System.Security.Cryptography;
using System.Text;
using Cloud.Simulator.ApiServers.Discovery;

namespace Cloud.Simulator.ApiServers.Requests;

/// <summary>The front door of one cluster's API: who asks, what is told to go wrong, and who answers.</summary>
/// <remarks>
/// A wrong token is refused. No token at all is let in, because kubectl and every Go client send none over plain http
/// (they do not hand credentials to a server that cannot prove itself), and this server listens on the loopback only.
/// </remarks>
public sealed class ApiRequests(ApiServer server, Faults faults, ILogger logger)
{
    private readonly DiscoveryRequests _discovery = new(server);
    private readonly byte[] _authorization = Encoding.UTF8.GetBytes($"Bearer {server.Settings.EffectiveToken}");

    /// <summary>Answers one request; <paramref name="path"/> is what follows the cluster's base path.</summary>
    public async Task HandleAsync(HttpContext http, string path)
    {
        var ct = http.RequestAborted;
        try
        {
            await AnswerAsync(http, path, ct);
        }
        catch (ApiException refusal) when (!http.Response.HasStarted)
        {
            await Answers.WriteAsync(http, Answers.StatusOf(refusal), refusal.Code, Form.Object, ct);
        }
        catch (Exception e) when (e is BadHttpRequestException
            || (e is OperationCanceledException && ct.IsCancellationRequested))
        {
            logger.LogDebug("Leaving a request of {Cluster}{Path}: its client went away", server.ClusterName, path);
        }
        catch (Exception broken) when (!http.Response.HasStarted)
        {
            logger.LogError(broken, "Answering {Method} {Cluster}{Path} with an internal error",
                http.Request.Method, server.ClusterName, path);
            await Answers.WriteAsync(http, Answers.StatusOf(ApiErrors.Internal(broken.Message)),
                StatusCodes.Status500InternalServerError, Form.Object, ct);
        }
    }

    private async Task AnswerAsync(HttpContext http, string path, CancellationToken ct)
    {
        if (await _discovery.TryAnswerOpenAsync(http, path, ct)) return;
        if (!IsKnown(http.Request)) throw ApiErrors.Unauthorized();
        if (await _discovery.TryAnswerAsync(http, path, ct)) return;
        var target = RequestTarget.Parse(path) ?? throw ApiErrors.NoSuchResource();
        var type = server.Types.Find(target.Group, target.Version, target.Plural) ?? throw ApiErrors.NoSuchResource();
        if (target.Namespace is not null && !type.Namespaced) throw ApiErrors.NoSuchResource();
        var request = new ResourceRequest(server, http, target, type);
        var verb = VerbOf(request);
        if (await MisbehaveAsync(request, verb, ct)) return;
        await DispatchAsync(request, verb, ct);
    }

    private static Task DispatchAsync(ResourceRequest request, string verb, CancellationToken ct)
    {
        if (request.Type.IsReview)
            return verb == "create" ? Reviews.AnswerAsync(request, ct) : throw ApiErrors.MethodNotAllowed();
        if (request.Target.Name is not null && request.Type.Namespaced && request.Target.Namespace is null)
            throw ApiErrors.NoSuchResource();
        if (request.Target.Subresource.Length > 0) return SubresourceRequests.HandleAsync(request, ct);
        return verb switch
        {
            "get" => ListRequests.GetAsync(request, ct),
            "list" => ListRequests.ListAsync(request, ct),
            "watch" => WatchRequests.WatchAsync(request, ct),
            "create" when request.Target.Name is null => WriteRequests.CreateAsync(request, ct),
            "update" when request.Target.Name is not null => WriteRequests.ReplaceAsync(request, "", ct),
            "patch" when request.Target.Name is not null => WriteRequests.PatchAsync(request, "", ct),
            "delete" => WriteRequests.DeleteAsync(request, ct),
            "deletecollection" => WriteRequests.DeleteCollectionAsync(request, ct),
            _ => throw ApiErrors.MethodNotAllowed(),
        };
    }

    private static string VerbOf(ResourceRequest request)
    {
        var named = request.Target.Name is not null;
        return request.Request.Method switch
        {
            "GET" or "HEAD" => request.Target.IsWatch
                || (request.Flag("watch") && request.Target.Subresource.Length == 0)
                ? "watch"
                : named ? "get" : "list",
            "POST" => "create",
            "PUT" => "update",
            "PATCH" => "patch",
            "DELETE" => named ? "delete" : "deletecollection",
            _ => "",
        };
    }

    /// <summary>Does what a fault says; true when that was all there is to do.</summary>
    private async Task<bool> MisbehaveAsync(ResourceRequest request, string verb, CancellationToken ct)
    {
        var subresource = request.Target.Subresource;
        var resource = subresource.Length == 0 ? request.Type.Resource : $"{request.Type.Resource}/{subresource}";
        if (faults.Hit(verb, resource, request.Namespace) is not { } fault) return false;
        if (fault.Latency > TimeSpan.Zero) await Task.Delay(fault.Latency, server.Clock, ct);
        if (fault.CutConnection)
        {
            request.Http.Abort();
            return true;
        }
        if (fault.Code is { } code) throw FaultErrors.Of(code, verb, resource);
        return false;
    }

    private bool IsKnown(HttpRequest request) => request.Headers.Authorization.Count == 0
        || CryptographicOperations.FixedTimeEquals(Encoding.UTF8.GetBytes(request.Headers.Authorization.ToString()),
            _authorization);
}
