namespace Cloud.AppHost;

/// <summary>PostgreSQL and Redis as containers; compiled only with Aspire's own packages.</summary>
internal static class Containers
{
    public static Store AddPostgresContainer(this IDistributedApplicationBuilder builder, World world)
    {
        var password = builder.AddParameter("postgres-password", world.Password("postgres"), secret: true);
        var server = builder.AddPostgres("postgres", password: password).WithDataVolume();
        var preparation = Stores.AddPreparation(builder, world, "postgres-roles")
            .WithEnvironment("Postgres__Server", server.Resource.ConnectionStringExpression)
            .WaitFor(server);
        var endpoint = server.GetEndpoint("tcp");
        return new Store(
            role =>
            {
                var rolePassword = builder.AddParameter($"{role}-password", world.Password(role), secret: true);
                return builder.AddConnectionString(
                    $"{role}-db",
                    ReferenceExpression.Create(
                        $"Host={endpoint.Property(EndpointProperty.Host)};Port={endpoint.Property(EndpointProperty.Port)};Database=cloud;Username={role};Password={rolePassword}"));
            },
            preparation, ProgramEnds: true);
    }

    public static Store AddRedisContainer(this IDistributedApplicationBuilder builder)
    {
        var redis = builder.AddRedis("redis");
        return new Store(_ => redis, Program: null, ProgramEnds: false);
    }
}
