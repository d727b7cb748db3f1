using System.Net;
using System.Net.Sockets;

namespace Cloud.Webhooks;

/// <summary>
/// Connects to receivers at public addresses alone, unless settings allow others. The address is judged where the
/// connection is made, after the name was resolved: a name that leads elsewhere the next time changes nothing.
/// </summary>
public sealed class PublicNetwork(WebhookOptions options)
{
    /// <summary>What IANA's registries keep for special purposes, and multicast.</summary>
    private static readonly IPNetwork[] SpecialV4 =
    [
        .. new[]
        {
            "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
            "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24",
            "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
        }.Select(IPNetwork.Parse),
    ];

    /// <summary>The only part of IPv6 that is given out; what is outside it is loopback, link-local, local, multicast
    /// or a translation of IPv4.</summary>
    private static readonly IPNetwork GlobalV6 = IPNetwork.Parse("2000::/3");

    /// <summary>Within it: protocols (Teredo among them), documentation and 6to4, which carries IPv4.</summary>
    private static readonly IPNetwork[] SpecialV6 =
        [.. new[] { "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20" }.Select(IPNetwork.Parse)];

    /// <summary>Whether an address is one that anybody on the internet could reach.</summary>
    public static bool IsPublic(IPAddress address)
    {
        var plain = address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address;
        return plain.AddressFamily == AddressFamily.InterNetwork
            ? !SpecialV4.Any(network => network.Contains(plain))
            : GlobalV6.Contains(plain) && !SpecialV6.Any(network => network.Contains(plain));
    }

    /// <summary>Whether connections to an address may be made here.</summary>
    public bool Allows(IPAddress address) => options.AllowPrivateNetworks || IsPublic(address);

    /// <summary>A connection to the host, at one of its addresses that are allowed.</summary>
    /// <exception cref="AddressRefusedException">None of them is.</exception>
    public async ValueTask<Stream> ConnectAsync(SocketsHttpConnectionContext context, CancellationToken ct)
    {
        var host = context.DnsEndPoint.Host;
        var addresses = IPAddress.TryParse(host, out var literal)
            ? [literal]
            : await Dns.GetHostAddressesAsync(host, ct);
        var allowed = Array.FindAll(addresses, Allows);
        if (allowed.Length == 0)
        {
            throw new AddressRefusedException(host);
        }

        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(allowed, context.DnsEndPoint.Port, ct);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }
}

/// <summary>A host has no address that may be connected to.</summary>
/// <param name="host">The host.</param>
public sealed class AddressRefusedException(string host)
    : Exception($"{host} has no public address, and this cloud does not allow webhooks to others.");
