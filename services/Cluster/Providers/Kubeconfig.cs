using System.Buffers.Text;
using System.Text.Json.Nodes;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace Cloud.Providers;

/// <summary>Something wrong with a kubeconfig that came from outside.</summary>
/// <param name="Reason">UPPER_SNAKE_CASE and stable.</param>
/// <param name="Description">For the person who supplied it: what is wrong and what to do.</param>
public sealed record KubeconfigProblem(ErrorReason Reason, string Description);

/// <summary>
/// What is kept of a kubeconfig: one context, reduced to the fields that a connection needs, with everything embedded.
/// </summary>
/// <param name="Server">Address of the API server, with its base path if it has one.</param>
/// <param name="Document">A kubeconfig of exactly this context, as JSON. Secret.</param>
public sealed record Kubeconfig(Uri Server, string Document)
{
    /// <summary>Largest text that is read, in characters. Real ones are below 20,000.</summary>
    public const int LengthMax = 262_144;

    /// <summary>Name of the only cluster, user and context in <see cref="Document"/>.</summary>
    private const string OnlyName = "cluster";

    /// <summary>
    /// Reads a kubeconfig and names everything that is wrong with it at once. Answers null exactly when there are
    /// problems. Nothing of this machine is touched: no file, no program, no network.
    /// </summary>
    /// <param name="text">YAML or JSON.</param>
    /// <param name="context">Context to take; empty takes the text's current one.</param>
    public static Kubeconfig? Read(string text, string context, List<KubeconfigProblem> problems)
    {
        var before = problems.Count;
        if (Root(text, problems) is not { } root) return null;
        if (ChooseContext(root, context, problems) is not { } chosen) return null;

        var server = CheckCluster(Entry(root, "clusters", "cluster", Text(chosen, "cluster")), chosen, problems,
            out var cluster);
        var user = CheckUser(Entry(root, "users", "user", Text(chosen, "user")), chosen, problems);
        if (problems.Count > before || server is null || cluster is null || user is null) return null;
        return new Kubeconfig(server, Compose(cluster, user));
    }

    private static YamlMappingNode? Root(string text, List<KubeconfigProblem> problems)
    {
        if (string.IsNullOrWhiteSpace(text))
        {
            problems.Add(new(ErrorReason.KubeconfigEmpty, "A kubeconfig is needed, in YAML or JSON."));
            return null;
        }
        if (text.Length > LengthMax)
        {
            problems.Add(new(ErrorReason.KubeconfigTooLarge,
                $"It has {text.Length} characters; at most {LengthMax} are read. Give one context only: "
                + "kubectl config view --minify --flatten."));
            return null;
        }
        try
        {
            var stream = new YamlStream();
            stream.Load(new StringReader(text));
            if (stream.Documents is [{ RootNode: YamlMappingNode root }]) return root;
            problems.Add(new(ErrorReason.KubeconfigMalformed, "It is not one YAML or JSON object."));
        }
        catch (YamlException e)
        {
            problems.Add(new(ErrorReason.KubeconfigMalformed,
                $"It is neither YAML nor JSON (line {e.Start.Line}, column {e.Start.Column})."));
        }
        return null;
    }

    private static YamlMappingNode? ChooseContext(
        YamlMappingNode root, string context, List<KubeconfigProblem> problems)
    {
        var names = Names(root, "contexts");
        var name = context.Length > 0 ? context : Text(root, "current-context");
        if (name.Length == 0)
        {
            problems.Add(new(ErrorReason.KubeconfigContextMissing, names.Count == 0
                ? "It has no contexts."
                : $"It has no current-context; name one of: {string.Join(", ", names)}."));
            return null;
        }
        if (Entry(root, "contexts", "context", name) is { } chosen) return chosen;
        problems.Add(new(ErrorReason.KubeconfigContextUnknown, names.Count == 0
            ? $"It has no context '{name}'; it has none at all."
            : $"It has no context '{name}'; it has: {string.Join(", ", names)}."));
        return null;
    }

    private static Uri? CheckCluster(
        YamlMappingNode? cluster, YamlMappingNode context, List<KubeconfigProblem> problems, out JsonObject? kept)
    {
        kept = null;
        if (cluster is null)
        {
            problems.Add(new(ErrorReason.KubeconfigClusterUnknown,
                $"The context refers to the cluster '{Text(context, "cluster")}', which is not in it."));
            return null;
        }
        kept = [];
        RefuseFile(cluster, "certificate-authority", "certificate-authority-data", problems);
        if (Text(cluster, "proxy-url").Length > 0)
            problems.Add(new(ErrorReason.KubeconfigProxyRefused,
                "'proxy-url' is not supported: the API server must be reachable from this service directly."));
        KeepEncoded(cluster, kept, "certificate-authority-data", problems);
        Keep(cluster, kept, "tls-server-name");
        if (Text(cluster, "insecure-skip-tls-verify") is "true") kept["insecure-skip-tls-verify"] = true;
        var server = CheckServer(Text(cluster, "server"), problems);
        if (server is not null) kept["server"] = server.ToString();
        return server;
    }

