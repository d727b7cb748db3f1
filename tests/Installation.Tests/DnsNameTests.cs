using Cloud.Dns;
using Cloud.Protos.Api.V1;
using Cloud.ServiceDefaults.Hosting;
using Xunit;

namespace Cloud.Installations.Tests;

public sealed class DnsNameTests
{
    private static readonly DnsNames Names = new(new DnsOptions
    {
        Domains = ["example.com", "localhost"], ReservedLabels = ["www"], UrlFormat = "https://{host}/",
    });

    [Theory]
    [InlineData("acme.example.com")]
    [InlineData("ab.localhost")]
    [InlineData("a-1.example.com")]
    [InlineData("0x.example.com")]
    [InlineData("xn--bcher-kva.example.com")]
    [InlineData("a23456789012345678901234567890123456789012345678901234567890123.example.com")]
    public void These_are_names_of_installations(string name) => Assert.Empty(ProblemsOf(name));

    [Theory]
    [InlineData("", "DNS_NAME_INVALID")]
    [InlineData("a.example.com", "DNS_LABEL_INVALID")]
    [InlineData("www.example.com", "DNS_NAME_RESERVED")]
    [InlineData("example.com", "DNS_NAME_FOREIGN")]
    [InlineData("localhost", "DNS_NAME_FOREIGN")]
    [InlineData("acme.example.org", "DNS_NAME_FOREIGN")]
    [InlineData("evilexample.com", "DNS_NAME_FOREIGN")]
    [InlineData("acme.evilexample.com", "DNS_NAME_FOREIGN")]
    [InlineData("deep.acme.example.com", "DNS_NAME_FOREIGN")]
    [InlineData("-acme.example.com", "DNS_NAME_INVALID")]
    [InlineData("acme-.example.com", "DNS_NAME_INVALID")]
    [InlineData("ac_me.example.com", "DNS_NAME_INVALID")]
    [InlineData("ac me.example.com", "DNS_NAME_INVALID")]
    [InlineData("acme..example.com", "DNS_NAME_INVALID")]
    [InlineData(".example.com", "DNS_NAME_INVALID")]
    [InlineData("bücher.example.com", "DNS_NAME_INVALID")]
    [InlineData("acme.example.com\n", "DNS_NAME_INVALID")]
    [InlineData("a234567890123456789012345678901234567890123456789012345678901234.example.com", "DNS_NAME_INVALID")]
    public void These_are_not(string name, string reason) =>
        Assert.Equal(reason, Assert.Single(ProblemsOf(name)).Reason.Text());

    [Fact]
    public void A_name_longer_than_dns_allows_is_said_to_be_too_long() => Assert.Equal(
        ErrorReason.DnsNameTooLong,
        Assert.Single(ProblemsOf(string.Join('.', Enumerable.Repeat("abcdefgh", 40)))).Reason);

    [Fact]
    public void Names_are_compared_in_lower_case_without_a_final_dot() =>
        Assert.Equal("acme.example.com", DnsNames.Normalize(" Acme.EXAMPLE.com. "));

    [Fact]
    public void A_name_given_twice_is_said_to_be()
    {
        var problem = Assert.Single(ProblemsOf("acme.example.com", "acme.example.com"));
        Assert.Equal(("names[1]", ErrorReason.DnsNameRepeated), (problem.Field, problem.Reason));
    }

    [Fact]
    public void Options_without_a_domain_or_a_host_in_the_url_are_refused()
    {
        Assert.Throws<InvalidOperationException>(() => new DnsOptions().Checked());
        Assert.Throws<InvalidOperationException>(() => new DnsOptions { Domains = ["Example.com"] }.Checked());
        Assert.Throws<InvalidOperationException>(
            () => new DnsOptions { Domains = ["example.com"], UrlFormat = "https://host/" }.Checked());
    }

    private static IReadOnlyList<FieldProblem> ProblemsOf(params string[] names)
    {
        var problems = new FieldProblems();
        Names.Check(names, "names", problems);
        return problems.All;
    }
}
