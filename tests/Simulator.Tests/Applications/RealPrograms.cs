using System.Text.Json.Nodes;
using Cloud.Simulator.Controllers;
using Cloud.Simulator.Tests.Controllers;
using Cloud.TestHost;
using Xunit;

namespace Cloud.Simulator.Tests.Applications;

public sealed class RealPrograms
{
    private const string Lives = """
        echo "$POD_NAMESPACE/$POD_NAME says $GREETING with $KUBECONFIG"
        echo $$ > "$PID_FILE"
        trap 'exit 0' TERM
        while :; do sleep 1 & wait $!; done
        """;

    [Fact]
    public async Task A_pod_of_a_known_image_runs_its_program_with_the_environment_of_the_pod_and_ends_it()
    {
        using var directory = new TemporaryDirectory();
        await using var cluster = await LiveCluster.StartAsync(runtime: Programs(directory, Lives));
        var pidFile = Path.Combine(directory.Path, "pid");
        cluster.Create("pods", Pod(new() { ["GREETING"] = "hello", ["PID_FILE"] = pidFile }));
        await cluster.Until(() => Pods.IsReady(cluster.Get("pods", "program")!) && File.Exists(pidFile)
            && File.ReadAllText(pidFile).EndsWith('\n'));
        var process = Path.Combine("/proc", (await ReadAsync(pidFile)).Trim());
        Assert.True(Directory.Exists(process));
        var log = await ReadAsync(Path.Combine(directory.Path, "logs", "test", "story_program_main.log"));
        Assert.Contains("story/program says hello with ", log, StringComparison.Ordinal);

        cluster.Delete("pods", "program");
        await cluster.Until(() => cluster.Get("pods", "program") is null);
        Assert.False(Directory.Exists(process));
    }

    [Fact]
    public async Task A_program_that_exits_is_restarted_with_back_off_and_leaves_its_last_words()
    {
        using var directory = new TemporaryDirectory();
        var programs = Programs(directory, "echo cannot go on; exit 7");
        await using var cluster = await LiveCluster.StartAsync(runtime: programs);
        cluster.Create("pods", Pod([]));
        await cluster.Until(() => Status(cluster).Text("state", "waiting", "reason") == "CrashLoopBackOff");
        Assert.Equal(7, Status(cluster).Int("lastState", "terminated", "exitCode"));
        Assert.Equal("cannot go on", Status(cluster).Text("lastState", "terminated", "message"));
        await cluster.Until(() => Status(cluster).Int("restartCount") >= 2);
    }

    [Fact]
    public async Task A_program_of_a_previous_life_of_the_simulator_is_started_again()
    {
        using var directory = new TemporaryDirectory();
        var programs = Programs(directory, Lives);
        await using var before = await LiveCluster.StartAsync(runtime: programs);
        before.Create("pods", Pod(new() { ["PID_FILE"] = Path.Combine(directory.Path, "pid") }));
        await before.Until(() => Pods.IsReady(before.Get("pods", "program")!));
        await before.Controllers.StopAsync(TestContext.Current.CancellationToken);

        await using var after = new LiveCluster(api: before.Api, clock: before.Clock, runtime: programs);
        await after.Until(() => Status(after).Int("restartCount") == 1 && Pods.IsReady(after.Get("pods", "program")!));
    }

    private static Task<string> ReadAsync(string path) =>
        File.ReadAllTextAsync(path, TestContext.Current.CancellationToken);

    private static RuntimeSettings Programs(TemporaryDirectory directory, string script)
    {
        var path = Path.Combine(directory.Path, "program.sh");
        File.WriteAllText(path, "#!/bin/sh\n" + script + "\n");
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        return new RuntimeSettings
        {
            StatePath = directory.Path,
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
