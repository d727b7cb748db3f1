namespace Cloud.Webhooks;

/// <summary>What this cloud lets webhooks do, and how long their log is kept.</summary>
public sealed class WebhookOptions
{
    /// <summary>Whether a url may be <c>http</c>. Default false: what is sent could be read on the way.</summary>
    public bool AllowHttp { get; set; }

    /// <summary>Whether receivers may be at addresses that are not public: loopback, private, link-local, shared and
    /// so on. Default false: whoever may make webhooks could otherwise reach what only this network may.</summary>
    public bool AllowPrivateNetworks { get; set; }

    /// <summary>Days that finished deliveries are kept in the log. Default 14.</summary>
    public int LogDays { get; set; } = 14;

    /// <summary>Finished deliveries of one webhook that are kept in the log, the newest. Default 10,000.</summary>
    public int LogDeliveries { get; set; } = 10_000;
}
