using System.Security.Cryptography;
using Cloud.Protos.Api.V1;
using Cloud.ServiceDefaults.Supervision;
using Microsoft.AspNetCore.DataProtection;

namespace Cloud.Webhooks;

/// <summary>What webhooks are signed with and the values of their headers: encrypted at rest with this service's keys,
/// clear only while a delivery is made.</summary>
public sealed class WebhookSecrets(IDataProtectionProvider protection)
{
    private const string Prefix = "whsec_";

    private const int KeyBytes = 32;

    private readonly IDataProtector _protector = protection.CreateProtector("Cloud.Webhooks.Secret");

    /// <summary>A new secret in the form of Standard Webhooks.</summary>
    public static string New() => Prefix + Convert.ToBase64String(RandomNumberGenerator.GetBytes(KeyBytes));

    /// <summary>What is stored of a secret or a header's value.</summary>
    public string Seal(string clear) => _protector.Protect(clear);

    /// <summary>The clear text of what is stored.</summary>
    /// <exception cref="CryptographicException">The keys that it was sealed with are gone.</exception>
    public string Open(string stored) => _protector.Unprotect(stored);

    /// <summary>The keys to sign with now, the newest first.</summary>
    /// <exception cref="StepException">The keys that it was sealed with are gone.</exception>
    public IReadOnlyList<byte[]> SigningKeys(Webhook webhook, DateTimeOffset now)
    {
        var valid = webhook.OldSecrets.Where(old => old.ValidUntil > now).Select(old => old.Secret);
        return Readable(webhook, () => valid.Prepend(webhook.Secret)
            .Select(secret => Convert.FromBase64String(Open(secret)[Prefix.Length..]))
            .ToList());
    }

    /// <summary>The headers to send along.</summary>
    /// <exception cref="StepException">The keys that they were sealed with are gone.</exception>
    public IReadOnlyDictionary<string, string> Headers(Webhook webhook) =>
        Readable(webhook, () => webhook.Headers.ToDictionary(header => header.Key, header => Open(header.Value)));

    private static T Readable<T>(Webhook webhook, Func<T> open)
    {
        try
        {
            return open();
        }
        catch (CryptographicException lost)
        {
            throw new StepException(
                ErrorReason.WebhookSecretUnreadable,
                $"Secret and headers of {webhook.DisplayName} were sealed with keys that this service no longer has. "
                + "Rotate its secret with overlap 0, set its headers again, and enable it.",
                lost);
        }
    }
}
