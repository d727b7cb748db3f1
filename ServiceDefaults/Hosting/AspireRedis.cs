using Aspire.StackExchange.Redis;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using StackExchange.Redis;

namespace Aspire.StackExchange.Redis
{
    /// <summary>What the package of the same name lets a program choose; the subset used here.</summary>
    public sealed class StackExchangeRedisSettings
    {
        /// <summary>Connection string; default from <c>ConnectionStrings:&lt;name&gt;</c>.</summary>
        public string? ConnectionString { get; set; }

        /// <summary>Whether to leave out the package's health check. Ours is registered elsewhere, always.</summary>
        public bool DisableHealthChecks { get; set; }

        /// <summary>Whether to leave out tracing; the stand-in has none.</summary>
        public bool DisableTracing { get; set; }
    }
}

namespace Microsoft.Extensions.Hosting
{
    /// <summary>Stands in for the Aspire.StackExchange.Redis package where it does not restore: same name, same
    /// registrations, so that leaving this file out of the build and referencing the package changes nothing
    /// else.</summary>
    public static class AspireRedisExtensions
    {
        /// <summary>Registers a lazy <see cref="IConnectionMultiplexer"/> for a named connection string.</summary>
        public static void AddRedisClient(
            this IHostApplicationBuilder builder,
            string connectionName,
            Action<StackExchangeRedisSettings>? configureSettings = null,
            Action<ConfigurationOptions>? configureOptions = null)
        {
            var settings = new StackExchangeRedisSettings
            {
                ConnectionString = builder.Configuration.GetConnectionString(connectionName),
            };
            builder.Configuration.GetSection("Aspire:StackExchange:Redis").Bind(settings);
            builder.Configuration.GetSection($"Aspire:StackExchange:Redis:{connectionName}").Bind(settings);
            configureSettings?.Invoke(settings);
            builder.Services.AddSingleton<IConnectionMultiplexer>(provider =>
            {
                var options = ConfigurationOptions.Parse(settings.ConnectionString
                    ?? throw new InvalidOperationException(
                        $"No connection string '{connectionName}': set ConnectionStrings:{connectionName}."));
                options.AbortOnConnectFail = false;
                configureOptions?.Invoke(options);
                return ConnectionMultiplexer.Connect(options);
            });
        }
    }
}
