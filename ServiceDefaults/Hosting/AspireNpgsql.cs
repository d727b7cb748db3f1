using Aspire.Npgsql;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Npgsql;

namespace Aspire.Npgsql
{
    /// <summary>What the package of the same name lets a program choose; the subset used here.</summary>
    public sealed class NpgsqlSettings
    {
        /// <summary>Connection string; default from <c>ConnectionStrings:&lt;name&gt;</c>.</summary>
        public string? ConnectionString { get; set; }

        /// <summary>Whether to leave out the package's health check. Ours is registered elsewhere, always.</summary>
        public bool DisableHealthChecks { get; set; }

        /// <summary>Whether to leave out tracing.</summary>
        public bool DisableTracing { get; set; }

        /// <summary>Whether to leave out metrics.</summary>
        public bool DisableMetrics { get; set; }
    }
}

namespace Microsoft.Extensions.Hosting
{
    /// <summary>Stands in for the Aspire.Npgsql package where it does not restore: same name, same registrations, so
    /// that leaving this file out of the build and referencing the package changes nothing else.</summary>
    public static class AspirePostgreSqlNpgsqlExtensions
    {
        /// <summary>Registers <see cref="NpgsqlDataSource"/> for a named connection string.</summary>
        /// <exception cref="InvalidOperationException">At first use, when there is no such connection
        /// string.</exception>
        public static void AddNpgsqlDataSource(
            this IHostApplicationBuilder builder,
            string connectionName,
            Action<NpgsqlSettings>? configureSettings = null,
            Action<NpgsqlDataSourceBuilder>? configureDataSourceBuilder = null)
        {
            var settings = new NpgsqlSettings
            {
                ConnectionString = builder.Configuration.GetConnectionString(connectionName),
            };
            builder.Configuration.GetSection("Aspire:Npgsql").Bind(settings);
            builder.Configuration.GetSection($"Aspire:Npgsql:{connectionName}").Bind(settings);
            configureSettings?.Invoke(settings);
            builder.Services.AddNpgsqlDataSource(
                settings.ConnectionString ?? "",
                sourceBuilder =>
                {
                    if (string.IsNullOrEmpty(settings.ConnectionString))
                    {
                        throw new InvalidOperationException(
                            $"No connection string '{connectionName}': set ConnectionStrings:{connectionName}.");
                    }

                    configureDataSourceBuilder?.Invoke(sourceBuilder);
                });
            if (!settings.DisableTracing)
            {
                builder.Services.AddOpenTelemetry().WithTracing(tracing => tracing.AddNpgsql());
            }

            if (!settings.DisableMetrics)
            {
                builder.Services.AddOpenTelemetry().WithMetrics(metrics => metrics.AddMeter("Npgsql"));
            }
        }
    }
}
