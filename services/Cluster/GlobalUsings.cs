global using Cloud.Protos.Api.V1;
global using Cloud.ServiceDefaults.Storage;
global using Cloud.ServiceDefaults.Supervision;
global using ClusterInstallationOutcome =
    Cloud.ServiceDefaults.Supervision.Outcome<
        Cloud.ClusterInstallations.ClusterInstallation, Cloud.ClusterInstallations.ClusterInstallationState>;
global using ClusterOutcome =
    Cloud.ServiceDefaults.Supervision.Outcome<Cloud.Clusters.Cluster, Cloud.Clusters.ClusterState>;
