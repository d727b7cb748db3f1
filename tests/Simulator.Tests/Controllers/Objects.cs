using System.Text.Json.Nodes;

namespace Cloud.Simulator.Tests.Controllers;

/// <summary>Objects as the stories' users would write them.</summary>
internal static class Objects
{
    public static JsonObject Deployment(string name, int replicas, string image = "nginx:1", string cpu = "10m",
        int maxSurge = 1, int maxUnavailable = 0) => LiveCluster.Parse($$$"""
        {"apiVersion":"apps/v1","kind":"Deployment",
         "metadata":{"name":"{{{name}}}","namespace":"story","labels":{"app":"{{{name}}}"} },
         "spec":{"replicas":{{{replicas}}},"selector":{"matchLabels":{"app":"{{{name}}}"} },
           "strategy":{"type":"RollingUpdate",
             "rollingUpdate":{"maxSurge":{{{maxSurge}}},"maxUnavailable":{{{maxUnavailable}}} } },
           "template":{"metadata":{"labels":{"app":"{{{name}}}"} },"spec":{"containers":[
             {"name":"main","image":"{{{image}}}",
              "resources":{"requests":{"cpu":"{{{cpu}}}","memory":"16Mi"} } }]} } } }
        """);

    public static JsonObject Pod(string name, string spec = """{"containers":[{"name":"main","image":"nginx:1"}]}""") =>
        LiveCluster.Parse($$"""
        {"apiVersion":"v1","kind":"Pod","metadata":{"name":"{{name}}","namespace":"story","labels":{"app":"{{name}}"} },
         "spec":{{spec}} }
        """);

    public static JsonObject Job(string name, string command, int backoffLimit) => LiveCluster.Parse($$$"""
        {"apiVersion":"batch/v1","kind":"Job","metadata":{"name":"{{{name}}}","namespace":"story"},
         "spec":{"completions":1,"parallelism":1,"backoffLimit":{{{backoffLimit}}},
           "template":{"spec":{"restartPolicy":"Never","containers":[
             {"name":"main","image":"busybox:1","command":["{{{command}}}"]}]} } } }
        """);

    public static JsonObject Secret(string name, string key, string value) => LiveCluster.Parse($$"""
        {"apiVersion":"v1","kind":"Secret","metadata":{"name":"{{name}}","namespace":"story"},
         "data":{"{{key}}":"{{Convert.ToBase64String(System.Text.Encoding.UTF8.GetBytes(value))}}"} }
        """);

    public static JsonObject Service(string name) => LiveCluster.Parse($$$"""
        {"apiVersion":"v1","kind":"Service","metadata":{"name":"{{{name}}}","namespace":"story"},
         "spec":{"clusterIP":"None","selector":{"app":"{{{name}}}"},
           "ports":[{"name":"app","port":8065,"targetPort":8065}]} }
        """);

    public static JsonObject Ingress(string name, string host) => LiveCluster.Parse($$$"""
        {"apiVersion":"networking.k8s.io/v1","kind":"Ingress",
         "metadata":{"name":"{{{name}}}","namespace":"story","annotations":{} },
         "spec":{"rules":[{"host":"{{{host}}}","http":{"paths":[{"path":"/","pathType":"ImplementationSpecific",
           "backend":{"service":{"name":"{{{name}}}","port":{"number":8065} } } }]} }]} }
        """);
}
