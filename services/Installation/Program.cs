using Cloud.Dns;
using Cloud.Installations;
using Cloud.Protos.Cluster.V1;
using Cloud.Protos.DatabasePool.V1;
using Cloud.Providers;

var builder = WebApplication.CreateBuilder(args);
builder.AddServiceDefaults("installation");

var dns = builder.Configuration.GetSection("Dns").Get<DnsOptions>() ?? new DnsOptions();
builder.Services.AddSingleton(dns.Checked());
builder.Services.AddSingleton(
    builder.Configuration.GetSection("Deletion").Get<DeletionOptions>() ?? new DeletionOptions());

builder.Services.AddGrpcPeer<ClusterService.ClusterServiceClient>("cluster");
builder.Services.AddGrpcPeer<ClusterInstallationService.ClusterInstallationServiceClient>("cluster");
builder.Services.AddGrpcPeer<PlacementService.PlacementServiceClient>("cluster");
builder.Services.AddGrpcPeer<LogicalDatabaseService.LogicalDatabaseServiceClient>("database-pool");

builder.Services.AddSingleton<Placements>();
builder.Services.AddSingleton<ClusterInstallations>();
builder.Services.AddSingleton<LogicalDatabases>();
builder.Services.AddSingleton<Creation>();
builder.Services.AddSingleton<Update>();
builder.Services.AddSingleton<Hibernation>();
builder.Services.AddSingleton<Deletion>();
builder.Services.AddSupervisor<Installation, InstallationState, InstallationStore, InstallationRules>();

builder.Services.AddSingleton<DnsNames>();
builder.Services.AddSingleton<InstallationChecks>();
builder.Services.AddSingleton<InstallationMessages>();
builder.Services.AddSingleton<InstallationWatch>();
builder.Services.AddSingleton<InstallationWhy>();

var app = builder.Build();
app.MapServiceDefaults();
app.MapGrpcService<InstallationService>();
await app.RunServiceAsync();
