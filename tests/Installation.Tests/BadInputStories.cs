using Cloud.Installations.Tests.World;
using Cloud.ServiceDefaults.Storage;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using Xunit;
using Proto = Cloud.Protos.Installation.V1;

namespace Cloud.Installations.Tests;

/// <summary>Wrong requests, and what their senders are told.</summary>
public sealed class BadInputStories : IAsyncLifetime
{
    private InstallationSystem _system = null!;

    private static CancellationToken Cut => TestContext.Current.CancellationToken;

    private Proto.InstallationService.InstallationServiceClient Client => _system.Client;

    public async ValueTask InitializeAsync() => _system = await InstallationSystem.StartAsync();

    public async ValueTask DisposeAsync() => await _system.DisposeAsync();

    [Fact]
    public async Task A_request_that_is_wrong_in_many_ways_is_told_all_of_them()
    {
        await _system.CreateAsync("taken");
        var refusal = await Refused.With("FIELDS_INVALID", async () => await Client.CreateInstallationAsync(
            new()
            {
                Installation = new()
                {
                    OwnerId = new string('x', 65),
                    DnsNames =
                    {
                        "a.localhost", "-acme.localhost", "acme.evilexample.com", "www.localhost", "taken.localhost",
                    },
                    Version = "not a tag",
                    Image = "Not/An/Image:latest",
                    Size = "huge",
                    Affinity = "alone",
                    MattermostEnv = { ["1BAD"] = new() { Value = "x" }, ["EMPTY"] = new() },
                },
            },
            cancellationToken: Cut));
        Assert.Equal(StatusCode.InvalidArgument, refusal.StatusCode);
        Assert.Equal(
            new HashSet<(string, string)>
            {
                ("installation.owner_id", "TEXT_TOO_LONG"),
                ("installation.dns_names[0]", "DNS_LABEL_INVALID"),
                ("installation.dns_names[1]", "DNS_NAME_INVALID"),
                ("installation.dns_names[2]", "DNS_NAME_FOREIGN"),
                ("installation.dns_names[3]", "DNS_NAME_RESERVED"),
                ("installation.dns_names", "DNS_NAME_TAKEN"),
                ("installation.version", "VERSION_INVALID"),
                ("installation.image", "IMAGE_INVALID"),
                ("installation.size", "SIZE_UNKNOWN"),
                ("installation.affinity", "AFFINITY_UNKNOWN"),
                ("installation.mattermost_env[1BAD]", "ENV_NAME_INVALID"),
                ("installation.mattermost_env[EMPTY]", "ENV_SOURCE_REQUIRED"),
            },
            refusal.Fields().ToHashSet());
    }

    [Fact]
    public async Task An_id_that_never_was_is_not_found_and_no_name_at_all_is_the_callers_mistake()
    {
        var never = Installation.NameOf(ResourceId.New());
        var refusal = await Refused.With("RESOURCE_NOT_FOUND", () => _system.GetAsync(never));
        Assert.Equal(StatusCode.NotFound, refusal.StatusCode);

        foreach (var name in new[]
        {
            "", "acme", "clusters/x", "installations/acme", "installations/", $"{never}/x",
            $"clusters/{ResourceId.New()}",
        })
        {
            await Refused.With("RESOURCE_NAME_INVALID", () => _system.GetAsync(name));
        }

        await Refused.With("RESOURCE_NOT_FOUND", async () => await Client.HibernateInstallationAsync(
            new() { Name = never }, cancellationToken: Cut));
        await Refused.With("RESOURCE_NOT_FOUND", async () => await Client.UpdateInstallationAsync(
            new() { Installation = new() { Name = never, Version = "1" } }, cancellationToken: Cut));
        await Refused.With("RESOURCE_NOT_FOUND", async () => await Client.WhyInstallationAsync(
            new() { Name = never }, cancellationToken: Cut));
        await Refused.With(
            "RESOURCE_NAME_INVALID", async () => await Client.UpdateInstallationAsync(new(), cancellationToken: Cut));
    }

