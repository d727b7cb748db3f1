namespace Cloud.ServiceDefaults.Storage;

/// <summary>What every row that is listed and watched has.</summary>
public abstract record StoredRow
{
    /// <summary>The id, as in the resource name.</summary>
    public required string Id { get; init; }

    /// <summary>Grows with every visible change, whoever makes it; the etag.</summary>
    public long Version { get; init; } = 1;

    /// <summary>When it was asked for; lists go by it, oldest first. Set by the store.</summary>
    public DateTimeOffset CreateTime { get; init; }
}
