using Cloud.Protos.Api.V1;
using Cloud.ServiceDefaults.Hosting;
using Cloud.ServiceDefaults.Storage;
using Google.Protobuf;
using Proto = Cloud.Protos.Metrics.V1;

namespace Cloud.Events;

/// <summary>Which events are meant. Empty does not restrict.</summary>
public sealed record EventFilter
{
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
}