    [Fact]
    public async Task A_deleted_installation_takes_no_verb()
    {
        var acme = await _system.StableAsync("gone");
        await Client.DeleteInstallationAsync(
            new() { Name = acme.Name, PendingTime = new Duration() }, cancellationToken: Cut);
        await _system.UntilAsync(acme.Name, "deleted");
        var refusal = await Refused.With("STATE_WRONG", async () =>
            await Client.WakeUpInstallationAsync(new() { Name = acme.Name }, cancellationToken: Cut));
        Assert.Equal("deleted", refusal.Metadata("state"));
    }

    [Fact]
    public async Task A_name_that_is_taken_is_said_to_be()
    {
        await _system.CreateAsync("wanted");
        var refusal = await Refused.With("DNS_NAME_TAKEN", () => _system.CreateAsync("wanted"));
        Assert.Equal(StatusCode.AlreadyExists, refusal.StatusCode);
        Assert.Equal("wanted.localhost", refusal.Metadata("value"));
    }

    [Fact]
    public async Task Of_many_that_want_one_name_at_once_one_gets_it_and_nothing_is_left_of_the_others()
    {
        var asked = await Task.WhenAll(Enumerable.Range(0, 20).Select(async n =>
        {
            try
            {
                string[] names = ["raced.localhost", "raced2.localhost"];
                if (n % 2 == 0)
                {
                    names = ["raced2.localhost", "raced.localhost"];
                }

                await Client.CreateInstallationAsync(
                    new() { Installation = new() { DnsNames = { names } } }, cancellationToken: Cut);
                return "";
            }
            catch (RpcException e) when (e.StatusCode == StatusCode.AlreadyExists)
            {
                return "taken";
            }
        }));
        Assert.Single(asked, "");
        var rows = await _system.QueryAsync(
            "SELECT count(*) FROM installations WHERE 'raced.localhost' = ANY (dns_names)");
        Assert.Equal(1L, Assert.Single(rows));
    }

    [Fact]
    public async Task A_stale_etag_is_refused_with_the_current_one()
    {
        var acme = await _system.StableAsync("etag");
        var refusal = await Refused.With("ETAG_MISMATCH", async () =>
            await Client.HibernateInstallationAsync(new() { Name = acme.Name, Etag = "1" }, cancellationToken: Cut));
        Assert.Equal(StatusCode.Aborted, refusal.StatusCode);
        Assert.Equal(acme.Etag, refusal.Metadata("current"));
        await Refused.With("ETAG_MISMATCH", async () => await Client.UpdateInstallationAsync(
            new() { Installation = new() { Name = acme.Name, Etag = "x", Version = "2" } }, cancellationToken: Cut));
        await Client.HibernateInstallationAsync(new() { Name = acme.Name, Etag = acme.Etag }, cancellationToken: Cut);
    }

    [Fact]
    public async Task A_repeated_request_id_answers_the_same_installation_and_another_request_under_it_is_refused()
    {
        var request = new Proto.CreateInstallationRequest { NameHint = "once", RequestId = "r-1" };
        var first = await Client.CreateInstallationAsync(request, cancellationToken: Cut);
        var second = await Client.CreateInstallationAsync(request, cancellationToken: Cut);
        Assert.Equal(first, second);
        await Refused.With("REQUEST_ID_REUSED", async () => await Client.CreateInstallationAsync(
            new() { NameHint = "twice", RequestId = "r-1" }, cancellationToken: Cut));
    }

    [Fact]
    public async Task Only_checking_writes_nothing()
    {
        var wished = await Client.CreateInstallationAsync(
            new() { NameHint = "dry", ValidateOnly = true }, cancellationToken: Cut);
        Assert.Equal(("", "http://dry.localhost:8080/", "creation-requested"), (wished.Name, wished.Url, wished.State));
        Assert.Empty(await _system.QueryAsync("SELECT id FROM installations WHERE 'dry.localhost' = ANY (dns_names)"));
        await _system.CreateAsync("dry");
        await Refused.With("DNS_NAME_TAKEN", async () => await Client.CreateInstallationAsync(
            new() { NameHint = "dry", ValidateOnly = true }, cancellationToken: Cut));
    }

