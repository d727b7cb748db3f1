using System.Diagnostics;
using Xunit;

namespace Cloud.Simulator.Tests.ApiServers;

/// <summary>What people type daily, typed by the real kubectl.</summary>
public sealed class Kubectl : IAsyncLifetime
{
    private static readonly string? Program = (Environment.GetEnvironmentVariable("PATH")
        ?? "").Split(Path.PathSeparator)
        .Select(d => Path.Combine(d, "kubectl")).FirstOrDefault(File.Exists);

    private RunningCluster _cluster = null!;

    public async ValueTask InitializeAsync()
    {
        Assert.SkipWhen(Program is null, "kubectl is not on the PATH");
        _cluster = await RunningCluster.StartAsync();
    }

    public async ValueTask DisposeAsync()
    {
        if (_cluster is not null) await _cluster.DisposeAsync();
    }

    [Fact]
    public async Task Objects_are_applied_shown_changed_and_deleted()
    {
        Assert.Equal("namespace/shop created", await RunAsync("create namespace shop"));
        Assert.Equal("deployment.apps/web created", await RunAsync("-n shop apply -f -", Manifests.Web));
        Assert.Equal("deployment.apps/web unchanged", await RunAsync("-n shop apply -f -", Manifests.Web));
        Assert.Equal("deployment.apps/web configured",
            await RunAsync("-n shop apply -f -",
                Manifests.Web.Replace("nginx:1.25", "nginx:1.26", StringComparison.Ordinal)));
        var shown = await RunAsync("-n shop get deploy -o wide");
        Assert.Equal(["NAME", "READY", "UP-TO-DATE", "AVAILABLE", "AGE", "CONTAINERS", "IMAGES", "SELECTOR"],
            Words(shown.Split('\n')[0]));
        Assert.Equal(["web", "0/1", "0", "0"], Words(shown.Split('\n')[1])[..4]);
        Assert.Equal("deployment.apps/web patched",
            await RunAsync("-n shop patch deploy web -p {\"spec\":{\"replicas\":3}}"));
        Assert.Equal("deployment.apps/web scaled", await RunAsync("-n shop scale deploy web --replicas=2"));
        Assert.Equal("deployment.apps/web labeled", await RunAsync("-n shop label deploy web tier=front"));
        Assert.Equal("2 front", await RunAsync(
            "-n shop get deploy web -o jsonpath={.spec.replicas}{\"\\x20\"}{.metadata.labels.tier}"));
        Assert.Contains("nginx:1.26", await RunAsync("-n shop describe deploy web"),
            StringComparison.Ordinal);
        Assert.Equal("deployment.apps \"web\" deleted", await RunAsync("-n shop delete deploy web"));
        Assert.Contains("No resources found", await RunAsync("-n shop get deploy"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Server_side_apply_names_conflicts()
    {
        await RunAsync("apply --server-side --field-manager=one -f -", Manifests.Web);
        var refused = await RunAsync("apply --server-side --field-manager=two -f -",
            Manifests.Web.Replace("nginx:1.25", "nginx:1.26", StringComparison.Ordinal), exitCode: 1);
        Assert.Contains("conflict with \"one\": .spec.template.spec.containers[name=\"web\"].image", refused,
            StringComparison.Ordinal);
        Assert.Equal("deployment.apps/web serverside-applied",
            await RunAsync("apply --server-side --field-manager=two --force-conflicts -f -",
            Manifests.Web.Replace("nginx:1.25", "nginx:1.26", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task Custom_resources_are_defined_waited_for_and_explored()
    {
        await RunAsync("apply -f -", Manifests.Widget);
        Assert.Contains("condition met",
            await RunAsync("wait --for=condition=established crd/widgets.example.com --timeout=10s"),
            StringComparison.Ordinal);
        Assert.Equal("widget.example.com/w created",
            await RunAsync("apply -f -", Manifests.WidgetOf("w", """{"size":"small"}""")));
        Assert.Equal(["w", "small"], Words((await RunAsync("get wd")).Split('\n')[1]));
        Assert.Contains("strict decoding error: unknown field \"spec.sise\"",
            await RunAsync("apply -f -", Manifests.WidgetOf("v", """{"size":"small","sise":"x"}"""), exitCode: 1),
                StringComparison.Ordinal);
        Assert.Equal("widget.example.com \"w\" deleted", await RunAsync("delete wd w --wait"));
    }

    [Fact]
    public async Task Objects_are_made_from_the_command_line()
    {
        foreach (var what in new[]
        {
            "create configmap c --from-literal=a=b", "create secret generic s --from-literal=a=b",
                "create serviceaccount x",
            "create deployment d --image=nginx --replicas=2 --port=80", "create job j --image=busybox -- true",
            "create role r --verb=get --resource=pods", "create rolebinding rb --role=r --serviceaccount=default:x",
            "create ingress i --rule=a.example.com/*=svc:80",
                "create cronjob cj --image=busybox --schedule=@daily -- true",
            "run p --image=nginx", "expose deployment d --port=80",
        })
        {
            Assert.Matches("(created|exposed)$", await RunAsync(what));
        }
        Assert.Equal("b", await RunAsync("get configmap c -o jsonpath={.data.a}"));
        Assert.Equal("Yg==", await RunAsync("get secret s -o jsonpath={.data.a}"));
        Assert.Equal("2", await RunAsync("get deploy d -o jsonpath={.spec.replicas}"));
        Assert.Equal("yes", await RunAsync("auth can-i delete pods"));
    }

    private static string[] Words(string line) => line.Split(' ', StringSplitOptions.RemoveEmptyEntries);

    private async Task<string> RunAsync(string arguments, string? input = null, int exitCode = 0)
    {
        var start = new ProcessStartInfo(Program!)
        {
            RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true,
        };
        foreach (var argument in arguments.Split(' ')) start.ArgumentList.Add(argument);
        start.Environment["KUBECONFIG"] = _cluster.Kubeconfig;
        start.Environment["HOME"] = _cluster.Directory;
        using var process = Process.Start(start)!;
        await process.StandardInput.WriteAsync(input);
        process.StandardInput.Close();
        var ct = TestContext.Current.CancellationToken;
        var (output, error) = (process.StandardOutput.ReadToEndAsync(ct), process.StandardError.ReadToEndAsync(ct));
        await process.WaitForExitAsync(ct);
        var said = (await output + await error).Trim();
        Assert.True(exitCode == process.ExitCode, $"kubectl {arguments} exited with {process.ExitCode}: {said}");
        return said;
    }
}
