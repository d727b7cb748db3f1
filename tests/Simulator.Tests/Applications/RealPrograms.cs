using System.Text.Json.Nodes;
using Cloud.Simulator.Controllers;
using Cloud.Simulator.Tests.Controllers;
using Cloud.TestHost;
using Xunit;

namespace Cloud.Simulator.Tests.Applications;

public sealed class RealPrograms
{
    private const string Lives = "trap 'exit 0' TERM; while :; do sleep 1 & wait $!; done";

    [Fact]
    public async Task A_pod_of_a_known_image_runs_its_program_until_it_is_deleted()
    {
        using var directory = new TemporaryDirectory();
        await using var cluster = await LiveCluster.StartAsync(runtime: Programs(directory, Lives));
        cluster.Create("pods", Pod([]));
        await cluster.Heard(() => Pods.IsReady(cluster.Get("pods", "program")!));
        Assert.Equal(1, Running(directory));
        cluster.Delete("pods", "program");
        await cluster.Heard(() => cluster.Get("pods", "program") is null);
        Assert.Equal(0, Running(directory));
    }

    [Fact]
    public async Task A_program_has_the_environment_of_its_pod_and_leaves_its_last_words()
    {
        using var directory = new TemporaryDirectory();
        await using var cluster = await LiveCluster.StartAsync(runtime: Programs(directory,
            "echo \"$POD_NAMESPACE/$POD_NAME says $GREETING with $KUBECONFIG\"; exit 7"));
        cluster.Create("pods", Pod(new() { ["GREETING"] = "hello" }));
        await cluster.Heard(() => Status(cluster).Text("state", "waiting", "reason") == "CrashLoopBackOff");
        Assert.Equal(7, Status(cluster).Int("lastState", "terminated", "exitCode"));
        var kubeconfig = Path.Combine(directory.Path, "programs", "test", "kubeconfig");
        Assert.Equal($"story/program says hello with {kubeconfig}",
            Status(cluster).Text("lastState", "terminated", "message"));
        await cluster.Heard(() => Status(cluster).Int("restartCount") >= 3);
    }

    [Fact]
    public async Task A_program_of_a_previous_life_of_the_simulator_is_started_again()
    {
        using var directory = new TemporaryDirectory();
        var programs = Programs(directory, Lives);
        await using var before = await LiveCluster.StartAsync(runtime: programs);
        before.Create("pods", Pod([]));
        await before.Heard(() => Pods.IsReady(before.Get("pods", "program")!));
        await before.Controllers.StopAsync(TestContext.Current.CancellationToken);
        Assert.Equal(0, Running(directory));

        await using var after = new LiveCluster(api: before.Api, runtime: programs);
        await after.Heard(() => Status(after).Int("restartCount") == 1 && Pods.IsReady(after.Get("pods", "program")!));
        Assert.Equal(1, Running(directory));
    }

    /// <summary>How often the program in this directory runs. A child that it has just forked bears its command line
    /// until it becomes what it is to be.</summary>
    private static int Running(TemporaryDirectory directory)
    {
        var found = Directory.EnumerateDirectories("/proc")
            .Where(process => Read(process, "cmdline").Contains($"/bin/sh\0{directory.Path}", StringComparison.Ordinal))
            .ToList();
        return found.Count(process => !found.Contains($"/proc/{ParentOf(process)}"));
    }

    private static string? ParentOf(string process) => Read(process, "status").Split('\n')
        .FirstOrDefault(line => line.StartsWith("PPid:", StringComparison.Ordinal))?["PPid:".Length..].Trim();

    private static string Read(string process, string file)
    {
        try
        {
            return File.ReadAllText(Path.Combine(process, file));
        }
        catch (IOException)
        {
            // Not a process, or over since it was listed.
            return "";
        }
    }

    private static RuntimeSettings Programs(TemporaryDirectory directory, string script)
    {
        var path = Path.Combine(directory.Path, "program.sh");
        File.WriteAllText(path, "#!/bin/sh\n" + script + "\n");
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        return new RuntimeSettings
        {
            StatePath = directory.Path,
            BackOff = TimeSpan.FromMilliseconds(20),
            Programs = new Dictionary<string, string> { ["example/program"] = path },
        };
    }

    private static JsonObject Pod(Dictionary<string, string> environment)
    {
        var pod = Objects.Pod("program", """{"containers":[{"name":"main","image":"example/program:1"}]}""");
        pod.Items("spec", "containers").First()["env"] = JsonFields.ToArray(
            environment.Select(v => new JsonObject { ["name"] = v.Key, ["value"] = v.Value }));
        return pod;
    }

    private static JsonObject? Status(LiveCluster cluster) =>
        cluster.Get("pods", "program").Items("status", "containerStatuses").FirstOrDefault();
}
