global using Cloud.ServiceDefaults.Hosting;
global using Cloud.ServiceDefaults.Storage;
global using Cloud.ServiceDefaults.Supervision;
