using Cloud.LocalRedis;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

// Runs a Redis-protocol server on Redis:Port until told to stop; with Redis:MetricsSeconds it counts what it does, with
// Redis:Directory its data survives it there.
var builder = Host.CreateApplicationBuilder(args);
builder.Logging.AddFilter("Microsoft.Hosting", LogLevel.Warning);
using var host = builder.Build();
await host.StartAsync();
var configuration = (IConfiguration)host.Services.GetService(typeof(IConfiguration))!;
var log = ((ILoggerFactory)host.Services.GetService(typeof(ILoggerFactory))!).CreateLogger("LocalRedis");
if (configuration.GetValue<int?>("Redis:Port") is not { } port)
{
    log.LogError("The setting Redis:Port (environment: Redis__Port) is missing");
    return 1;
}

log.LogInformation("Starting Garnet on 127.0.0.1:{Port}", port);
using var server = new RedisServer(
    port, configuration.GetValue<int>("Redis:MetricsSeconds"), configuration["Redis:Directory"]);
await host.WaitForShutdownAsync();
return 0;
