using Cloud.ClusterInstallations;
using Cloud.Clusters;
using Cloud.Placement;
using Cloud.Protos.DatabasePool.V1;
using Cloud.Providers;
using Cloud.ServiceDefaults.Hosting;

var builder = WebApplication.CreateBuilder(args);
builder.AddServiceDefaults("cluster");

var services = builder.Services;
services.AddSingleton(builder.Configuration.GetSection("Operator").Get<OperatorOptions>() ?? new OperatorOptions());
services.AddGrpcPeer<LogicalDatabaseService.LogicalDatabaseServiceClient>("database-pool");
services.AddSingleton<DatabaseCredentials>();
services.AddSingleton<ClusterConnections>();
services.AddSingleton<WorkspaceObjects>();

services.AddSupervisor<Cluster, ClusterState, ClusterStore, ClusterRules>();
services.AddSingleton<Import>();
services.AddSingleton<Provisioning>();
services.AddSingleton<Cloud.Clusters.Deletion>();
services.AddSingleton<Forgetting>();
services.AddSingleton<Observing>();
services.AddSingleton<ClusterWatches>();
services.AddHostedService(provider => provider.GetRequiredService<ClusterWatches>());
services.AddSingleton<PodTroubles>();
services.AddSingleton<ClusterViews>();
services.AddSingleton<ClusterFeed>();
services.AddSingleton<ClusterWhy>();
services.AddDegradation<ClusterCheck>("clusters");

services.AddSingleton<PlacementStore>();
services.AddSingleton<Candidates>();
services.AddSingleton<Resizing>();

services.AddSupervisor<
    ClusterInstallation, ClusterInstallationState, ClusterInstallationStore, ClusterInstallationRules>(
    options =>
    {
        // A slow or dead cluster holds up its own installations only.
        options.StepsAtOnce = 32;
        options.BulkheadBy = row => row.ClusterId;
        options.StepsAtOncePerKey = 12;
    });
services.AddSingleton<Replacement>();
services.AddSingleton<Creation>();
services.AddSingleton<Update>();
services.AddSingleton<Cloud.ClusterInstallations.Deletion>();
services.AddHostedService<Drift>();
services.AddSingleton<ClusterInstallationFeed>();
services.AddSingleton<ClusterInstallationWhy>();

var app = builder.Build();
app.MapServiceDefaults();
app.MapGrpcService<ClusterService>();
app.MapGrpcService<PlacementService>();
app.MapGrpcService<ClusterInstallationService>();
await app.RunServiceAsync();

/// <summary>The cluster service.</summary>
public partial class Program;
