global using Cloud.Protos.Api.V1;
global using Cloud.ServiceDefaults.Hosting;
global using Cloud.ServiceDefaults.Storage;
global using Cloud.ServiceDefaults.Supervision;
