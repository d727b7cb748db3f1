using System.Globalization;

namespace Cloud.AppHost;

/// <summary>What every service gets in the same way.</summary>
internal static class Wiring
{
    /// <summary>Gives the endpoints of a program the fixed ports of this world.</summary>
    public static IResourceBuilder<ProjectResource> WithPorts(
        this IResourceBuilder<ProjectResource> builder, World world, params (string Endpoint, int Port)[] endpoints)
    {
        foreach (var (endpoint, port) in endpoints)
        {
            world.FixedPorts[world.Port(port)] = builder.Resource.Name;
            builder.WithEndpoint(endpoint, annotation => annotation.Port = world.Port(port));
        }

        return builder;
    }

    /// <summary>A fixed port that the program is told by other settings than Kestrel's, and listens on
    /// itself.</summary>
    public static IResourceBuilder<ProjectResource> WithOwnPort(
        this IResourceBuilder<ProjectResource> builder, World world, string name, int port)
    {
        world.FixedPorts[world.Port(port)] = builder.Resource.Name;
        return builder.WithEndpoint(
            port: world.Port(port), targetPort: world.Port(port), scheme: "http", name: name, isProxied: false);
    }

    /// <summary>The service's own role and schema, as connection string <c>cloud-db</c>.</summary>
    public static IResourceBuilder<ProjectResource> WithDatabase(
        this IResourceBuilder<ProjectResource> builder, Store database, string role) =>
        builder.WithStore(database, role, "cloud-db");

    /// <summary>The shared Redis, as connection string <c>redis</c>.</summary>
    public static IResourceBuilder<ProjectResource> WithRedis(
        this IResourceBuilder<ProjectResource> builder, Store redis) =>
        builder.WithStore(redis, "redis", "redis");

    /// <summary>Where the service keeps the keys that encrypt the secrets in its tables.</summary>
    public static IResourceBuilder<ProjectResource> WithKeys(
        this IResourceBuilder<ProjectResource> builder, World world) =>
        builder.WithEnvironment("DataProtection__KeysPath", Path.Combine(world.PathOf("keys"), builder.Resource.Name));

    /// <summary>The server on which customers' databases are made, as arguments of <c>seed</c>.</summary>
    public static IResourceBuilder<ProjectResource> WithDatabaseServer(
        this IResourceBuilder<ProjectResource> builder, Store database)
    {
        var provisioner = database.Provisioner;
        return builder
            .WithArgs("--database-host", provisioner.Host ?? "127.0.0.1")
            .WithArgs("--database-port", provisioner.Port.ToString(CultureInfo.InvariantCulture))
            .WithArgs("--database-user", provisioner.Username ?? World.Provisioner)
            .WithEnvironment("CLOUD_DATABASE_PASSWORD", provisioner.Password);
    }

    private static IResourceBuilder<ProjectResource> WithStore(
        this IResourceBuilder<ProjectResource> builder, Store store, string role, string connectionName)
    {
        builder.WithReference(store.ConnectionFor(role), connectionName);
        return store.Program is not { } program ? builder
            : store.ProgramEnds ? builder.WaitForCompletion(program)
            : builder.WaitFor(program);
    }
}
