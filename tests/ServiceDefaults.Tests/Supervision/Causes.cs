using System.Collections.Concurrent;
using System.Diagnostics;
using Cloud.ServiceDefaults.Storage;
using Cloud.ServiceDefaults.Tests.Parcels;
using Cloud.TestHost;
using Npgsql;
using Xunit;

namespace Cloud.ServiceDefaults.Tests.Supervision;

/// <summary>What a request caused says so, however much later and wherever it is done.</summary>
public sealed class Causes
{
    private static CancellationToken Ct => Patience.Token;

    [Fact]
    public async Task Steps_and_their_events_carry_the_request_and_its_trace_on()
    {
        await using var depot = await Depot.OpenAsync(Ct);
        var causes = new ConcurrentQueue<(string?, string?)>();
        depot.Post.Before = (_, _) =>
        {
            causes.Enqueue((RequestContext.Current.RequestId, Activity.Current?.TraceId.ToHexString()));
            return Task.CompletedTask;
        };
        var here = await depot.StartAsync(Ct);
        RequestContext.Current = new RequestContext("ann", "request-1");
        using var call = new Activity("call").SetIdFormat(ActivityIdFormat.W3C).Start();
        var parcel = await here.DeliverAsync("A", Ct);
        call.Stop();

        var trace = call.TraceId.ToHexString();
        Assert.Equal([("request-1", trace), ("request-1", trace)], causes);
        var events = await EventsAsync(depot, parcel.Id);
        Assert.Equal(["ann", "supervisor", "supervisor"], events.Select(e => e.Actor));
        Assert.All(events, e => Assert.Equal(("request-1", trace), (e.RequestId, e.TraceId)));
    }

    [Fact]
    public async Task What_nobody_called_for_has_a_trace_of_its_own()
    {
        await using var depot = await Depot.OpenAsync(Ct);
        var process = await depot.StartAsync(Ct);
        RequestContext.Current = new RequestContext(RequestContext.SupervisorActor, null);
        var parcel = await process.DeliverAsync("A", Ct);

        var events = await EventsAsync(depot, parcel.Id);
        Assert.Matches("^[0-9a-f]{32}$", events[0].TraceId);
        Assert.All(events, e => Assert.Equal((null, events[0].TraceId), (e.RequestId, e.TraceId)));
    }

    private static async Task<IReadOnlyList<(string Actor, string? RequestId, string TraceId)>> EventsAsync(
        Depot depot, string id)
    {
        await using var command = depot.Source.CreateCommand(
            "SELECT actor, request_id, trace_id FROM outbox WHERE resource = $1 ORDER BY position");
        command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = "parcels/" + id });
        await using var rows = await command.ExecuteReaderAsync(Ct);
        var events = new List<(string, string?, string)>();
        while (await rows.ReadAsync(Ct))
        {
            var request = await rows.IsDBNullAsync(1, Ct) ? null : rows.GetString(1);
            events.Add((rows.GetString(0), request, rows.GetString(2)));
        }

        return events;
    }
}
