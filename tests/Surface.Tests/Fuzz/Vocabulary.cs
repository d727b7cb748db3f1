using System.Globalization;
using Google.Protobuf;
using Google.Protobuf.Reflection;

namespace Cloud.Surface.Tests.Fuzz;

/// <summary>Words that requests are made of: what the services answered so far, what would be right, and what never
/// is.</summary>
internal sealed class Vocabulary
{
    private const int KeptMax = 200;

    private static readonly string[] Wild =
    [
        "", " ", "a", "\0", "a\0b", "\n", "\u202egnirts", "😀😀😀", "ÄÖÜ", "'; DROP TABLE installations; --", "%", "_",
        "{}",
        "null", "../../etc/passwd", "installations/", "installations/x", "clusters/*", "-", "*", "0", "-1", "1.5",
        "\ud83d", new string('x', 64), new string('y', 1024), new string('z', 1025), new string('é', 5000),
    ];

    private static readonly Dictionary<string, string[]> Right = new()
    {
        ["size"] = ["miniSingleton", "miniHA", "100users", "1000users"],
        ["affinity"] = ["multitenant", "isolated"],
        ["version"] = ["10.1.0", "10.2.0"],
        ["image"] = ["mattermost/mattermost-enterprise-edition"],
        ["owner_id"] = ["owner-1", "owner-2"],
        ["dns_names"] = [.. Numbered("host", ".localhost")],
        ["dns_name"] = [.. Numbered("host", ".localhost")],
        ["name_hint"] = [.. Numbered("hint", "")],
        ["display_name"] = [.. Numbered("thing", "")],
        ["host"] = ["127.0.0.1", "db.example.com", "::1"],
        ["admin_user"] = ["postgres", "provisioner"],
        ["admin_password"] = ["secret"],
        ["ssl_mode"] = ["disable", "require", "verify-full"],
        ["kubeconfig"] =
        [
            """
            {"current-context":"c","clusters":[{"name":"c","cluster":{"server":"https://127.0.0.1:9"}}],
            "users":[{"name":"u","user":{"token":"t"}}],"contexts":[{"name":"c","context":{"cluster":"c","user":"u"}}]}
            """,
        ],
        ["context"] = ["", "c"],
        ["source"] = ["installation", "cluster", "database-pool"],
        ["types"] = ["created", "state-changed", "updated", "deleted"],
        ["type"] = ["created", "state-changed", "updated", "deleted"],
        ["resource_type"] = ["installation", "cluster"],
        ["resource_types"] = ["installation", "cluster"],
        ["states"] = ["stable", "creation-requested", "creation-failed", "deleted", "deletion-requested"],
        ["etag"] = ["", "1", "2", "3"],
        ["env"] = ["value"],
        ["secret_env"] = ["secret/key"],
        ["config_map_env"] = ["config/key"],
        ["url"] = ["http://127.0.0.1:9/hook"],
    };

    private const string Deliveries = "deliveries";

    private static readonly string[] Collections =
    [
        "installations", "clusters", "clusterInstallations", "databaseServers", "logicalDatabases", "webhooks",
    ];

    private readonly Dictionary<string, List<string>> _seen = [];

    /// <summary>Remembers names and tokens of an answer.</summary>
    public void Learn(IMessage answer)
    {
        foreach (var field in answer.Descriptor.Fields.InDeclarationOrder())
        {
            switch (field.Accessor.GetValue(answer))
            {
                case string { Length: > 0 } text when field.Name.EndsWith("_token", StringComparison.Ordinal):
                    Keep("token", text);
                    break;
                case string { Length: > 0 } text when IsDelivery(text):
                    Keep(Deliveries, text);
                    break;
                case string { Length: > 0 } text when Collections.Any(c => IsIn(text, c)):
                    Keep(text[..text.IndexOf('/', StringComparison.Ordinal)], text);
                    break;
                case System.Collections.IList list:
                    foreach (var inner in list.OfType<IMessage>())
                    {
                        Learn(inner);
                    }

                    break;
                case IMessage inner when field.MessageType.File.Package.StartsWith("cloud.", StringComparison.Ordinal):
                    Learn(inner);
                    break;
            }
        }
    }

