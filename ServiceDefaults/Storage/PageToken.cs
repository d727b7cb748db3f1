using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;

namespace Cloud.ServiceDefaults.Storage;

/// <summary>Opaque page tokens (AIP-158): where the previous page ended, bound to the filter it was made for, so that a
/// token used with another filter or order is refused instead of answering nonsense. Not secret, not signed: a forged
/// token can only ask for a place in a list its holder may read anyway.</summary>
public static class PageToken
{
    private const int HashBytes = 8;

    /// <summary>A short hash of everything that must not change between pages; pass it to the other two.</summary>
    public static string HashOf(params ReadOnlySpan<string?> filterParts)
    {
        var joined = new StringBuilder();
        foreach (var part in filterParts)
        {
            joined.Append(part?.Length ?? -1).Append(':').Append(part);
        }

        var hash = SHA256.HashData(Encoding.UTF8.GetBytes(joined.ToString()));
        return Base64Url.EncodeToString(hash.AsSpan(0, HashBytes));
    }

    /// <summary>A token that continues after <paramref name="lastKey"/>.</summary>
    public static string Encode(string filterHash, string lastKey) =>
        Base64Url.EncodeToString(Encoding.UTF8.GetBytes($"1.{filterHash}.{lastKey}"));

    /// <summary>Reads a token back; false when it is not one of ours or was made for another filter.</summary>
    public static bool TryDecode(string token, string filterHash, out string lastKey)
    {
        lastKey = "";
        if (token.Length > 1024 || !Base64Url.IsValid(token))
        {
            return false;
        }

        var text = Encoding.UTF8.GetString(Base64Url.DecodeFromChars(token));
        var prefix = $"1.{filterHash}.";
        if (!text.StartsWith(prefix, StringComparison.Ordinal))
        {
            return false;
        }

        lastKey = text[prefix.Length..];
        return true;
    }
}
