namespace Cloud.Simulator.ApiServers.Requests;

/// <summary>What the path of a request names, below a cluster's base path.</summary>
/// <param name="Group">API group; empty for the legacy one.</param>
/// <param name="IsWatch">The old form <c>/api/v1/watch/...</c>.</param>
public sealed record RequestTarget(
    string Group, string Version, string? Namespace, string Plural, string? Name, string Subresource, bool IsWatch)
{
    /// <summary>Reads /api/v1/... or /apis/group/version/...; null when the path names no resource.</summary>
    public static RequestTarget? Parse(string path)
    {
        var parts = path.Split('/', StringSplitOptions.RemoveEmptyEntries).Select(Uri.UnescapeDataString).ToArray();
        var (group, rest) = parts switch
        {
            ["api", _, ..] => ("", parts[1..]),
            ["apis", var named, _, ..] => (named, parts[2..]),
            _ => ("", []),
        };
        if (rest.Length < 2) return null;
        var (version, steps) = (rest[0], rest[1..]);
        var isWatch = steps[0] == "watch" && steps.Length > 1;
        if (isWatch) steps = steps[1..];
        // A namespace's own subresources look like resources inside it.
        if (steps is ["namespaces", var own, "status" or "finalize"] && group.Length == 0)
            return new RequestTarget(group, version, null, "namespaces", own, steps[2], isWatch);
        return steps switch
        {
            ["namespaces", var ns, var plural, .. var tail] => Make(group, version, ns, plural, tail, isWatch),
            [var plural, .. var tail] => Make(group, version, null, plural, tail, isWatch),
            _ => null,
        };
    }

    private static RequestTarget? Make(
        string group, string version, string? ns, string plural, string[] tail, bool isWatch) => tail switch
    {
        [] => new RequestTarget(group, version, ns, plural, null, "", isWatch),
        [var name] => new RequestTarget(group, version, ns, plural, name, "", isWatch),
        [var name, var subresource] => new RequestTarget(group, version, ns, plural, name, subresource, isWatch),
        _ => null,
    };
}
