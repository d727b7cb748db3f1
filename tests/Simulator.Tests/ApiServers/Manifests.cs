namespace Cloud.Simulator.Tests.ApiServers;

/// <summary>Objects that several stories begin with.</summary>
internal static class Manifests
{
    public const string Deployments = "apis/apps/v1/namespaces/default/deployments";
    public const string ConfigMaps = "api/v1/namespaces/default/configmaps";
    public const string Definitions = "apis/apiextensions.k8s.io/v1/customresourcedefinitions";
    public const string Widgets = "apis/example.com/v1/namespaces/default/widgets";

    public const string Web = """
        {"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web"},
         "spec":{"selector":{"matchLabels":{"app":"web"}},
         "template":{"metadata":{"labels":{"app":"web"}},"spec":{"containers":[{"name":"web","image":"nginx:1.25",
           "ports":[{"containerPort":80}],"env":[{"name":"A","value":"1"},{"name":"B","value":"2"}]}]}}}}
        """;

    public const string Widget = """
        {"apiVersion":"apiextensions.k8s.io/v1","kind":"CustomResourceDefinition",
         "metadata":{"name":"widgets.example.com"},
         "spec":{"group":"example.com","scope":"Namespaced","names":{"plural":"widgets","kind":"Widget",
          "shortNames":["wd"]},
          "versions":[{"name":"v1","served":true,"storage":true,
           "subresources":{"status":{},"scale":{"specReplicasPath":".spec.replicas",
            "statusReplicasPath":".status.replicas"}},
           "additionalPrinterColumns":[{"name":"Size","type":"string","jsonPath":".spec.size"}],
           "schema":{"openAPIV3Schema":{"type":"object","required":["spec"],"properties":{
            "spec":{"type":"object","required":["size"],"properties":{
             "size":{"type":"string","enum":["small","big"]},
             "replicas":{"type":"integer","minimum":0,"maximum":10,"default":1},
             "port":{"x-kubernetes-int-or-string":true},
             "note":{"type":"string","maxLength":5,"pattern":"^[a-z]+$"},
             "extra":{"type":"object","x-kubernetes-preserve-unknown-fields":true},
             "env":{"type":"array","x-kubernetes-list-type":"map","x-kubernetes-list-map-keys":["name"],
              "items":{"type":"object","required":["name"],"properties":{"name":{"type":"string"},
               "value":{"type":"string","default":"x"}}}}}},
            "status":{"type":"object","properties":{"state":{"type":"string"},"replicas":{"type":"integer"}}}}}}}]}}
        """;

    public static string ConfigMap(string name, string data = "{}", string labels = "{}") => $$"""
        {"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"{{name}}","labels":{{labels}}},"data":{{data}}}
        """;

    public static string WidgetOf(string name, string spec) =>
        $$"""{"apiVersion":"example.com/v1","kind":"Widget","metadata":{"name":"{{name}}"},"spec":{{spec}}}""";
}
