using System.Globalization;
using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using Cloud.Simulator.Applications;
using Cloud.Simulator.Controllers;

namespace Cloud.Simulator.Ingress;

/// <summary>
/// What a request to a workspace is answered: a page for people, or the same as JSON. Everything is escaped.
/// </summary>
internal sealed record WorkspacePage(int Status, string Host, string Title, string Message, DateTimeOffset Now)
{
    private const string Style = """
        body{font:16px/1.5 system-ui,sans-serif;max-width:40rem;margin:4rem auto;padding:0 1rem}
        body{color:#1b1d22;background:#fff}
        h1{font-size:1.6rem;margin:0}p{color:#5d6470}table{border-collapse:collapse;width:100%;margin-top:1.5rem}
        td{padding:.4rem 0;border-top:1px solid #e3e6ea}td:first-child{color:#5d6470;width:10rem}
        @media(prefers-color-scheme:dark){body{color:#e6e8eb;background:#16181d}td{border-color:#2b2f37}}
        """;

    public Route? Route { get; init; }

    public DataSource? Source { get; init; }

    public DatabaseCheck? Check { get; init; }

    public string Html()
    {
        var page = new StringBuilder("<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">")
            .Append("<meta name=\"viewport\" content=\"width=device-width\">")
            .Append(CultureInfo.InvariantCulture, $"<title>{Escape(Host)}</title><style>{Style}</style></head><body>")
            .Append(CultureInfo.InvariantCulture, $"<h1>{Escape(Host)}</h1><p>{Escape(Title)}");
        if (Message.Length > 0) page.Append(CultureInfo.InvariantCulture, $"<br>{Escape(Message)}");
        page.Append("</p><table>");
        foreach (var (name, value) in Rows())
            page.Append(CultureInfo.InvariantCulture, $"<tr><td>{Escape(name)}</td><td>{Escape(value)}</td></tr>");
        return page.Append("</table></body></html>\n").ToString();
    }

    /// <summary>The same for programs; a ping has the shape of the real server's.</summary>
    public string Json(bool isPing)
    {
        var isWell = Status == 200;
        var result = new JsonObject
        {
            ["status"] = isWell ? "OK" : "UNHEALTHY",
            ["database_status"] = Check is null ? "UNKNOWN" : Check.Problem is null ? "OK" : "UNHEALTHY",
            ["filestore_status"] = "OK",
        };
        if (!isWell) result["message"] = Message.Length > 0 ? Message : Title;
        if (isPing && isWell) return result.ToJsonString();
        result["host"] = Host;
        if (Route is { } route)
        {
            result["cluster"] = route.Cluster;
            result["namespace"] = route.Namespace;
            result["version"] = route.Version;
            result["size"] = route.Size;
            result["image"] = route.Image;
            result["pod"] = route.Pod;
            result["replicas_ready"] = route.ReadyReplicas;
            result["replicas_wanted"] = route.WantedReplicas;
        }
        if (Source is { } source)
        {
            result["database"] = source.Database;
            result["database_user"] = source.User;
            result["database_ms"] = Math.Round(Check!.Took.TotalMilliseconds, 1);
            result["schema_version"] = Check.SchemaVersion;
        }
        result["time"] = JsonFields.Stamp(Now);
        return result.ToJsonString();
    }

    private IEnumerable<(string Name, string Value)> Rows()
    {
        if (Route is { } route)
        {
            if (route.Version is { } version) yield return ("Version", version);
            if (route.Size is { } size) yield return ("Size", size);
            yield return ("Replicas", $"{route.ReadyReplicas} ready of {route.WantedReplicas} wanted");
            if (Source is { } source) yield return ("Database", $"{source.Database} as {source.User}");
            if (Check is { } check)
            {
                var took = check.Took.TotalMilliseconds.ToString("0.0", CultureInfo.InvariantCulture);
                yield return ("Database check", $"{check.Problem ?? "OK"} in {took} ms");
                if (check.SchemaVersion is { } schema) yield return ("Schema version", schema);
            }
            yield return ("Cluster", route.Cluster);
            yield return ("Namespace", route.Namespace);
            if (route.Pod is { } pod) yield return ("Pod", pod);
        }
        yield return ("Time", JsonFields.Stamp(Now));
    }

    private static string Escape(string text) => WebUtility.HtmlEncode(text);
}
