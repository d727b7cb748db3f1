namespace Cloud.Simulator.ApiServers.Validation;

/// <summary>What to do about fields that a kind does not have: the <c>fieldValidation</c> of a request.</summary>
public enum FieldHandling
{
    /// <summary>Drop them silently.</summary>
    Ignore,

    /// <summary>Drop them with a warning; the default over HTTP.</summary>
    Warn,

    /// <summary>Refuse the request.</summary>
    Strict,
}
