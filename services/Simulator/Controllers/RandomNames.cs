using System.Text;

namespace Cloud.Simulator.Controllers;

/// <summary>
/// Makes the suffixes and hashes in names as Kubernetes does: an alphabet without vowels and look-alikes.
/// </summary>
internal sealed class RandomNames(Random random)
{
    private const string Alphabet = "bcdfghjklmnpqrstvwxz2456789";
    private const int SuffixLength = 5;

    /// <summary>The longest a generated name may be.</summary>
    private const int LongestBase = 63 - SuffixLength;

    /// <summary>A name from its beginning, as <c>generateName</c> does.</summary>
    public string After(string beginning)
    {
        var name = new StringBuilder(beginning.Length > LongestBase ? beginning[..LongestBase] : beginning);
        for (var i = 0; i < SuffixLength; i++) name.Append(Alphabet[random.Next(Alphabet.Length)]);
        return name.ToString();
    }

    /// <summary>16 hexadecimal digits.</summary>
    public string Hex() => random.NextInt64().ToString("x16", System.Globalization.CultureInfo.InvariantCulture);

    /// <summary>A hash for a label, the same for the same text.</summary>
    public static string Hash(string text)
    {
        var hash = 2166136261u;
        foreach (var octet in Encoding.UTF8.GetBytes(text)) hash = (hash ^ octet) * 16777619u;
        var digits = hash.ToString(System.Globalization.CultureInfo.InvariantCulture);
        return string.Concat(digits.Select(digit => Alphabet[digit % Alphabet.Length]));
    }
}
