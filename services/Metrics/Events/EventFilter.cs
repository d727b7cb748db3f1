using Cloud.Protos.Api.V1;
using Cloud.ServiceDefaults.Hosting;
using Cloud.ServiceDefaults.Storage;
using Google.Protobuf;
using Proto = Cloud.Protos.Metrics.V1;

namespace Cloud.Events;

/// <summary>Which events are meant. Empty does not restrict.</summary>
public sealed record EventFilter
{
    /// <summary>Comes after every other, and is in no name.</summary>
    private const string LastCharacter = "\U0010FFFF";

    public IReadOnlyList<string> ResourceTypes { get; init; } = [];

    public string Resource { get; init; } = "";

    public string ResourcePrefix { get; init; } = "";

    public string Installation { get; init; } = "";

    public IReadOnlyList<string> Types { get; init; } = [];

    public IReadOnlyList<string> States { get; init; } = [];

    public string Source { get; init; } = "";

    public string Actor { get; init; } = "";

    public string RequestId { get; init; } = "";

    public string TraceId { get; init; } = "";

    public DateTimeOffset? StartTime { get; init; }

    public DateTimeOffset? EndTime { get; init; }

    /// <summary>Binds page and resume tokens to the filter they were made with.</summary>
    public required string Hash { get; init; }

    /// <summary>The filter of a request, everything wrong with it noted.</summary>
    public static EventFilter Of(Proto.EventFilter? filter, FieldProblems problems)
    {
        filter ??= new Proto.EventFilter();
        foreach (var type in filter.Types_.Except(EventTypes.All))
        {
            problems.Add(
                "filter.types", $"'{type}' is not a type of events; known are {string.Join(", ", EventTypes.All)}",
                ErrorReason.EventTypeUnknown);
        }

        if (filter.Resource.Length > 0 && !filter.Resource.Contains('/', StringComparison.Ordinal))
        {
            problems.Add(
                "filter.resource", "must be a resource name such as installations/{id}",
                ErrorReason.ResourceNameInvalid);
        }

        if (filter.Installation.Length > 0
            && !filter.Installation.StartsWith("installations/", StringComparison.Ordinal))
        {
            problems.Add(
                "filter.installation", "must be a resource name: installations/{id}", ErrorReason.ResourceNameInvalid);
        }

        return new EventFilter
        {
            ResourceTypes = [.. filter.ResourceTypes],
            Resource = filter.Resource,
            ResourcePrefix = filter.ResourcePrefix,
            Installation = filter.Installation,
            Types = [.. filter.Types_],
            States = [.. filter.States],
            Source = filter.Source,
            Actor = filter.Actor,
            RequestId = filter.RequestId,
            TraceId = filter.TraceId,
            StartTime = filter.StartTime?.ToDateTimeOffset(),
            EndTime = filter.EndTime?.ToDateTimeOffset(),
            Hash = PageToken.HashOf(Convert.ToBase64String(filter.ToByteArray())),
        };
    }

    /// <summary>As conditions on the table of events.</summary>
    public Conditions ToConditions()
    {
        var conditions = new Conditions()
            .AnyOf("resource_type", ResourceTypes)
            .Equal("resource", Resource)
            .Equal("installation", Installation)
            .AnyOf("type", Types)
            .AnyOf("new_state", States)
            .Equal("source", Source)
            .Equal("actor", Actor)
            .Equal("request_id", RequestId)
            .Equal("trace_id", TraceId)
            .Add("occurred_at >= @start_time", "start_time", StartTime?.UtcDateTime)
            .Add("occurred_at < @end_time", "end_time", EndTime?.UtcDateTime);
        // Bounds in the order of bytes, which the index is in; LIKE would read the prefix as a pattern.
        if (ResourcePrefix.Length > 0)
        {
            conditions.Add("resource ~>=~ @prefix", "prefix", ResourcePrefix);
            conditions.Add("resource ~<~ @prefix_end", "prefix_end", ResourcePrefix + LastCharacter);
        }

        // Said again so that the planner knows that the partial indexes fit.
        return conditions
            .AddUnless(Installation.Length == 0, "installation <> ''")
            .AddUnless(RequestId.Length == 0, "request_id <> ''")
            .AddUnless(TraceId.Length == 0, "trace_id <> ''");
    }
}
