using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;

namespace Cloud.AppHost;

/// <summary>A store, and the program that must be there (or done) before it can be used; null where it is not
/// ours.</summary>
internal sealed record Store(
    Func<string, IResourceBuilder<IResourceWithConnectionString>> ConnectionFor,
    IResourceBuilder<ProjectResource>? Program,
    bool ProgramEnds)
{
    /// <summary>For PostgreSQL: who makes customers' databases on it; what DatabasePool is given.</summary>
    public NpgsqlConnectionStringBuilder Provisioner { get; init; } = new();
}

/// <summary>
/// Where PostgreSQL and Redis come from; the first that applies:
/// <list type="number">
/// <item><c>ConnectionStrings:installation-db</c> (and <c>cluster-db</c>, <c>database-pool-db</c>, <c>metrics-db</c>)
/// are used as they are, each a role with a schema of its own, and <c>provisioner</c>, a role that may create databases
/// and roles; likewise <c>ConnectionStrings:redis</c>.</item>
/// <item><c>ConnectionStrings:postgres</c>, a superuser on a server that runs already: roles and schemas are made
/// there.</item>
/// <item><c>Stores=containers</c>, with Aspire's own packages only: containers.</item>
/// <item>Local programs.</item>
/// </list>
/// </summary>
internal static class Stores
{
    private const string Database = "cloud";
    internal const int PostgresPort = 7105;
    private const int RedisPort = 7106;
    private static readonly string[] Roles = ["installation", "cluster", "database_pool", "metrics"];

    public static Store AddDatabase(this IDistributedApplicationBuilder builder, World world)
    {
        if (Roles.All(role => builder.Configuration.GetConnectionString(ConnectionName(role)) is not null))
        {
            return new Store(
                role => builder.AddConnectionString(ConnectionName(role)), Program: null, ProgramEnds: false)
            {
                Provisioner = new(builder.Configuration.GetConnectionString(World.Provisioner)
                    ?? throw new DistributedApplicationException(
                        $"ConnectionStrings:{World.Provisioner} is missing: who may create databases and roles.")),
            };
        }

        if (builder.Configuration.GetConnectionString("postgres") is { } server)
        {
            var preparation = AddPreparation(builder, world, "postgres").WithEnvironment("Postgres__Server", server);
            return new Store(
                role => builder.AddConnectionString(
                    ConnectionName(role), ReferenceExpression.Create($"{ServiceConnection(server, role, world)}")),
                preparation, ProgramEnds: true)
            {
                Provisioner = new(ServiceConnection(server, World.Provisioner, world)),
            };
        }

        return ContainersWanted(builder) ? builder.AddPostgresContainer(world) : AddLocalPostgres(builder, world);
    }

    public static Store AddSharedRedis(this IDistributedApplicationBuilder builder, World world)
    {
        if (builder.Configuration.GetConnectionString("redis") is not null)
        {
            var given = builder.AddConnectionString("redis");
            return new Store(_ => given, Program: null, ProgramEnds: false);
        }

        if (ContainersWanted(builder))
        {
            return builder.AddRedisContainer();
        }

        var port = world.Port(RedisPort);
        world.FixedPorts[port] = "redis";
        builder.Services.AddHealthChecks().AddCheck("redis-answers", new RedisCheck(port));
        var redis = builder.AddProject<Projects.LocalRedis>("redis")
            .WithEndpoint(
                port: port, targetPort: port, scheme: "tcp", name: "tcp", env: "Redis__Port", isProxied: false)
            .WithHealthCheck("redis-answers");
        var connection = builder.AddConnectionString(
            "redis-connection",
            ReferenceExpression.Create($"127.0.0.1:{world.PortText(RedisPort)},abortConnect=false"));
        return new Store(_ => connection, redis, ProgramEnds: false);
    }

    /// <summary>LocalPostgres as a job that makes roles and schemas on somebody else's server.</summary>
    internal static IResourceBuilder<ProjectResource> AddPreparation(
        IDistributedApplicationBuilder builder, World world, string name) =>
        builder.AddProject<Projects.LocalPostgres>(name).WithRoles(world);

    /// <summary>A role's name as Aspire takes it for resources: letters, digits and hyphens.</summary>
    internal static string ResourceName(string role) => role.Replace('_', '-');

    /// <summary>The name of a role's connection string, as a resource and in the configuration.</summary>
    internal static string ConnectionName(string role) => $"{ResourceName(role)}-db";

    /// <summary>The connection string of one service on a server known by a superuser's.</summary>
    internal static string ServiceConnection(string server, string role, World world) =>
        new NpgsqlConnectionStringBuilder(server)
        {
            Database = Database, Username = role, Password = world.Password(role),
        }.ConnectionString;

    private static Store AddLocalPostgres(IDistributedApplicationBuilder builder, World world)
    {
        var port = world.Port(PostgresPort);
        world.FixedPorts[port] = "postgres";
        var server = $"Host=127.0.0.1;Port={world.PortText(PostgresPort)}";
        // The roles appear in one transaction: one that can log in proves that all are there.
        builder.Services.AddHealthChecks().AddCheck(
            "postgres-prepared", new PostgresCheck(ServiceConnection(server, Roles[0], world)));
        var postgres = builder.AddProject<Projects.LocalPostgres>("postgres")
            .WithEndpoint(
                port: port, targetPort: port, scheme: "tcp", name: "tcp", env: "Postgres__Port", isProxied: false)
            .WithEnvironment("Postgres__Directory", world.PathOf("postgres"))
            .WithEnvironment("Postgres__Password", world.Password("postgres"))
            .WithEnvironment("Postgres__Binaries", world.Configuration["CLOUD_POSTGRES_BINARIES"])
            .WithRoles(world)
            .WithHealthCheck("postgres-prepared");
        return new Store(
            role => builder.AddConnectionString(
                ConnectionName(role), ReferenceExpression.Create($"{ServiceConnection(server, role, world)}")),
            postgres, ProgramEnds: false)
        {
            Provisioner = new(ServiceConnection(server, World.Provisioner, world)),
        };
    }

    private static IResourceBuilder<ProjectResource> WithRoles(
        this IResourceBuilder<ProjectResource> builder, World world)
    {
        foreach (var role in Roles)
        {
            builder.WithEnvironment($"Postgres__Roles__{role}", world.Password(role));
        }

        return builder
            .WithEnvironment("Postgres__Database", Database)
            .WithEnvironment("Postgres__Provisioner", World.Provisioner)
            .WithEnvironment("Postgres__ProvisionerPassword", world.Password(World.Provisioner));
    }

    private static bool ContainersWanted(IDistributedApplicationBuilder builder) =>
        string.Equals(builder.Configuration["Stores"], "containers", StringComparison.OrdinalIgnoreCase);

#if !GENUINE_ASPIRE
    private static Store AddPostgresContainer(this IDistributedApplicationBuilder builder, World world) =>
        throw NoContainers();

    private static Store AddRedisContainer(this IDistributedApplicationBuilder builder) => throw NoContainers();

    private static DistributedApplicationException NoContainers() =>
        new("Stores=containers needs Aspire's own packages, and this build runs on the stand-in. Take the "
            + "setting away to use local programs, or build with AspireMode=genuine where NuGet has Aspire.");
#endif
}
