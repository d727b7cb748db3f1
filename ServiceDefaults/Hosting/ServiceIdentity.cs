namespace Cloud.ServiceDefaults.Hosting;

/// <summary>Which service this process is.</summary>
/// <param name="Name">Its discovery name, which is also the source of its events: <c>database-pool</c>.</param>
public sealed record ServiceIdentity(string Name);
