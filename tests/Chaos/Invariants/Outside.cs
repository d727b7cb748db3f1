using Cloud.Chaos.World;
using Cloud.Protos.Installation.V1;

namespace Cloud.Chaos.Invariants;

/// <summary>What there is outside is what living installations need: in the clusters, on the database server, at the
/// ingress. And every row of another service serves a living installation.</summary>
internal static class Outside
{
    private const int IdLength = 26;

    /// <summary>Each object belongs to an installation that lives in that cluster, and each living one has its
    /// own.</summary>
    public static IEnumerable<Breach> Clusters(
        IReadOnlyList<Installation> all,
        IReadOnlyDictionary<string, string> clusterNames,
        IReadOnlyList<ClusterObject> objects)
    {
        var homes = all.Where(IsLiving).ToDictionary(IdOf, i => clusterNames.GetValueOrDefault(i.Cluster, ""));
        foreach (var found in objects)
        {
            var space = found.Resource == "namespaces" ? found.Name : found.Namespace;
            if (IsId(space) && homes.GetValueOrDefault(space) != found.Cluster)
            {
                yield return new Breach("no leaked object", $"installations/{space}", $"{found} is left");
            }
        }

        var gone = all.Where(i => !IsLiving(i)).ToList();
        foreach (var found in objects.Where(found => !IsId(found.Namespace) && !IsId(found.Name)))
        {
            // What is wanted, not what somebody reports: a status may quote an old message.
            var text = $"{found.Body["metadata"]?.ToJsonString()}{found.Body["spec"]?.ToJsonString()}";
            foreach (var installation in gone.Where(i => text.Contains(IdOf(i), StringComparison.Ordinal)))
            {
                yield return new Breach("no leaked object", installation.Name, $"{found} still tells of it");
            }
        }

        foreach (var (id, cluster) in homes)
        {
            foreach (var (kind, wanted) in new[]
            {
                ("mattermosts.installation.mattermost.com", 1),
                ("deployments.apps", 1), ("ingresses.networking.k8s.io", 1),
            })
            {
                var count = objects.Count(o => o.Cluster == cluster && o.Namespace == id && o.Resource == kind);
                if (count != wanted)
                {
                    yield return new Breach(
                        "everything once", $"installations/{id}", $"has {count} {kind} in {cluster}, not {wanted}");
                }
            }
        }
    }

    /// <summary>One database and one role per living installation, and no others.</summary>
    public static IEnumerable<Breach> Databases(IReadOnlyList<Installation> all, IReadOnlyList<string> found)
    {
        var wanted = all.Where(IsLiving)
            .SelectMany(i => new[] { $"database cloud_{IdOf(i)}", $"role user_{IdOf(i)}" }).ToHashSet();
        foreach (var left in found.Where(name => !wanted.Contains(name)))
        {
            yield return new Breach("no leaked database", $"installations/{left.Split('_')[^1]}", $"{left} is left");
        }

        foreach (var missing in wanted.Except(found))
        {
            yield return new Breach(
                "everything once", $"installations/{missing.Split('_')[^1]}", $"{missing} is missing");
        }
    }

    /// <summary>What other services keep for installations: one living row each, and nothing for the gone.</summary>
    public static IEnumerable<Breach> Rows(
        IReadOnlyList<Installation> all, IReadOnlyList<Row> rows, IReadOnlyList<string> reservations)
    {
        var living = all.Where(IsLiving).Select(IdOf).ToHashSet();
        var serving = rows.Where(row => row.Installation.Length > 0 && row.State != "deleted"
            && !row.Resource.StartsWith("installations/", StringComparison.Ordinal)).ToList();
        foreach (var row in serving.Where(row => !living.Contains(row.Installation)))
        {
            yield return new Breach(
                "no leaked row", $"installations/{row.Installation}", $"{row.Resource} is {row.State}");
        }

        foreach (var id in living)
        {
            foreach (var noun in new[] { "clusterInstallations/", "logicalDatabases/" })
            {
                var own = serving.Count(row => row.Installation == id
                    && row.Resource.StartsWith(noun, StringComparison.Ordinal));
                if (own != 1)
                {
                    yield return new Breach("everything once", $"installations/{id}", $"has {own} living {noun}");
                }
            }
        }

        foreach (var id in reservations.Where(id => !living.Contains(id)))
        {
            yield return new Breach("no leaked row", $"installations/{id}", "its reservation in a cluster is left");
        }
    }

    /// <summary>Stable workspaces answer, hibernated and pending ones say 410, the gone are unknown.</summary>
    public static async Task<IReadOnlyList<Breach>> IngressAsync(
        IReadOnlyList<Installation> all, Uri ingress, CancellationToken ct)
    {
        using var browser = new HttpClient();
        var breaches = new List<Breach>();
        foreach (var installation in all.Where(i => i.DnsNames.Count > 0))
        {
            var wanted = installation.State switch
            {
                "stable" => 200,
                "hibernating" or "deletion-pending" => 410,
                "deleted" => 404,
                _ => 0,
            };
            using var request = new HttpRequestMessage(HttpMethod.Get, ingress);
            request.Headers.Host = installation.DnsNames[0];
            using var answer = await browser.SendAsync(request, ct);
            if (wanted != 0 && (int)answer.StatusCode != wanted)
            {
                breaches.Add(new Breach(
                    "the ingress answers", installation.Name,
                    $"{installation.DnsNames[0]} is {installation.State} and answers "
                    + $"{(int)answer.StatusCode}, not {wanted}"));
            }
        }

        return breaches;
    }

    private static bool IsLiving(Installation installation) => installation.State != "deleted";

    private static string IdOf(Installation installation) => installation.Name.Split('/')[1];

    private static bool IsId(string name) => name.Length == IdLength && name.All(char.IsAsciiLetterOrDigit);
}
