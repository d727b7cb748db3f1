using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Cloud.Webhooks;

/// <summary>Signatures of Standard Webhooks 1.0, symmetric.</summary>
internal static class Signature
{
    /// <summary>The value of <c>webhook-signature</c>: one signature per key.</summary>
    public static string Of(string messageId, long timestamp, byte[] body, IEnumerable<byte[]> keys)
    {
        var head = Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{messageId}.{timestamp}."));
        byte[] content = [.. head, .. body];
        return string.Join(' ', keys.Select(key => "v1," + Convert.ToBase64String(HMACSHA256.HashData(key, content))));
    }
}
