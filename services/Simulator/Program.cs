using Cloud.Simulator.ApiServers;
using Cloud.Simulator.Controllers;

var builder = WebApplication.CreateBuilder(args);

var section = builder.Configuration.GetSection("Simulator");
var settings = (section.Get<ApiServerSettings>() ?? new ApiServerSettings()).Checked();
builder.WebHost.UseUrls(settings.ApiUrl.ToString());
builder.WebHost.ConfigureKestrel(kestrel =>
{
    kestrel.AddServerHeader = false;
    // A watch may say nothing for an hour.
    kestrel.Limits.MinResponseDataRate = null;
});

builder.Services.AddSingleton(TimeProvider.System);
builder.Services.AddApiServers(settings);
builder.Services.AddClusterControllers(section.Get<RuntimeSettings>() ?? new RuntimeSettings());

var app = builder.Build();
app.MapApiServers();
app.MapRuntimeControls();
await app.RunAsync();
