using Cloud.Events;
using Cloud.ServiceDefaults.Supervision;

namespace Cloud.Webhooks;

/// <summary>Where a webhook is in its life. Public names are the kebab-case ones.</summary>
public enum WebhookState
{
    /// <summary>It gets events.</summary>
    Enabled,

    /// <summary>It gets none, by request or because its receiver fails; then the last error says why.</summary>
    Disabled,

    /// <summary>It is no more. The row stays for the record, without secrets.</summary>
    Deleted,
}

/// <summary>A receiver of events.</summary>
public sealed record Webhook : SupervisedRow<WebhookState>
{
    /// <summary>First segment of the resource names.</summary>
    public const string Collection = "webhooks";

    /// <summary>For people; unique among live webhooks, whatever the case.</summary>
    public required string DisplayName { get; init; }

    /// <summary>Where events are posted.</summary>
    public required string Url { get; init; }

    /// <summary>Which events.</summary>
    public required WebhookFilter Filter { get; init; }

    /// <summary>Headers sent along: lower-case name to encrypted value.</summary>
    public required IReadOnlyDictionary<string, string> Headers { get; init; }

    /// <summary>What deliveries are signed with, encrypted; empty once deleted.</summary>
    public required string Secret { get; init; }

    /// <summary>Earlier secrets, newest first, that deliveries are also signed with for a while.</summary>
    public IReadOnlyList<OldSecret> OldSecrets { get; init; } = [];

    /// <summary>When the row last changed; the store sets it.</summary>
    public DateTimeOffset UpdateTime { get; init; }

    /// <summary>Resource name.</summary>
    public string Name => NameOf(Id);

    /// <summary>Resource name of an id.</summary>
    public static string NameOf(string id) => $"{Collection}/{id}";

    /// <summary>Whether it gets an event. Never one about itself: a webhook that reports its own failing would never
    /// be done.</summary>
    public bool Wants(RecordedEvent e) => e.Resource != Name && Filter.Matches(e);
}

/// <summary>A secret that was replaced.</summary>
/// <param name="Secret">Encrypted.</param>
/// <param name="ValidUntil">Until when deliveries are signed with it.</param>
public sealed record OldSecret(string Secret, DateTimeOffset ValidUntil);

/// <summary>Which events are meant. Empty fields do not restrict; all that are set must match.</summary>
public sealed record WebhookFilter
{
    public IReadOnlyList<string> ResourceTypes { get; init; } = [];

    public IReadOnlyList<string> Types { get; init; } = [];

    public IReadOnlyList<string> ResourcePrefixes { get; init; } = [];

    public string Installation { get; init; } = "";

    public IReadOnlyList<string> States { get; init; } = [];

    /// <summary>Whether an event is one of them.</summary>
    public bool Matches(RecordedEvent e) =>
        AnyOf(ResourceTypes, e.ResourceType)
        && AnyOf(Types, e.Type)
        && AnyOf(States, e.NewState)
        && (Installation.Length == 0 || Installation == e.Installation)
        && (ResourcePrefixes.Count == 0
            || ResourcePrefixes.Any(prefix => e.Resource.StartsWith(prefix, StringComparison.Ordinal)));

    private static bool AnyOf(IReadOnlyList<string> wanted, string value) =>
        wanted.Count == 0 || wanted.Contains(value, StringComparer.Ordinal);
}
