using System.Text.Json.Nodes;

namespace Cloud.Simulator.ApiServers.Tables;

/// <summary>What a cell of a table shows of an object, at a time.</summary>
public delegate JsonNode? CellReader(JsonObject obj, DateTimeOffset now);

/// <summary>One column of <c>kubectl get</c>; priority 0 is always shown, others with <c>-o wide</c>.</summary>
public sealed record TableColumn(string Name, string Type, CellReader Cell)
{
    public string Format { get; init; } = "";

    public string Description { get; init; } = "";

    public int Priority { get; init; }
}

/// <summary>The columns of one kind, in order.</summary>
public sealed record TableColumns(IReadOnlyList<TableColumn> All);
