using System.Security.Cryptography;

namespace Cloud.ServiceDefaults.Storage;

/// <summary>Ids of resources: 26 characters of <c>[a-z0-9]</c>, random, the first a letter so that an id can stand as a
/// Kubernetes name or a PostgreSQL identifier as it is.</summary>
public static class ResourceId
{
    /// <summary>Length of every id, in characters.</summary>
    public const int Length = 26;

    private const string Letters = "abcdefghijklmnopqrstuvwxyz";
    private const string LettersAndDigits = "abcdefghijklmnopqrstuvwxyz0123456789";

    /// <summary>A new random id (about 134 bits: no two are ever equal).</summary>
    public static string New() => string.Concat(
        RandomNumberGenerator.GetString(Letters, 1),
        RandomNumberGenerator.GetString(LettersAndDigits, Length - 1));

    /// <summary>Whether a text has the form of an id. It says nothing about existence.</summary>
    public static bool IsValid(string? id) =>
        id is { Length: Length } && char.IsAsciiLetterLower(id[0])
        && id.All(c => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c));
}
