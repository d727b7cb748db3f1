using System.Text;
using System.Text.Json.Nodes;
using Cloud.Simulator.Controllers;

namespace Cloud.Simulator.Applications;

/// <summary>A container's environment, or why it cannot be had: a Secret, ConfigMap or key that is missing.</summary>
internal sealed record ResolvedEnvironment(IReadOnlyDictionary<string, string> Variables, string? Problem);

/// <summary>Resolves a container's <c>env</c> and <c>envFrom</c> as a kubelet does.</summary>
internal sealed class ContainerEnvironment(ClusterObjects objects, JsonObject pod, string? podIp, string? hostIp)
{
    private readonly Dictionary<string, string> _variables = new(StringComparer.Ordinal);

    public ResolvedEnvironment Resolve(JsonObject container)
    {
        foreach (var source in container.Items("envFrom"))
        {
            if (AddAll(source) is { } problem) return new(_variables, problem);
        }
        foreach (var variable in container.Items("env"))
        {
            if (Add(variable, container) is { } problem) return new(_variables, problem);
        }
        return new(_variables, null);
    }

    private string? AddAll(JsonObject source)
    {
        var prefix = source.Text("prefix") ?? "";
        var (kind, reference) = source["secretRef"] is JsonObject secret
            ? (Resources.Secrets, secret)
            : (Resources.ConfigMaps, source["configMapRef"] as JsonObject);
        var name = reference.Text("name") ?? "";
        if (objects[kind].Get(pod.Namespace(), name) is not { } holder)
            return reference.Flag("optional") == true ? null : NotFound(kind, name);
        foreach (var (key, _) in holder.Pairs("data")) _variables[prefix + key] = Value(kind, holder, key)!;
        return null;
    }

    private string? Add(JsonObject variable, JsonObject container)
    {
        var name = variable.Text("name") ?? "";
        if (variable["valueFrom"] is not JsonObject from)
        {
            _variables[name] = Expand(variable.Text("value") ?? "");
            return null;
        }
        if (from.Text("fieldRef", "fieldPath") is { } path) _variables[name] = Field(path);
        else if (from.Text("resourceFieldRef", "resource") is { } resource)
            _variables[name] = container.Text(["resources", .. resource.Split('.', 2)]) ?? "0";
        else if (from["secretKeyRef"] is JsonObject secret) return AddKey(name, Resources.Secrets, secret);
        else if (from["configMapKeyRef"] is JsonObject map) return AddKey(name, Resources.ConfigMaps, map);
        return null;
    }

    private string? AddKey(string variable, string kind, JsonObject reference)
    {
        var name = reference.Text("name") ?? "";
        var key = reference.Text("key") ?? "";
        var optional = reference.Flag("optional") == true;
        if (objects[kind].Get(pod.Namespace(), name) is not { } holder) return optional ? null : NotFound(kind, name);
        if (Value(kind, holder, key) is { } value)
        {
            _variables[variable] = value;
            return null;
        }
        var label = kind == Resources.Secrets ? "Secret" : "ConfigMap";
        return optional ? null : $"couldn't find key {key} in {label} {pod.Namespace()}/{name}";
    }

    private static string NotFound(string kind, string name) =>
        $"{(kind == Resources.Secrets ? "secret" : "configmap")} \"{name}\" not found";

    private static string? Value(string kind, JsonObject holder, string key)
    {
        if (holder.Text("data", key) is not { } value) return null;
        if (kind != Resources.Secrets) return value;
        var bytes = new byte[value.Length];
        return Convert.TryFromBase64String(value, bytes, out var length)
            ? Encoding.UTF8.GetString(bytes, 0, length)
            : value;
    }

    private string Field(string path) => path switch
    {
        "status.podIP" or "status.podIPs" => podIp ?? "",
        "status.hostIP" => hostIp ?? "",
        _ when path.StartsWith("metadata.labels['", StringComparison.Ordinal) =>
            pod.Text("metadata", "labels", Quoted(path)) ?? "",
        _ when path.StartsWith("metadata.annotations['", StringComparison.Ordinal) =>
            pod.Text("metadata", "annotations", Quoted(path)) ?? "",
        _ => pod.Text(path.Split('.')) ?? "",
    };

    private static string Quoted(string path) =>
        path[(path.IndexOf('\'', StringComparison.Ordinal) + 1)..path.LastIndexOf('\'')];

    /// <summary>
    /// <c>$(NAME)</c> is the variable if it is known by now, and stays as it is if not; <c>$$</c> is a dollar.
    /// </summary>
    private string Expand(string value)
    {
        if (!value.Contains('$', StringComparison.Ordinal)) return value;
        var result = new StringBuilder();
        for (var i = 0; i < value.Length; i++)
        {
            var next = value[i] == '$' && i + 1 < value.Length ? value[i + 1] : '\0';
            var end = next == '(' ? value.IndexOf(')', i) : -1;
            if (next == '$')
            {
                result.Append('$');
                i++;
            }
            else if (end > 0 && _variables.TryGetValue(value[(i + 2)..end], out var known))
            {
                result.Append(known);
                i = end;
            }
            else result.Append(value[i]);
        }
        return result.ToString();
    }
}
