using System.CommandLine;
using System.Security.Cryptography;
using Cloud.Operator;
using Cloud.Operator.Reconciling;
using OpenTelemetry.Metrics;

var metricsAddress = new Option<string?>("--metrics-addr") { Description = "Where metrics and health listen." };
var election = new Option<bool>("--enable-leader-election") { Description = "Work only while holding the Lease." };
var command = new RootCommand("Makes Mattermost resources real.") { metricsAddress, election };
command.SetAction((arguments, cancellation) =>
    Run(arguments.GetValue(metricsAddress), arguments.GetValue(election), cancellation));
return await command.Parse(args).InvokeAsync();

static async Task Run(string? metricsAddress, bool election, CancellationToken cancellation)
{
    var builder = WebApplication.CreateSlimBuilder();
    var settings = builder.Configuration;
    // "urls" is how a host that gives this program its port says so (ASPNETCORE_URLS).
    builder.WebHost.UseUrls(
        (metricsAddress ?? settings["METRICS_ADDR"]) is { Length: > 0 } address ? Listening(address)
        : settings["urls"] ?? Listening("0.0.0.0:8383"));
    builder.Logging.AddFilter("Microsoft", LogLevel.Warning).AddSimpleConsole(o => o.SingleLine = true);
    var defaults = new OperatorOptions();
    builder.AddOperator(
        new OperatorOptions
        {
            MaxReconcilingInstallations =
                settings.GetValue("MAX_RECONCILING_INSTALLATIONS", defaults.MaxReconcilingInstallations),
            RequeueOnLimitDelay = OperatorOptions.ReadRequeueOnLimitDelay(settings["REQUEUE_ON_LIMIT_DELAY"])
                ?? defaults.RequeueOnLimitDelay,
            MaxReconcileConcurrency = settings.GetValue("MAX_RECONCILE_CONCURRENCY", defaults.MaxReconcileConcurrency),
            EnableLeaderElection = election,
            Namespace = settings["POD_NAMESPACE"] ?? defaults.Namespace,
            Instance = settings["POD_NAME"] ?? $"{Environment.MachineName}_{RandomNumberGenerator.GetHexString(8)}",
        },
        settings["KUBECONFIG"]);
    builder.Services.AddOpenTelemetry().WithMetrics(m => m.AddMeter(Measures.MeterName).AddPrometheusExporter());
    await using var app = builder.Build();
    app.MapPrometheusScrapingEndpoint("/metrics");
    app.MapOperatorHealth();
    await app.RunAsync(cancellation);
}

// ":8383" means every address, as it does for the manifests of today.
static string Listening(string address) => $"http://{(address.StartsWith(':') ? "0.0.0.0" + address : address)}";
