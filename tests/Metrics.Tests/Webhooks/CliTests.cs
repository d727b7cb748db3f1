using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Cloud.ServiceDefaults.Storage;
using Cloud.TestHost;
using Xunit;

namespace Cloud.Metrics.Tests.Webhooks;

/// <summary>What a person asks of any resource by its name, the program answers for webhooks too.</summary>
public sealed class CliTests(WebhookWorld world) : IClassFixture<WebhookWorld>
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_webhook_that_was_given_up_says_why_and_a_retry_delivers_what_it_missed()
    {
        await using var receiver = await Receiver.OpenAsync(Ct);
        receiver.AnswerWith(410);
        var webhook = await world.CreateAsync(receiver, Ct);
        await world.HappenAsync(Ct, "installations/missed");
        await world.UntilAsync(webhook.Name, w => w.State == "disabled", Ct);
        receiver.AnswerWith(200);

        var why = await RunAsync("why", webhook.Name);
        var retried = await RunAsync("retry", webhook.Name);

        Assert.Contains("410", why, StringComparison.Ordinal);
        Assert.Contains("\"state\": \"enabled\"", retried, StringComparison.Ordinal);
        await world.RestingAsync(webhook.Name, d => d is [{ Status: "succeeded" }], Ct);
        await world.DeleteAsync(webhook);
    }

    [Fact]
    public async Task A_webhook_that_does_not_exist_is_said_to()
    {
        var (exitCode, _, error) = await CloudAsync("why", $"webhooks/{ResourceId.New()}");

        Assert.Equal(3, exitCode);
        Assert.Contains("webhooks/", error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_service_that_takes_a_call_and_never_answers_is_said_to()
    {
        using var silent = new TcpListener(IPAddress.Loopback, 0);
        silent.Start();

        var (exitCode, _, error) = await CloudAsync(
            ((IPEndPoint)silent.LocalEndpoint).Port, "why", $"webhooks/{ResourceId.New()}");

        Assert.Equal(5, exitCode);
        Assert.Contains("did not answer within 15 s", error, StringComparison.Ordinal);
    }

    private async Task<string> RunAsync(params string[] words)
    {
        var (exitCode, output, error) = await CloudAsync(words);
        Assert.True(exitCode == 0, error);
        return output;
    }

    /// <summary>Runs the program against the service.</summary>
    private Task<(int ExitCode, string Output, string Error)> CloudAsync(params string[] words) =>
        CloudAsync(new Uri(world.Service.AsPeer("metrics")["services:metrics:grpc:0"]!).Port, words);

    private static async Task<(int ExitCode, string Output, string Error)> CloudAsync(int port, params string[] words)
    {
        var program = Path.Combine(AppContext.BaseDirectory, "..", "..", "Cli", "debug", "cloud.dll");
        using var process = Process.Start(new ProcessStartInfo("dotnet", ["exec", program, .. words])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            Environment =
            {
                ["CLOUD_HOST"] = "127.0.0.1",
                ["CLOUD_PORT_OFFSET"] = (port - LocalWorld.MetricsPort).ToString(CultureInfo.InvariantCulture),
            },
        })!;
        var (output, error) = (process.StandardOutput.ReadToEndAsync(Ct), process.StandardError.ReadToEndAsync(Ct));
        await process.WaitForExitAsync(Ct);
        return (process.ExitCode, await output, await error);
    }
}
