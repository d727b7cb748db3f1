using Cloud.Protos.Api.V1;
using Google.Protobuf.Reflection;
using Xunit;

namespace Cloud.Surface.Tests;

/// <summary>The conventions of the API (README), held against the contracts themselves: a new RPC that lacks one
/// fails.</summary>
public sealed class Conventions
{
    /// <summary>Mutations that cannot have it, and why.</summary>
    private static readonly Dictionary<string, string> WithoutRequestId = new()
    {
        ["cloud.databasepool.v1.LogicalDatabaseService.IssueLogicalDatabaseCredentials"] =
            "its answer is a password, which is kept nowhere",
        ["cloud.metrics.v1.EventIngestionService.AppendEvents"] = "source and source_sequence are its request id",
    };

    private static readonly Dictionary<string, string> WithoutValidateOnly = new()
    {
        ["cloud.metrics.v1.EventIngestionService.AppendEvents"] = "services call it, never people",
        ["cloud.metrics.v1.WebhookService.TestWebhook"] = "it is a trial by itself",
    };

    /// <summary>Nouns whose way out of failure is not called Retry.</summary>
    private static readonly Dictionary<string, string> WaysOut = new() { ["Webhook"] = "EnableWebhook" };

    private static readonly string[] Verbs =
        ["Update", "Delete", "Retry", "Provision", "Hibernate", "WakeUp", "Cancel"];

    /// <summary>Nouns with a state machine: those whose message has both.</summary>
    private static readonly IReadOnlyList<MessageDescriptor> Supervised =
    [
        .. Rpc.All.Select(rpc => rpc.Method.OutputType)
            .Where(type => type.FindFieldByName("state") is not null && type.FindFieldByName("progress") is not null)
            .DistinctBy(type => type.FullName),
    ];

    private static IEnumerable<Rpc> Mutations => Rpc.All.Where(rpc => !rpc.IsRead);

    private static IEnumerable<Rpc> Lists =>
        Rpc.All.Where(rpc => rpc.Method.Name.StartsWith("List", StringComparison.Ordinal));

    [Fact]
    public void Every_service_is_under_test() =>
        Assert.True(Rpc.All.Select(rpc => rpc.Method.Service.FullName).Distinct().Count() >= 8);

    [Fact]
    public void Every_mutation_has_a_request_id() => Assert.Empty(Mutations
        .Where(rpc => rpc.Field("request_id") is null && !WithoutRequestId.ContainsKey(rpc.Name)));

    [Fact]
    public void Every_mutation_can_be_only_checked() => Assert.Empty(Mutations
        .Where(rpc => rpc.Field("validate_only") is null && !WithoutValidateOnly.ContainsKey(rpc.Name)));

    [Fact]
    public void No_exception_is_forgotten_when_its_reason_is_gone() => Assert.Empty(Mutations
        .Where(rpc => (WithoutRequestId.ContainsKey(rpc.Name) && rpc.Field("request_id") is not null)
            || (WithoutValidateOnly.ContainsKey(rpc.Name) && rpc.Field("validate_only") is not null)));

    [Fact]
    public void Every_verb_on_a_resource_takes_its_etag() => Assert.Empty(Mutations
        .Where(rpc => Verbs.Any(verb => rpc.Method.Name.StartsWith(verb, StringComparison.Ordinal)))
        .Where(rpc => rpc.Field("etag") is null && !Messages(rpc.Method.InputType).Any(HasEtag)));

    [Fact]
    public void Every_update_has_a_mask() => Assert.Empty(Mutations
        .Where(rpc => rpc.Method.Name.StartsWith("Update", StringComparison.Ordinal))
        .Where(rpc => rpc.Field("update_mask")?.MessageType.FullName != "google.protobuf.FieldMask"));

    [Fact]
    public void Every_list_comes_in_pages() => Assert.Empty(Lists
        .Where(rpc => rpc.Field("page_size") is null || rpc.Field("page_token") is null
            || rpc.Method.OutputType.FindFieldByName("next_page_token") is null
            || rpc.Method.OutputType.Fields.InFieldNumberOrder()[0] is not { IsRepeated: true }));

    [Fact]
    public void Every_noun_with_states_can_be_read_listed_watched_and_asked_why()
    {
        var names = Rpc.All.Select(rpc => rpc.Method.Name).ToHashSet(StringComparer.Ordinal);
        var missing = Supervised.SelectMany(noun =>
            new[] { $"Get{noun.Name}", $"List{noun.Name}s", $"Watch{noun.Name}s", $"Why{noun.Name}" })
            .Where(name => !names.Contains(name));
        Assert.True(Supervised.Count >= 5);
        Assert.Empty(missing);
    }

    [Fact]
    public void Every_noun_with_states_has_a_way_out_of_the_failed_ones()
    {
        var names = Rpc.All.Select(rpc => rpc.Method.Name).ToHashSet(StringComparer.Ordinal);
        Assert.Empty(Supervised
            .SelectMany(noun => new[]
            {
                WaysOut.GetValueOrDefault(noun.Name, $"Retry{noun.Name}"), $"Delete{noun.Name}",
            })
            .Where(name => !names.Contains(name)));
    }

    [Fact]
    public void Every_why_answers_explanations() => Assert.Empty(Rpc.All
        .Where(rpc => rpc.Method.Name.StartsWith("Why", StringComparison.Ordinal))
        .Where(rpc => rpc.Method.OutputType.FindFieldByName("chain")?.MessageType.FullName
            != "cloud.supervision.v1.Explanation"));

    [Fact]
    public void Every_watch_resumes() => Assert.Empty(Rpc.All.Where(rpc => rpc.IsStream)
        .Where(rpc => rpc.Field("resume_token") is null && rpc.Field("after_sequence") is null));

    [Fact]
    public void What_is_said_to_be_output_only_is_marked_so() => Assert.Empty(Supervised
        .SelectMany(noun => new[] { "state", "progress", "create_time", "update_time", "delete_time" }
            .Select(noun.FindFieldByName).OfType<FieldDescriptor>())
        .Where(field => field.GetOptions()?.GetExtension(AnnotationsExtensions.OutputOnly) is not true)
        .Select(field => field.FullName));

    private static IEnumerable<MessageDescriptor> Messages(MessageDescriptor message) =>
        message.Fields.InDeclarationOrder().Where(field => field.FieldType == FieldType.Message && !field.IsMap)
            .Select(field => field.MessageType);

    private static bool HasEtag(MessageDescriptor message) => message.FindFieldByName("etag") is not null;
}
