namespace Cloud.AppHost;

/// <summary>
/// The addresses of Aspire's dashboard. Aspire takes them from the environment and does not start without; launch
/// settings would give them to "dotnet run" alone, and the same to two worlds side by side. What the environment says
/// (the Aspire CLI, launch settings) wins.
/// </summary>
internal static class Dashboard
{
    private const string Urls = "ASPNETCORE_URLS";
    private const string TelemetryUrl = "ASPIRE_DASHBOARD_OTLP_ENDPOINT_URL";
    private const string TelemetryHttpUrl = "ASPIRE_DASHBOARD_OTLP_HTTP_ENDPOINT_URL";
    private const string ResourcesUrl = "ASPIRE_RESOURCE_SERVICE_ENDPOINT_URL";
    private const string AllowUnsecured = "ASPIRE_ALLOW_UNSECURED_TRANSPORT";
    private const int Port = 7100;
    private const int TelemetryPort = 7108;
    private const int ResourcesPort = 7109;

    /// <summary>Gives the dashboard addresses in this world, where it has none.</summary>
    public static void Configure(World world)
    {
        SetDefault(world, Urls, Port);
        if (world.Configuration[TelemetryHttpUrl] is not { Length: > 0 })
        {
            SetDefault(world, TelemetryUrl, TelemetryPort);
        }

        SetDefault(world, ResourcesUrl, ResourcesPort);
    }

    /// <summary>Where the dashboard answers.</summary>
    public static string Address(World world) => world.Configuration[Urls] ?? "";

    // Loopback only, so plain HTTP: nobody needs a trusted development certificate.
    private static void SetDefault(World world, string name, int port)
    {
        if (world.Configuration[name] is { Length: > 0 })
        {
            return;
        }

        world.FixedPorts[world.Port(port)] = "the dashboard";
        world.Configuration[name] = $"http://127.0.0.1:{world.PortText(port)}";
        world.Configuration[AllowUnsecured] = "true";
    }
}
