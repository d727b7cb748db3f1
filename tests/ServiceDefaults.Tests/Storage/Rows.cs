using Cloud.ServiceDefaults.Hosting;
using Cloud.ServiceDefaults.Storage;
using Cloud.ServiceDefaults.Supervision;
using Cloud.ServiceDefaults.Tests.Parcels;
using Cloud.TestHost;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;
using Xunit;

namespace Cloud.ServiceDefaults.Tests.Storage;

public sealed class Rows
{
    private static CancellationToken Ct => Patience.Token;

    [Fact]
    public async Task PostgreSQL_lets_go_of_a_host_that_is_lost_within_half_a_minute()
    {
        await using var depot = await Depot.OpenAsync(Ct);
        var process = await depot.StartAsync(Ct);
        var source = process.Services.GetRequiredService<NpgsqlDataSource>();
        await using var command = source.CreateCommand(PostgresServer.SecondsUntilLostHostIsNoticed);
        Assert.InRange((long)(await command.ExecuteScalarAsync(Ct))!, 1, 30);
    }

    [Theory]
    [InlineData("db.example.com", true)]
    [InlineData("/run/postgresql", false)]
    public void The_service_notices_a_server_whose_host_is_lost(string host, bool isFar)
    {
        var connections = new NpgsqlConnectionStringBuilder { Host = host };
        LostHosts.ClientNotices(connections);
        Assert.Equal(isFar, connections is { TcpKeepAlive: true, TcpKeepAliveTime: > 0, TcpKeepAliveInterval: > 0 });
        Assert.Equal(isFar, connections.TcpKeepAliveTime > 0);
    }

    [Fact]
    public async Task A_service_asks_for_it_on_its_own_connections()
    {
        await using var depot = await Depot.OpenAsync(Ct);
        var process = await depot.StartAsync(Ct);
        Assert.True(new NpgsqlConnectionStringBuilder(process.Database.Source.ConnectionString).TcpKeepAliveTime > 0);
    }

    [Fact]
    public async Task A_record_comes_back_as_it_was_written()
    {
        await using var depot = await Depot.OpenAsync(Ct);
        var full = Parcel.To("12 O'Connell Street; DROP TABLE parcels") with
        {
            State = ParcelState.Delivered,
            Depot = "north",
            Urgency = Urgency.FirstClass,
            Weight = 2.5,
            InsuredFor = 12.34m,
            Fragile = true,
            Stamps = new Dictionary<string, string> { ["queen"] = "1d", ["king \"x\""] = "2d" },
            Stops = [new Stop("Bonn", 1), new Stop("Köln", 2)],
            Tags = ["a", "b,c"],
            Seal = [0, 255, 7],
            PromisedWithin = TimeSpan.FromHours(30),
            CollectedAt = new DateTimeOffset(2031, 1, 2, 3, 4, 5, TimeSpan.FromHours(2)),
            LastErrorFault = Fault.Operator,
            LastErrorCode = "X",
            Note = "not stored",
        };
        var written = await depot.InsertSilentlyAsync(full, Ct);
        Assert.Equivalent(
            written with { Note = "", CollectedAt = written.CollectedAt!.Value.ToUniversalTime() },
            await depot.FindAsync(full.Id, Ct),
            strict: true);

        var bare = await depot.InsertSilentlyAsync(Parcel.To("bare"), Ct);
        Assert.Equivalent(bare, await depot.FindAsync(bare.Id, Ct), strict: true);
    }

    [Fact]
    public async Task A_store_finds_rows_by_its_own_conditions()
    {
        await using var depot = await Depot.OpenAsync(Ct);
        var process = await depot.StartAsync(Ct);
        var parcel = await process.Store.AddAsync(Parcel.To("A"), Ct);
        await process.UntilAsync(parcel.Id, ParcelState.Delivered, Ct);
        var found = await process.Store.InStatesAsync(Ct, ParcelState.Delivered, ParcelState.Deleted);
        Assert.Equal(parcel.Id, Assert.Single(found).Id);
        Assert.Empty(await process.Store.InStatesAsync(Ct, ParcelState.Deleted));
        Assert.Null(await process.Store.FindAsync("nobody", Ct));
        Assert.Null(await process.Store.RequestAsync("nobody", p => p, Ct));
    }

    [Fact]
    public async Task A_request_that_changes_nothing_writes_nothing()
    {
        await using var depot = await Depot.OpenAsync(Ct);
        var process = await depot.StartAsync(Ct);
        var parcel = await process.Store.AddAsync(Parcel.To("A"), Ct);
        var delivered = await process.UntilAsync(parcel.Id, ParcelState.Delivered, Ct);
        var same = await process.Store.RequestAsync(parcel.Id, p => p with { Address = "A" }, Ct);
        Assert.Equal(delivered.Version, same!.Version);
        var changed = await process.Store.RequestAsync(parcel.Id, p => p with { Weight = 7 }, Ct);
        Assert.Equal(delivered.Version + 1, changed!.Version);
        Assert.Null(changed.NextAttemptAt);
        Assert.Equal(4, (await depot.HistoryAsync(parcel.Id, Ct)).Count);
    }

    [Fact]
    public void State_names_are_the_kebab_case_of_the_enum_and_go_both_ways()
    {
        foreach (var state in Enum.GetValues<ParcelState>())
        {
            Assert.Equal(state, StateNames<ParcelState>.Parse(StateNames<ParcelState>.Of(state)));
        }

        Assert.Equal("dispatch-requested", StateNames<ParcelState>.Of(ParcelState.DispatchRequested));
        Assert.False(StateNames<ParcelState>.TryParse("Delivered", out _));
        Assert.False(StateNames<ParcelState>.TryParse(null, out _));
        Assert.Throws<FormatException>(() => StateNames<ParcelState>.Parse("lost"));
    }

    [Fact]
    public void Ids_are_26_lower_case_letters_and_digits()
    {
        for (var n = 0; n < 1000; n++)
        {
            Assert.Matches("^[a-z][a-z0-9]{25}$", ResourceId.New());
        }

        Assert.True(ResourceId.IsValid(ResourceId.New()));
        Assert.False(ResourceId.IsValid("1" + ResourceId.New()[1..]));
        Assert.False(ResourceId.IsValid(ResourceId.New().ToUpperInvariant()));
        Assert.False(ResourceId.IsValid(null));
    }
}