    [Fact]
    public async Task A_mask_with_paths_that_cannot_be_updated_is_refused_with_those_that_can()
    {
        var acme = await _system.StableAsync("mask");
        var refusal = await Refused.With("FIELDS_INVALID", async () => await Client.UpdateInstallationAsync(
            new()
            {
                Installation = new() { Name = acme.Name },
                UpdateMask = new FieldMask { Paths = { "state", "affinity", "nonsense", "dns_names" } },
            },
            cancellationToken: Cut));
        Assert.Equal(3, refusal.Fields().Count(f => f == ("update_mask", "UPDATE_MASK_INVALID")));
        Assert.Contains(("installation.dns_names", "DNS_NAME_REQUIRED"), refusal.Fields());
    }

    [Fact]
    public async Task Filters_and_tokens_that_are_none_are_refused()
    {
        var refusal = await Refused.With("FIELDS_INVALID", async () => await Client.ListInstallationsAsync(
            new()
            {
                Filter = new() { States = { "stable", "happy" }, Size = "huge", Cluster = "local-a" },
                PageToken = "nonsense",
                PageSize = -1,
            },
            cancellationToken: Cut));
        Assert.Equal(
            [
                ("filter.states", "STATE_UNKNOWN"), ("filter.cluster", "RESOURCE_NAME_INVALID"),
                ("filter.size", "SIZE_UNKNOWN"), ("page_token", "PAGE_TOKEN_INVALID"),
                ("page_size", "PAGE_SIZE_INVALID"),
            ],
            refusal.Fields());
        await Refused.With("STATE_UNKNOWN", async () => await Client.CountInstallationsAsync(
            new() { Filter = new() { States = { "happy" } } }, cancellationToken: Cut));
        await Refused.With("RESUME_TOKEN_INVALID", async () =>
        {
            using var stream = Client.WatchInstallations(new() { ResumeToken = "nonsense" }, cancellationToken: Cut);
            return await stream.ResponseStream.MoveNext(Cut);
        });
    }

    [Fact]
    public async Task A_pending_time_out_of_range_is_refused()
    {
        var acme = await _system.CreateAsync("pending");
        (string Reason, Duration Time)[] impossible =
        [
            ("PENDING_TIME_INVALID", new() { Seconds = -1 }),
            ("PENDING_TIME_INVALID", new() { Seconds = (long)InstallationService.MaxPendingTime.TotalSeconds + 1 }),
            ("PENDING_TIME_INVALID", new() { Seconds = Duration.MaxSeconds }),
            ("DURATION_INVALID", new() { Seconds = long.MaxValue }),
            ("DURATION_INVALID", new() { Seconds = 1, Nanos = -1 }),
            ("DURATION_INVALID", new() { Nanos = int.MaxValue }),
        ];
        foreach (var (reason, time) in impossible)
        {
            await Refused.With(reason, async () => await Client.DeleteInstallationAsync(
                new() { Name = acme.Name, PendingTime = time }, cancellationToken: Cut));
        }
    }

    [Fact]
    public async Task A_wrong_name_hides_nothing_else_that_is_wrong()
    {
        var refusal = await Refused.With("FIELDS_INVALID", async () => await Client.DeleteInstallationAsync(
            new() { Name = "x", PendingTime = new() { Seconds = -5 } }, cancellationToken: Cut));
        Assert.Equal(
            [("name", "RESOURCE_NAME_INVALID"), ("pending_time", "PENDING_TIME_INVALID")], refusal.Fields());

        refusal = await Refused.With("FIELDS_INVALID", async () => await Client.UpdateInstallationAsync(
            new()
            {
                Installation = new() { Name = "x", Size = "huge" },
                UpdateMask = new FieldMask { Paths = { "state", "size" } },
            },
            cancellationToken: Cut));
        Assert.Equal(
            [
                ("installation.name", "RESOURCE_NAME_INVALID"), ("update_mask", "UPDATE_MASK_INVALID"),
                ("installation.size", "SIZE_UNKNOWN"),
            ],
            refusal.Fields());
    }

    [Fact]
    public async Task Text_that_cannot_be_stored_is_refused() =>
        await Refused.With("TEXT_INVALID", async () => await Client.ListInstallationsAsync(
            new() { Filter = new() { OwnerId = "a\0b" } }, cancellationToken: Cut));
}
