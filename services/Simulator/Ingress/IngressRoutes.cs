using System.Globalization;
using System.Text.Json.Nodes;
using Cloud.Simulator.Applications;
using Cloud.Simulator.Controllers;

namespace Cloud.Simulator.Ingress;

/// <summary>
/// Finds the way from a host and a path through a cluster's Ingresses and Services to a ready pod.
/// </summary>
/// <remarks>
/// Keeps nothing but which Ingresses name which host: a request asks the cluster's loop, which looks at the objects as
/// they are in that moment. So changes of pods cost nothing here, and an answer is never out of date.
/// </remarks>
internal sealed class IngressRoutes(ControllerScope scope, PodRuntime runtime) : IController
{
    private const string StatusAnnotation = "cloud.mattermost.com/return-status";
    private const string MessageAnnotation = "cloud.mattermost.com/return-message";
    private const string SizeLabel = "cloud.mattermost.com/size";
    private readonly Dictionary<string, HashSet<ObjectKey>> _byHost = new(StringComparer.OrdinalIgnoreCase);
    private int _turn;

    public Lane Lane => Lane.Summaries;

    public void Observe(Change change)
    {
        if (change.Key.Resource != Resources.Ingresses) return;
        foreach (var host in Hosts(change.Old))
        {
            if (_byHost.TryGetValue(host, out var keys) && keys.Remove(change.Key) && keys.Count == 0)
                _byHost.Remove(host);
        }
        foreach (var host in Hosts(change.New))
        {
            if (!_byHost.TryGetValue(host, out var keys)) _byHost[host] = keys = [];
            keys.Add(change.Key);
        }
    }

    /// <summary>Nothing to bring in line: see <see cref="FindAsync"/>.</summary>
    public void Reconcile(ObjectKey key)
    {
    }

    /// <summary>The way for a request; null when no Ingress of this cluster names the host. From any thread.</summary>
    public async Task<Route?> FindAsync(string host, string path, CancellationToken ct)
    {
        var answer = new TaskCompletionSource<Route?>(TaskCreationOptions.RunContinuationsAsynchronously);
        scope.Loop.Post(() =>
        {
            try
            {
                answer.TrySetResult(Find(host, path));
            }
            catch (Exception problem)
            {
                answer.TrySetException(problem);
            }
        });
        return await answer.Task.WaitAsync(ct);
    }

    private Route? Find(string host, string path)
    {
        if (!_byHost.TryGetValue(host, out var keys)) return null;
        var ingresses = keys.Select(k => scope.Objects.Get(k)).OfType<JsonObject>().OrderBy(i => i.CreatedAt());
        var best = ingresses.SelectMany(i => Paths(i, host).Select(p => (Ingress: i, Path: p)))
            .Where(c => Matches(c.Path, path))
            .OrderByDescending(c => (c.Path.Text("path") ?? "/").Length).FirstOrDefault();
        if (best.Ingress is null) return null;
        var route = new Route
        {
            Cluster = scope.Settings.Name,
            Namespace = best.Ingress.Namespace() ?? "",
            Host = host,
            Size = SizeOf(best.Ingress),
            ReturnMessage = best.Ingress.Annotation(MessageAnnotation),
            ReturnStatus = StatusOf(best.Ingress),
        };
        return WithPods(route, best.Path.Text("backend", "service", "name") ?? "");
    }

    private static int? StatusOf(JsonObject ingress)
    {
        var text = ingress.Annotation(StatusAnnotation);
        var isNumber = int.TryParse(text, CultureInfo.InvariantCulture, out var status);
        return isNumber && status is >= 200 and <= 599 ? status : null;
    }

    private Route WithPods(Route route, string serviceName)
    {
        var service = scope.Objects[Resources.Services].Get(route.Namespace, serviceName);
        if (service?.At("spec", "selector") is not JsonObject { Count: > 0 } selector) return route;
        var pods = scope.Objects[Resources.Pods].In(route.Namespace)
            .Where(p => Pods.IsActive(p) && Pods.IsReady(p) && LabelSelectors.MatchesMap(selector, p.Labels()))
            .OrderBy(p => p.Name(), StringComparer.Ordinal).ToList();
        var wanted = scope.Objects[Resources.Deployments].In(route.Namespace)
            .Where(d => LabelSelectors.MatchesMap(
                selector, d.At("spec", "template", "metadata", "labels") as JsonObject))
            .Sum(d => (int)(d.Number("spec", "replicas") ?? 1));
        route = route with { ReadyReplicas = pods.Count, WantedReplicas = wanted };
        if (pods.Count == 0) return route;
        var pod = pods[(_turn++ & int.MaxValue) % pods.Count];
        var image = pod.Items("spec", "containers").First().Text("image") ?? "";
        return route with
        {
            Pod = pod.Name(),
            Image = image,
            Version = ImageReference.Parse(image).Version,
            Environment = runtime.EnvironmentOf(pod),
        };
    }

    private static IEnumerable<string> Hosts(JsonObject? ingress) =>
        ingress.Items("spec", "rules").Select(r => r.Text("host") ?? "").Where(h => h.Length > 0);

    private static IEnumerable<JsonObject> Paths(JsonObject ingress, string host) => ingress.Items("spec", "rules")
        .Where(r => string.Equals(r.Text("host"), host, StringComparison.OrdinalIgnoreCase))
        .SelectMany(r => r.Items("http", "paths"));

    private static bool Matches(JsonObject rule, string path)
    {
        var wanted = rule.Text("path") ?? "/";
        if (rule.Text("pathType") == "Exact") return path == wanted;
        var prefix = wanted.TrimEnd('/');
        return path.StartsWith(prefix, StringComparison.Ordinal)
            && (path.Length == prefix.Length || path[prefix.Length] == '/');
    }

    /// <summary>The size is known to the resource that the Ingress was made for, or written on the Ingress.</summary>
    private string? SizeOf(JsonObject ingress)
    {
        foreach (var reference in ingress.OwnerReferences())
        {
            var owner = scope.Objects.ByUid(reference.Text("uid") ?? "", out _);
            if (owner.Text("spec", "size") is { Length: > 0 } size) return size;
        }
        return ingress.Labels().Text(SizeLabel) ?? ingress.Annotation(SizeLabel);
    }
}
