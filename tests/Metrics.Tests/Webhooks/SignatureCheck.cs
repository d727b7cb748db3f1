using System.Security.Cryptography;
using System.Text;

namespace Cloud.Metrics.Tests.Webhooks;

/// <summary>
/// The check of Standard Webhooks as a receiver makes it, written from the specification and from RFC 2104 alone: it
/// shares nothing with the code that signs.
/// </summary>
internal static class SignatureCheck
{
    private const int BlockBytes = 64;

    /// <summary>Whether any signature of a delivery was made with the secret.</summary>
    public static bool Holds(Received received, string secret) => received.Headers["webhook-signature"].Split(' ')
        .Any(signature => signature == "v1," + Convert.ToBase64String(Expected(received, secret)));

    public static int Count(Received received) => received.Headers["webhook-signature"].Split(' ').Length;

    private static byte[] Expected(Received received, string secret)
    {
        var key = Convert.FromBase64String(secret["whsec_".Length..]);
        var head = Encoding.ASCII.GetBytes($"{received.Id}.{received.Headers["webhook-timestamp"]}.");
        byte[] inner = [.. Padded(key, 0x36), .. head, .. received.Body];
        return SHA256.HashData([.. Padded(key, 0x5c), .. SHA256.HashData(inner)]);
    }

    private static byte[] Padded(byte[] key, byte pad)
    {
        var block = new byte[BlockBytes];
        key.CopyTo(block, 0);
        return [.. block.Select(b => (byte)(b ^ pad))];
    }
}
