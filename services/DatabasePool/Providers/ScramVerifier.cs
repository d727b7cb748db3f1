using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Cloud.Providers;

/// <summary>
/// What PostgreSQL keeps of a password (RFC 5803). Computed here and sent in place of the password, so that no plain
/// password can reach a server's log, its statement statistics or its replicas.
/// </summary>
public static class ScramVerifier
{
    /// <summary>
    /// PostgreSQL's own default; the key is a random 40-character one, so that more rounds buy nothing.
    /// </summary>
    private const int Iterations = 4096;

    private const int SaltBytes = 16;

    private const int KeyBytes = 32;

    /// <summary>The verifier of a password, under a fresh random salt.</summary>
    public static string Of(string password) => Of(password, RandomNumberGenerator.GetBytes(SaltBytes));

    /// <summary>The verifier of a password (ASCII only: no SASLprep is applied) under a given salt.</summary>
    public static string Of(string password, byte[] salt)
    {
        var salted = Rfc2898DeriveBytes.Pbkdf2(
            Encoding.ASCII.GetBytes(password), salt, Iterations, HashAlgorithmName.SHA256, KeyBytes);
        var storedKey = SHA256.HashData(HMACSHA256.HashData(salted, "Client Key"u8));
        var serverKey = HMACSHA256.HashData(salted, "Server Key"u8);
        return string.Create(
            CultureInfo.InvariantCulture,
            $"SCRAM-SHA-256${Iterations}:{Base64(salt)}${Base64(storedKey)}:{Base64(serverKey)}");
    }

    private static string Base64(byte[] bytes) => Convert.ToBase64String(bytes);
}