    private static Uri? CheckServer(string text, List<KubeconfigProblem> problems)
    {
        if (text.Length == 0)
        {
            problems.Add(
                new(ErrorReason.KubeconfigServerMissing, "The cluster of the context has no 'server' address."));
            return null;
        }
        if (!Uri.TryCreate(text, UriKind.Absolute, out var server)
            || (server.Scheme != Uri.UriSchemeHttps && server.Scheme != Uri.UriSchemeHttp))
        {
            problems.Add(new(ErrorReason.KubeconfigServerInvalid,
                $"The server address '{text}' is not a full https:// (or http://) address."));
            return null;
        }
        if (server.Scheme == Uri.UriSchemeHttp && !server.IsLoopback)
            problems.Add(new(ErrorReason.KubeconfigServerInsecure,
                $"'{text}' would send credentials in the clear; http:// is only allowed to this machine."));
        if (server.UserInfo.Length > 0)
            problems.Add(
                new(ErrorReason.KubeconfigServerInvalid, "The server address must not hold a user or password."));
        return server;
    }

    private static JsonObject? CheckUser(
        YamlMappingNode? user, YamlMappingNode context, List<KubeconfigProblem> problems)
    {
        if (user is null)
        {
            problems.Add(new(ErrorReason.KubeconfigUserUnknown,
                $"The context refers to the user '{Text(context, "user")}', which is not in it."));
            return null;
        }
        var before = problems.Count;
        foreach (var plugin in (string[])["exec", "auth-provider"])
            if (user.Children.ContainsKey(plugin))
                problems.Add(new(ErrorReason.KubeconfigExecRefused,
                    $"'{plugin}' would run a program here, which is refused. Give a service account's token instead."));
        RefuseFile(user, "client-certificate", "client-certificate-data", problems);
        RefuseFile(user, "client-key", "client-key-data", problems);
        RefuseFile(user, "tokenFile", "token", problems);

        var kept = new JsonObject();
        Keep(user, kept, "token");
        Keep(user, kept, "username");
        Keep(user, kept, "password");
        KeepEncoded(user, kept, "client-certificate-data", problems);
        KeepEncoded(user, kept, "client-key-data", problems);
        var complete = kept.ContainsKey("token")
            || (kept.ContainsKey("client-certificate-data") && kept.ContainsKey("client-key-data"))
            || (kept.ContainsKey("username") && kept.ContainsKey("password"));
        if (!complete && problems.Count == before)
            problems.Add(new(ErrorReason.KubeconfigCredentialsMissing,
                "The user has no token, no client certificate with its key, and no username with its password."));
        return kept;
    }

    private static string Compose(JsonObject cluster, JsonObject user) => new JsonObject
    {
        ["apiVersion"] = "v1",
        ["kind"] = "Config",
        ["current-context"] = OnlyName,
        ["clusters"] = new JsonArray(new JsonObject { ["name"] = OnlyName, ["cluster"] = cluster }),
        ["users"] = new JsonArray(new JsonObject { ["name"] = OnlyName, ["user"] = user }),
        ["contexts"] = new JsonArray(new JsonObject
        {
            ["name"] = OnlyName,
            ["context"] = new JsonObject { ["cluster"] = OnlyName, ["user"] = OnlyName },
        }),
    }.ToJsonString();

    private static void RefuseFile(YamlMappingNode node, string field, string instead, List<KubeconfigProblem> problems)
    {
        if (Text(node, field).Length > 0)
            problems.Add(new(ErrorReason.KubeconfigFileReferenceRefused,
                $"'{field}' names a file, which is not here; embed it as '{instead}' "
                + "(kubectl config view --flatten)."));
    }

    private static void Keep(YamlMappingNode from, JsonObject to, string field)
    {
        if (Text(from, field) is { Length: > 0 } value) to[field] = value;
    }

    private static void KeepEncoded(
        YamlMappingNode from, JsonObject to, string field, List<KubeconfigProblem> problems)
    {
        var value = Text(from, field);
        if (value.Length == 0) return;
        if (Base64.IsValid(value))
            to[field] = value;
        else
            problems.Add(new(ErrorReason.KubeconfigCertificateInvalid, $"'{field}' is not base64."));
    }

    private static YamlMappingNode? Entry(YamlMappingNode root, string list, string field, string name) =>
        Entries(root, list).FirstOrDefault(e => Text(e, "name") == name) is { } entry
        && entry.Children.TryGetValue(field, out var value) ? value as YamlMappingNode : null;

    private static List<string> Names(YamlMappingNode root, string list) =>
        [.. Entries(root, list).Select(e => Text(e, "name")).Where(n => n.Length > 0)];

    private static IEnumerable<YamlMappingNode> Entries(YamlMappingNode root, string list) =>
        root.Children.TryGetValue(list, out var value) && value is YamlSequenceNode sequence
            ? sequence.Children.OfType<YamlMappingNode>()
            : [];

    private static string Text(YamlMappingNode node, string field) =>
        node.Children.TryGetValue(field, out var value) && value is YamlScalarNode { Value: { } text } ? text : "";
}
