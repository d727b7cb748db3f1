namespace Cloud.Simulator.ApiServers.Tables;

/// <summary>Columns of the built-in kinds.</summary>
public static class BuiltInTables
{
    public static TableColumns? For(string group, string plural) => null;
}
