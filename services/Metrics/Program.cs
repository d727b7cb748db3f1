using Cloud.Events;
using Cloud.Fleet;
using Cloud.ServiceDefaults.Hosting;
using Cloud.ServiceDefaults.Storage;
using OpenTelemetry.Metrics;

var builder = WebApplication.CreateBuilder(args);
builder.AddServiceDefaults("metrics");

var services = builder.Services;
services.AddSingleton(builder.Configuration.GetSection("Events").Get<EventRetentionOptions>() ?? new());
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

var app = builder.Build();
app.MapServiceDefaults();
app.MapGrpcService<EventService>();
app.MapGrpcService<EventIngestionService>();
app.MapGrpcService<FleetService>();
await app.RunAsync();
