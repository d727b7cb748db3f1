using System.Security.Cryptography;

namespace Cloud.Providers;

/// <summary>Random passwords that need no escaping in a URL, a shell or SQL.</summary>
public static class Passwords
{
    private const string Characters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

    /// <summary>A password of that many characters from a cryptographic source.</summary>
    public static string New(int length) => RandomNumberGenerator.GetString(Characters, length);
}
