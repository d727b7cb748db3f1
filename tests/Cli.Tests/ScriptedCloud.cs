using System.Diagnostics;
using System.Globalization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Xunit;

namespace Cloud.Cli.Tests;

/// <summary>What a run of the program ended with.</summary>
public sealed record Run(int ExitCode, string Output, string Error);

/// <summary>The program, run as a person runs it, against workspaces that do what the test says.</summary>
public sealed class ScriptedCloud : IAsyncLifetime
{
    /// <summary>Where the program looks for the service of workspaces when no offset is given.</summary>
    private const int InstallationPort = 7101;

    private WebApplication? _app;

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    /// <summary>What there is.</summary>
    public ScriptedWorkspaces Workspaces { get; } = new();

    private int Port => new Uri(_app!.Urls.First()).Port;

    public async ValueTask InitializeAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        // Without TLS, HTTP/2 is spoken only where nothing else is.
        builder.WebHost.ConfigureKestrel(
            kestrel => kestrel.ListenAnyIP(0, listen => listen.Protocols = HttpProtocols.Http2));
        builder.Logging.ClearProviders();
        builder.Services.AddGrpc();
        builder.Services.AddSingleton(Workspaces);
        _app = builder.Build();
        _app.MapGrpcService<ScriptedWorkspaces>();
        await _app.StartAsync(Ct);
    }

    public async ValueTask DisposeAsync() => await _app!.DisposeAsync();

    /// <summary>Runs the program against these workspaces.</summary>
    public Task<Run> RunAsync(params IEnumerable<string> words) => RunAtAsync(Port, words);

    /// <summary>Runs the program against whatever listens on a port.</summary>
    public static Task<Run> RunAtAsync(int port, params IEnumerable<string> words) => RunInAsync(
        new()
        {
            ["CLOUD_HOST"] = "127.0.0.1",
            ["CLOUD_PORT_OFFSET"] = (port - InstallationPort).ToString(CultureInfo.InvariantCulture),
        },
        words);

    /// <summary>Runs the program in an environment.</summary>
    public static async Task<Run> RunInAsync(Dictionary<string, string> environment, IEnumerable<string> words)
    {
        var program = Path.Combine(AppContext.BaseDirectory, "..", "..", "Cli", "debug", "cloud.dll");
        var start = new ProcessStartInfo("dotnet", ["exec", program, .. words])
        {
            RedirectStandardOutput = true, RedirectStandardError = true,
        };
        foreach (var (name, value) in environment)
        {
            start.Environment[name] = value;
        }

        using var process = Process.Start(start)!;
        var (output, error) = (process.StandardOutput.ReadToEndAsync(Ct), process.StandardError.ReadToEndAsync(Ct));
        await process.WaitForExitAsync(Ct);
        return new Run(process.ExitCode, await output, await error);
    }
}
