namespace Cloud.AppHost;

/// <summary>PostgreSQL and Redis as containers; compiled only with Aspire's own packages.</summary>
internal static class Containers
{
    public static Store AddPostgresContainer(this IDistributedApplicationBuilder builder, World world)
    {
        var password = builder.AddParameter("postgres-password", world.Password("postgres"), secret: true);
        var server = builder.AddPostgres("postgres", password: password, port: world.Port(Stores.PostgresPort))
            .WithDataVolume();
        var preparation = Stores.AddPreparation(builder, world, "postgres-roles")
            .WithEnvironment("Postgres__Server", server.Resource.ConnectionStringExpression)
            .WaitFor(server);
        var host = server.GetEndpoint("tcp").Property(EndpointProperty.Host);
        var port = server.GetEndpoint("tcp").Property(EndpointProperty.Port);
        return new Store(
            role =>
            {
                var rolePassword = builder.AddParameter(
                    $"{Stores.ResourceName(role)}-password", world.Password(role), secret: true);
                return builder.AddConnectionString(
                    Stores.ConnectionName(role),
                    ReferenceExpression.Create(
                        $"Host={host};Port={port};Database=cloud;Username={role};Password={rolePassword}"));
            },
            preparation, ProgramEnds: true)
        {
            Provisioner = new()
            {
                Host = "127.0.0.1", Port = world.Port(Stores.PostgresPort), Username = World.Provisioner,
                Password = world.Password(World.Provisioner),
            },
        };
    }

    public static Store AddRedisContainer(this IDistributedApplicationBuilder builder)
    {
        var redis = builder.AddRedis("redis");
        return new Store(_ => redis, Program: null, ProgramEnds: false);
    }
}
