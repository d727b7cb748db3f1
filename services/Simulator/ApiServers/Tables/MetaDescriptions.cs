namespace Cloud.Simulator.ApiServers.Tables;

/// <summary>Texts that tables carry to explain the columns every kind has.</summary>
internal static class MetaDescriptions
{
    public const string Name = "Name must be unique within a namespace.";

    public const string Age = "Time since the object was created.";
}
