using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using OpenTelemetry;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;

namespace Cloud.ServiceDefaults.Hosting;

/// <summary>Traces, metrics and logs. Metrics always stand on <c>/metrics</c>; everything also goes to
/// <c>OTEL_EXPORTER_OTLP_ENDPOINT</c> when that is set, and nothing is traced when it is not.</summary>
internal static class Telemetry
{
    /// <summary>The meter of <c>cloud.provider.call.duration</c>, in whatever part talks to the outside.</summary>
    private const string ProvidersMeter = "Cloud.Providers";

    private const string OtlpEndpoint = "OTEL_EXPORTER_OTLP_ENDPOINT";

    public static void AddTelemetry(this WebApplicationBuilder builder, string name)
    {
        // Health is asked for every few seconds and answered with its reasons; what changes is logged where it changes.
        builder.Logging.AddFilter("Microsoft.Extensions.Diagnostics.HealthChecks", LogLevel.None);
        var export = !string.IsNullOrWhiteSpace(builder.Configuration[OtlpEndpoint]);
        var telemetry = builder.Services.AddOpenTelemetry()
            .ConfigureResource(resource => resource.AddService(name, "cloud"))
            .WithMetrics(metrics => metrics
                .AddAspNetCoreInstrumentation()
                .AddHttpClientInstrumentation()
                .AddRuntimeInstrumentation()
                .AddMeter(SupervisionMeter.Name)
                .AddMeter(StorageMeter.Name)
                .AddMeter(HealthGauge.MeterName)
                .AddMeter(ProvidersMeter)
                .AddPrometheusExporter());
        if (!export)
        {
            return;
        }

        telemetry.WithTracing(tracing => tracing
            .AddSource(SupervisionMeter.Name)
            .AddAspNetCoreInstrumentation(options =>
                options.Filter = context => !context.Request.Path.StartsWithSegments("/health")
                    && !context.Request.Path.StartsWithSegments("/metrics"))
            .AddGrpcClientInstrumentation()
            .AddHttpClientInstrumentation());
        builder.Logging.AddOpenTelemetry(logging =>
        {
            logging.IncludeFormattedMessage = true;
            logging.IncludeScopes = true;
        });
        telemetry.UseOtlpExporter();
    }
}
