namespace Cloud.Simulator.ApiServers;

/// <summary>Tells a cluster over HTTP what is to go wrong in it, and to forget its watch history.</summary>
public static class FaultEndpoints
{
    /// <summary>
    /// Maps <c>/simulator/clusters/{cluster}/faults</c> (GET lists, DELETE clears), <c>.../faults/{id}</c> (PUT,
    /// DELETE), <c>POST .../compact</c>, after which every older revision is 410 Gone, and
    /// <c>POST .../cut-watches</c>, which breaks the connection of every watch under way.
    /// </summary>
    public static IEndpointRouteBuilder MapFaults(this IEndpointRouteBuilder endpoints, SimulatedClusters clusters)
    {
        var group = endpoints.MapGroup("/simulator/clusters/{cluster}");
        group.MapGet("/faults", (string cluster) => With(cluster, c => Results.Ok(c.Faults.Rules)));
        group.MapDelete("/faults", (string cluster) => With(cluster, c =>
        {
            c.Faults.Clear();
            return Results.NoContent();
        }));
        group.MapPut("/faults/{id}", (string cluster, string id, FaultRule rule) =>
            With(cluster, c => Put(c, rule with { Id = id })));
        group.MapDelete("/faults/{id}", (string cluster, string id) => With(cluster, c =>
            c.Faults.Remove(id) ? Results.NoContent() : Results.NotFound($"There is no fault \"{id}\".")));
        group.MapPost("/compact", (string cluster) => With(cluster, c =>
        {
            ((ApiServer)c.Api).Store.ForgetHistory();
            return Results.NoContent();
        }));
        group.MapPost("/cut-watches", (string cluster) => With(cluster, c =>
        {
            ((ApiServer)c.Api).Store.CutFollowers();
            return Results.NoContent();
        }));
        return endpoints;

        IResult With(string cluster, Func<SimulatedCluster, IResult> act) =>
            clusters.All.FirstOrDefault(c => c.Settings.Name == cluster) is { } found
                ? act(found)
                : Results.NotFound($"There is no cluster \"{cluster}\".");
    }

    private static IResult Put(SimulatedCluster cluster, FaultRule rule)
    {
        var wrong = new List<string>();
        if (rule.Probability is < 0 or > 1) wrong.Add("probability must be between 0 and 1");
        if (rule.Count is < 1) wrong.Add("count must be at least 1");
        if (rule.ErrorCode is < 400 or > 599) wrong.Add("errorCode must be between 400 and 599");
        if (rule.LatencyMs < 0) wrong.Add("latencyMs must not be negative");
        if (wrong.Count > 0) return Results.BadRequest(string.Join("; ", wrong) + ".");
        cluster.Faults.Put(rule);
        return Results.Ok(rule);
    }
}
