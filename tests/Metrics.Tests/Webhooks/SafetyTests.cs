using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Cloud.Webhooks;
using Microsoft.AspNetCore.Http;
using Xunit;
using Proto = Cloud.Protos.Metrics.V1;

namespace Cloud.Metrics.Tests.Webhooks;

public sealed class SafetyTests(WebhookWorld world) : IClassFixture<WebhookWorld>
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("8.8.8.8", true)]
    [InlineData("172.15.255.255", true)]
    [InlineData("172.32.0.1", true)]
    [InlineData("2606:4700:4700::1111", true)]
    [InlineData("::ffff:8.8.8.8", true)]
    [InlineData("0.0.0.0", false)]
    [InlineData("10.1.2.3", false)]
    [InlineData("100.64.0.1", false)]
    [InlineData("127.0.0.1", false)]
    [InlineData("127.255.255.254", false)]
    [InlineData("169.254.169.254", false)]
    [InlineData("172.16.0.1", false)]
    [InlineData("172.31.255.255", false)]
    [InlineData("192.168.1.1", false)]
    [InlineData("198.18.0.1", false)]
    [InlineData("203.0.113.5", false)]
    [InlineData("224.0.0.1", false)]
    [InlineData("255.255.255.255", false)]
    [InlineData("::", false)]
    [InlineData("::1", false)]
    [InlineData("::ffff:127.0.0.1", false)]
    [InlineData("::ffff:10.0.0.1", false)]
    [InlineData("::7f00:1", false)]
    [InlineData("64:ff9b::7f00:1", false)]
    [InlineData("64:ff9b::808:808", false)]
    [InlineData("fe80::1", false)]
    [InlineData("fec0::1", false)]
    [InlineData("fd00::1", false)]
    [InlineData("fc00::1", false)]
    [InlineData("ff02::1", false)]
    [InlineData("2001::1", false)]
    [InlineData("2001:db8::1", false)]
    [InlineData("2002:7f00:1::", false)]
    public void Only_addresses_that_anybody_could_reach_are_public(string address, bool isPublic) =>
        Assert.Equal(isPublic, PublicNetwork.IsPublic(IPAddress.Parse(address)));

    [Theory]
    [InlineData("127.0.0.1")]
    [InlineData("localhost")]
    [InlineData("LOCALHOST")]
    [InlineData("[::1]")]
    [InlineData("[::ffff:127.0.0.1]")]
    [InlineData("2130706433")]
    [InlineData("0x7f.1")]
    [InlineData("0.0.0.0")]
    public async Task Nothing_is_sent_to_an_address_that_is_not_public_by_whatever_name(string host)
    {
        await using var receiver = await Receiver.OpenAsync(Ct);
        var port = receiver.Port.ToString(CultureInfo.InvariantCulture);

        // Made where it is allowed, delivered where it is not: what counts is the address that is connected to.
        var webhook = await world.CreateAsync(receiver, Ct, w => w.Url = $"http://{host}:{port}/hook");
        await using var strict = world.Start([new("Webhooks:AllowPrivateNetworks", "false")]);

        var ping = await new Proto.WebhookService.WebhookServiceClient(strict.Channel).TestWebhookAsync(
            new() { Name = webhook.Name }, cancellationToken: Ct);

        Assert.Equal("failed", ping.Status);
        Assert.Equal("ADDRESS_REFUSED", ping.Attempts.Single().ErrorCode);
        Assert.Empty(receiver.All);
        await world.DeleteAsync(webhook);
    }

    [Theory]
    [InlineData("https://127.0.0.1/", "URL_ADDRESS_REFUSED")]
    [InlineData("https://[::1]:8443/", "URL_ADDRESS_REFUSED")]
    [InlineData("https://[::ffff:10.0.0.1]/", "URL_ADDRESS_REFUSED")]
    [InlineData("https://0x7f000001/", "URL_ADDRESS_REFUSED")]
    [InlineData("http://example.com/", "URL_SCHEME_REFUSED")]
    [InlineData("ftp://example.com/", "URL_SCHEME_REFUSED")]
    [InlineData("https://user:word@example.com/", "URL_INVALID")]
    [InlineData("https://example.com/#part", "URL_INVALID")]
    [InlineData("https://exa mple.com/", "URL_INVALID")]
    [InlineData("relative", "URL_INVALID")]
    [InlineData("", "URL_INVALID")]
    public async Task A_url_that_cannot_be_allowed_is_refused_when_it_is_given(string url, string reason)
    {
        await using var strict = world.Start(
            [new("Webhooks:AllowPrivateNetworks", "false"), new("Webhooks:AllowHttp", "false")]);

        var refusal = await Refusal.OfAsync(new Proto.WebhookService.WebhookServiceClient(strict.Channel)
            .CreateWebhookAsync(new() { Webhook = new() { DisplayName = "x", Url = url } }, cancellationToken: Ct));

        Assert.Equal(["webhook.url"], refusal.Fields);
        Assert.Equal(reason, refusal.Reason);
    }

    [Theory]
    [InlineData(301)]
    [InlineData(302)]
    [InlineData(307)]
    [InlineData(308)]
    public async Task A_redirect_is_not_followed(int status)
    {
        await using var elsewhere = await Receiver.OpenAsync(Ct);
        await using var receiver = await Receiver.OpenAsync(Ct);
        receiver.Answer = (_, context) =>
        {
            context.Response.StatusCode = status;
            context.Response.Headers.Location = elsewhere.Url;
            return Task.CompletedTask;
        };
        var webhook = await world.CreateAsync(receiver, Ct);

        var ping = await world.Webhooks.TestWebhookAsync(new() { Name = webhook.Name }, cancellationToken: Ct);

        Assert.Equal((status, "REDIRECT_REFUSED"), (ping.Attempts[0].HttpStatus, ping.Attempts[0].ErrorCode));
        Assert.Empty(elsewhere.All);
        await world.DeleteAsync(webhook);
    }

    [Fact]
    public async Task What_a_receiver_answers_is_cut_and_made_harmless()
    {
        await using var receiver = await Receiver.OpenAsync(Ct);
        receiver.Answer = async (_, context) =>
        {
            await context.Response.WriteAsync("\u001b[31m\0", Ct);
            await context.Response.WriteAsync(new string('x', 1_000_000), Ct);
        };
        var webhook = await world.CreateAsync(receiver, Ct);

        var ping = await world.Webhooks.TestWebhookAsync(new() { Name = webhook.Name }, cancellationToken: Ct);

        Assert.Equal("succeeded", ping.Status);
        Assert.StartsWith("\uFFFD[31m\uFFFDxxx", ping.Attempts[0].Response, StringComparison.Ordinal);
        Assert.Equal(WebhookSender.ResponseBytesMax, ping.Attempts[0].Response.Length);
        await world.DeleteAsync(webhook);
    }

    [Fact]
    public async Task What_an_error_quotes_of_a_receiver_is_cut_and_made_harmless()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var port = ((IPEndPoint)listener.LocalEndpoint).Port.ToString(CultureInfo.InvariantCulture);
        byte[] answer = [.. "no HTTP: \0\u001b"u8, .. Enumerable.Repeat((byte)'x', 2000), .. "\r\n\r\n"u8];
        await using var receiver = await Receiver.OpenAsync(Ct);
        var webhook = await world.CreateAsync(receiver, Ct, w => w.Url = $"http://127.0.0.1:{port}/");

        var answering = AnswerAsync(listener, answer);
        var ping = await world.Webhooks.TestWebhookAsync(new() { Name = webhook.Name }, cancellationToken: Ct);
        await answering;
        answering = AnswerAsync(listener, answer);
        await world.HappenAsync(Ct, "installations/quoted");
        await answering;
        var failed = await world.RestingAsync(
            webhook.Name, d => d.Any(x => x is { Status: "pending", AttemptCount: 1 }), Ct);

        var attempts = failed.SelectMany(d => d.Attempts).Append(ping.Attempts.Single()).ToList();
        Assert.Equal(3, attempts.Count);
        Assert.All(attempts, a => Assert.Equal("HTTP_INVALID", a.ErrorCode));
        Assert.All(attempts, a => Assert.Contains("\uFFFD\uFFFDxxx", a.Error, StringComparison.Ordinal));
        Assert.All(attempts, a => Assert.Equal(WebhookSender.ErrorLengthMax, a.Error.Length));
        await world.DeleteAsync(webhook);
    }

    [Fact]
    public async Task Each_way_to_fail_has_its_code()
    {
        await using var receiver = await Receiver.OpenAsync(Ct);
        var port = receiver.Port.ToString(CultureInfo.InvariantCulture);
        Assert.Equal("NAME_NOT_RESOLVED", await CodeOfAsync("http://nowhere.invalid/"));
        Assert.Equal("TLS_FAILED", await CodeOfAsync($"https://127.0.0.1:{port}/"));

        using var deaf = new TcpListener(IPAddress.Loopback, 0);
        deaf.Start();
        var closed = ((IPEndPoint)deaf.LocalEndpoint).Port.ToString(CultureInfo.InvariantCulture);
        var answering = AnswerAsync(deaf, "hello there, this is no HTTP\r\n\r\n"u8.ToArray());
        Assert.Equal("HTTP_INVALID", await CodeOfAsync($"http://127.0.0.1:{closed}/"));
        await answering;
        deaf.Stop();
        Assert.Equal("CONNECTION_FAILED", await CodeOfAsync($"http://127.0.0.1:{closed}/"));

        receiver.Answer = (_, context) =>
        {
            context.Abort();
            return Task.CompletedTask;
        };
        Assert.Equal("CONNECTION_FAILED", await CodeOfAsync(receiver.Url));

        async Task<string> CodeOfAsync(string url)
        {
            var webhook = await world.CreateAsync(receiver, Ct, w => w.Url = url);
            var ping = await world.Webhooks.TestWebhookAsync(new() { Name = webhook.Name }, cancellationToken: Ct);
            await world.DeleteAsync(webhook);
            return ping.Attempts.Single().ErrorCode;
        }
    }

    [Fact]
    public async Task Hosts_of_receivers_are_no_labels()
    {
        await using var receiver = await Receiver.OpenAsync(Ct);
        var port = receiver.Port.ToString(CultureInfo.InvariantCulture);
        var webhook = await world.CreateAsync(receiver, Ct, w => w.Url = $"http://localhost:{port}/hook");
        await world.Webhooks.TestWebhookAsync(new() { Name = webhook.Name }, cancellationToken: Ct);
        await world.DeleteAsync(webhook);
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(Ct);
        patience.CancelAfter(WebhookWorld.Patience);
        string page;
        do
        {
            // The page is made anew only now and then; asking again is what a scraper does.
            page = await world.Service.Http.GetStringAsync(new Uri("/metrics", UriKind.Relative), patience.Token);
        }
        while (!page.Contains("dns_lookup_duration", StringComparison.Ordinal)
            || !page.Contains("http_client_request_duration", StringComparison.Ordinal));

        Assert.DoesNotContain("dns_question_name", page, StringComparison.Ordinal);
        Assert.DoesNotContain(page.Split('\n'), line => line.StartsWith("http_client", StringComparison.Ordinal)
            && line.Contains("server_address", StringComparison.Ordinal));
    }

    private static async Task AnswerAsync(TcpListener listener, byte[] answer)
    {
        using var client = await listener.AcceptTcpClientAsync(Ct);
        await using var stream = client.GetStream();
        _ = await stream.ReadAsync(new byte[4096], Ct);
        await stream.WriteAsync(answer, Ct);
    }
}
