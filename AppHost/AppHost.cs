using Cloud.AppHost;

// The architecture: who runs, who refers to whom, who waits for whom. Fixed ports: README.md, "Addresses".
// Of every service: nothing may depend on there being one, and any of them may be stopped at any time.
const int Replicas = 2;

var builder = DistributedApplication.CreateBuilder(args);
var world = World.Of(builder);

// What the services keep and share. Local programs unless settings name other servers; see Stores.cs.
var database = builder.AddDatabase(world);
var redis = builder.AddSharedRedis(world);

// The outside of a laptop: Kubernetes clusters, and the ingress in front of them.
var simulator = builder.AddProject<Projects.Simulator>("simulator")
    .WithOwnPort(world, "kubernetes", 7107)
    .WithOwnPort(world, "ingress", 8080)
    .WithEnvironment("Simulator__ApiUrl", $"http://127.0.0.1:{world.PortText(7107)}")
    .WithEnvironment("Simulator__IngressUrl", $"http://127.0.0.1:{world.PortText(8080)}")
    .WithEnvironment("Simulator__StatePath", world.PathOf("simulator"))
    .WithEnvironment("Simulator__KubeconfigPath", world.KubeconfigPath)
    .WithEnvironment("Simulator__Programs__cloud/operator", World.ProgramOf("Operator"))
    .WithHttpHealthCheck("/health/ready", endpointName: "kubernetes");

// What happened, and what it costs: everybody's events end here.
var metrics = builder.AddProject<Projects.Metrics>("metrics")
    .WithReplicas(Replicas)
    .WithPorts(world, ("grpc", 7104), ("http", 7114))
    // The receivers of a laptop are on the laptop.
    .WithEnvironment("Webhooks__AllowHttp", "true")
    .WithEnvironment("Webhooks__AllowPrivateNetworks", "true")
    .WithDatabase(database, "metrics")
    .WithRedis(redis)
    .WithKeys(world)
    .WithHttpHealthCheck("/health/ready", endpointName: "http");

// All customer data.
var databasePool = builder.AddProject<Projects.DatabasePool>("database-pool")
    .WithReplicas(Replicas)
    .WithPorts(world, ("grpc", 7103), ("http", 7113))
    .WithDatabase(database, "database_pool")
    .WithRedis(redis)
    .WithKeys(world)
    .WithReference(metrics)
    .WithHttpHealthCheck("/health/ready", endpointName: "http");

// Application clusters; only this service holds kubeconfigs.
var cluster = builder.AddProject<Projects.Cluster>("cluster")
    .WithReplicas(Replicas)
    .WithPorts(world, ("grpc", 7102), ("http", 7112))
    .WithDatabase(database, "cluster")
    .WithRedis(redis)
    .WithKeys(world)
    .WithReference(databasePool)
    .WithReference(metrics)
    .WithHttpHealthCheck("/health/ready", endpointName: "http");

// The customer's lifecycle.
var installation = builder.AddProject<Projects.Installation>("installation")
    .WithReplicas(Replicas)
    .WithPorts(world, ("grpc", 7101), ("http", 7111))
    .WithDatabase(database, "installation")
    .WithRedis(redis)
    .WithKeys(world)
    .WithEnvironment("Dns__Domains__0", "localhost")
    .WithEnvironment("Dns__UrlFormat", "http://{host}:" + world.PortText(8080) + "/")
    .WithReference(cluster)
    .WithReference(databasePool)
    .WithReference(metrics)
    .WithHttpHealthCheck("/health/ready", endpointName: "http");

// Furnishes a new world (clusters, a database server, workspace "hello") through the public API, and then ends.
builder.AddProject<Projects.Cli>("seed")
    .WithArgs("seed", "--kubeconfig", world.KubeconfigPath, "--context", "local-a", "--context", "local-b")
    .WithDatabaseServer(database)
    .WithEnvironment("CLOUD_PORT_OFFSET", world.OffsetText)
    .WaitFor(simulator).WaitFor(metrics).WaitFor(databasePool).WaitFor(cluster).WaitFor(installation);

builder.AddWelcome(world);
using var taken = await Preflight.TakeAsync(world, Console.Error);
if (taken is null)
{
    return 1;
}

await using var application = builder.Build();
await application.RunAsync();
return Environment.ExitCode;
