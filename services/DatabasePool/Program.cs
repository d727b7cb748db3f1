using Cloud.DatabaseServers;
using Cloud.LogicalDatabases;
using Cloud.Providers;
using Cloud.ServiceDefaults.Hosting;
using Cloud.ServiceDefaults.Supervision;

var builder = WebApplication.CreateBuilder(args);
builder.AddServiceDefaults("database-pool");

var services = builder.Services;
services.AddSingleton<PostgresServers>();
services.AddSingleton<AdminPasswords>();
services.AddSingleton<RoomStore>();

services.AddSupervisor<DatabaseServer, DatabaseServerState, DatabaseServerStore, DatabaseServerRules>();
services.AddSingleton<Registration>();
services.AddSingleton<Cloud.DatabaseServers.Deletion>();
services.AddSingleton<Forgetting>();
services.AddSingleton<DatabaseServerWatch>();
services.AddDegradation<DatabaseServerCheck>("database servers");

services.AddSupervisor<LogicalDatabase, LogicalDatabaseState, LogicalDatabaseStore, LogicalDatabaseRules>(options =>
{
    // One slow or dead server holds up its own databases only.
    options.BulkheadBy = row => row.DatabaseServerId;
    options.StepsAtOncePerKey = PostgresServers.DatabaseWorkPerServer;
});
services.AddSingleton<OnServer>();
services.AddSingleton<Rechoice>();
services.AddSingleton<Creation>();
services.AddSingleton<Cloud.LogicalDatabases.Deletion>();
services.AddSingleton<Credentials>();
services.AddSingleton<LogicalDatabaseWatch>();

var app = builder.Build();
app.MapServiceDefaults();
app.MapGrpcService<DatabaseServerService>();
app.MapGrpcService<LogicalDatabaseService>();
await app.RunServiceAsync();
