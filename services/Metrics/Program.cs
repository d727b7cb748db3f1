using Cloud.Events;
using Cloud.Fleet;
using Cloud.ServiceDefaults.Hosting;
using Cloud.ServiceDefaults.Storage;
using Cloud.ServiceDefaults.Supervision;
using Cloud.Webhooks;
using OpenTelemetry.Metrics;

var builder = WebApplication.CreateBuilder(args);
builder.AddServiceDefaults("metrics");

var services = builder.Services;
services.AddSingleton(builder.Configuration.GetSection("Events").Get<EventRetentionOptions>() ?? new());
services.AddSingleton(builder.Configuration.GetSection("Events").Get<EventSourceOptions>() ?? new());
services.AddSingleton<EventStore>();
services.AddSingleton<FeedMeter>();
services.AddSingleton<EventIngestionStore>();
services.AddSingleton<IEventSink, OwnEvents>();
services.AddSingleton<FeedSignal>();
services.AddHostedService(provider => provider.GetRequiredService<FeedSignal>());
services.AddHostedService<EventRetention>();

services.AddSingleton<FleetStore>();
services.AddHostedService<FleetGauges>();
services.ConfigureOpenTelemetryMeterProvider(
    metrics => metrics.AddMeter(FleetGauges.MeterName).AddMeter(FeedMeter.Name));

services.AddSingleton(builder.Configuration.GetSection("Webhooks").Get<WebhookOptions>() ?? new());
services.AddSupervisor<Webhook, WebhookState, WebhookStore, WebhookRules>(options =>
    options.StepsAtOnce = WebhookService.WebhooksMax);
services.AddSingleton<Delivery>();
services.AddSingleton<DeliveryStore>();
services.AddSingleton<Intake>();
services.AddSingleton<PublicNetwork>();
services.AddSingleton<QueueStore>();
services.AddSingleton<Redelivery>();
services.AddSingleton<WebhookChecks>();
services.AddSingleton<WebhookMeter>();
services.AddSingleton<WebhookSecrets>();
services.AddSingleton<WebhookSender>();
services.AddSingleton<WebhookWatch>();
services.AddHostedService<DeliveryUpkeep>();

// The one HTTP client here posts to webhooks: their hosts must not become labels, neither of the requests nor of the
// lookups of their names.
services.ConfigureOpenTelemetryMeterProvider(metrics => metrics
    .AddMeter(WebhookMeter.Name)
    .AddView("http.client.*", new MetricStreamConfiguration
    {
        TagKeys = ["http.request.method", "http.response.status_code", "error.type"],
    })
    .AddView("dns.*", new MetricStreamConfiguration { TagKeys = ["error.type"] }));

var app = builder.Build();
app.MapServiceDefaults();
app.MapGrpcService<EventService>();
app.MapGrpcService<EventIngestionService>();
app.MapGrpcService<FleetService>();
app.MapGrpcService<WebhookService>();
await app.RunServiceAsync();