    /// <summary>A text for a field: mostly one that could be right, else anything.</summary>
    public string TextFor(FieldDescriptor field, Random random)
    {
        if (random.Next(100) < 15)
        {
            return Pick(Wild, random);
        }

        if (field.ContainingType.Name == "FieldMask")
        {
            return random.Next(8) == 0 ? Pick(Wild, random) : Pick(AnyPath, random);
        }

        if (field.Name.EndsWith("_token", StringComparison.Ordinal))
        {
            var token = random.Next(3) == 0 ? Pick(Seen("token"), random) : "";
            return random.Next(2) == 0 ? token : token[..(token.Length / 2)];
        }

        if (CollectionOf(field) is { } collection)
        {
            return random.Next(10) switch
            {
                0 => $"{collection}/{new string('a', 26)}",
                1 => Pick(Seen(Pick(Collections, random)), random),
                _ => Pick(Seen(collection), random),
            };
        }

        return Right.TryGetValue(field.Name, out var right) ? Pick(right, random) : Pick(Wild, random);
    }

    private static readonly string[] AnyPath =
    [
        "version", "size", "image", "owner_id", "dns_names", "mattermost_env", "display_name", "allow_installations",
        "utilization_threshold_percent", "host", "port", "admin_user", "max_databases", "weight", "allow_databases",
        "ssl_mode", "spec", "spec.version", "spec.size", "spec.env", "spec.dns_names", "spec.hibernated", "url",
        "filter",
        "headers", "state", "name", "progress.epoch", "*",
    ];

    private static string? CollectionOf(FieldDescriptor field) => field.Name switch
    {
        "installation" => "installations",
        "cluster" => "clusters",
        "database_server" => "databaseServers",
        "logical_database" => "logicalDatabases",
        "parent" => "webhooks",
        "name" => field.ContainingType.Name switch
        {
            var type when type.Contains("ClusterInstallation", StringComparison.Ordinal) => "clusterInstallations",
            var type when type.Contains("Installation", StringComparison.Ordinal) => "installations",
            var type when type.Contains("Cluster", StringComparison.Ordinal) => "clusters",
            var type when type.Contains("DatabaseServer", StringComparison.Ordinal) => "databaseServers",
            var type when type.Contains("LogicalDatabase", StringComparison.Ordinal) => "logicalDatabases",
            var type when type.Contains("WebhookDelivery", StringComparison.Ordinal) => Deliveries,
            var type when type.Contains("Webhook", StringComparison.Ordinal) => "webhooks",
            _ => null,
        },
        _ => null,
    };

    private static string Pick(IReadOnlyList<string> words, Random random) =>
        words.Count == 0 ? "" : words[random.Next(words.Count)];

    private static bool IsIn(string text, string collection) =>
        text.Length == collection.Length + 27 && text.StartsWith(collection + "/", StringComparison.Ordinal);

    private static bool IsDelivery(string text) =>
        text.StartsWith("webhooks/", StringComparison.Ordinal)
        && text.Contains($"/{Deliveries}/", StringComparison.Ordinal);

    private static IEnumerable<string> Numbered(string before, string after) => Enumerable.Range(1, 30)
        .Select(n => string.Create(CultureInfo.InvariantCulture, $"{before}{n}{after}"));

    private List<string> Seen(string kind) => _seen.TryGetValue(kind, out var words) ? words : [];

    private void Keep(string kind, string word)
    {
        if (!_seen.TryGetValue(kind, out var words))
        {
            _seen[kind] = words = [];
        }

        if (words.Count < KeptMax && !words.Contains(word))
        {
            words.Add(word);
        }
    }
}
