using System.Security.Cryptography;
using Cloud.Protos.Api.V1;
using Cloud.Providers;
using Cloud.ServiceDefaults.Supervision;
using Microsoft.AspNetCore.DataProtection;

namespace Cloud.DatabaseServers;

/// <summary>
/// The passwords of administrating roles, encrypted at rest with this service's keys. They are clear only in the
/// address that a provider is handed.
/// </summary>
public sealed class AdminPasswords(IDataProtectionProvider protection)
{
    private readonly IDataProtector _protector = protection.CreateProtector("Cloud.DatabaseServers.AdminPassword");

    /// <summary>What is stored of a password.</summary>
    public string Seal(string password) => _protector.Protect(password);

    /// <summary>How the server is reached, password included.</summary>
    /// <exception cref="StepException">The keys that the password was sealed with are gone.</exception>
    public ServerAddress AddressOf(DatabaseServer server)
    {
        try
        {
            var password = _protector.Unprotect(server.AdminPassword);
            return new ServerAddress(server.Id, server.Host, server.Port, server.AdminUser, password, server.SslMode);
        }
        catch (CryptographicException lost)
        {
            throw new StepException(
                ErrorReason.AdminPasswordUnreadable,
                $"The password of {server.DisplayName} was sealed with keys that this service no longer has. "
                + "Update the server with admin_password.",
                lost);
        }
    }
}
