global using Cloud.Protos.Api.V1;
global using Cloud.ServiceDefaults.Hosting;
global using Cloud.ServiceDefaults.Storage;
global using Cloud.ServiceDefaults.Supervision;
global using InstallationOutcome =
    Cloud.ServiceDefaults.Supervision.Outcome<
        Cloud.Installations.Installation, Cloud.Installations.InstallationState>;
