using System.Net;
using Cloud.LocalPostgres;
using Cloud.ServiceDefaults.Supervision;
using Cloud.ServiceDefaults.Tests.Parcels;
using Cloud.TestHost;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Npgsql;
using Xunit;

namespace Cloud.ServiceDefaults.Tests.Supervision;

/// <summary>What PostgreSQL may answer at any time. None of it ends the process.</summary>
public sealed class Troubles
{
    private static CancellationToken Ct => Patience.Token;

    [Theory]
    [InlineData("40P01")] // deadlock
    [InlineData("40001")] // serialization failure
    [InlineData("57014")] // cancelled by an administrator, or by a timeout
    [InlineData("53300")] // too many connections
    [InlineData("42501")] // no permission: a restore gone wrong
    public async Task Refused_writes_are_tried_again_until_they_work(string sqlState)
    {
        await using var depot = await Depot.OpenAsync(Ct);
        await depot.InsertSilentlyAsync(Parcel.To("forgotten"), Ct);
        var due = await depot.InsertSilentlyAsync(
            Parcel.To("due") with { NextAttemptAt = depot.Clock.GetUtcNow() }, Ct);
        await depot.ExecuteAsync(
            $"""
            CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN RAISE EXCEPTION 'refused' USING ERRCODE = '{sqlState}'; END $$;
            CREATE TRIGGER refuse BEFORE UPDATE ON parcels FOR EACH STATEMENT EXECUTE FUNCTION refuse()
            """,
            Ct);
        var process = await depot.StartAsync(Ct);
        await process.Faults.PassedAsync("claim.before", 1, Ct);
        await depot.TurnClockUntilAsync(
            process.Faults.PassedAsync("claim.before", 3, Ct), TimeSpan.FromSeconds(1), Ct);
        Assert.Contains(Health(process).Paused, loop => loop.Name == "parcel");
        await depot.ExecuteAsync("DROP TRIGGER refuse ON parcels", Ct);

        await depot.TurnClockUntilAsync(
            process.UntilAsync(due.Id, ParcelState.Delivered, Ct), TimeSpan.FromSeconds(1), Ct);
        await depot.TurnClockUntilAsync(
            process.DeliverAsync("after", Ct), TimeSpan.FromSeconds(1), Ct);
        await depot.TurnClockUntilAsync(() => Health(process).Paused.Count == 0, TimeSpan.FromSeconds(1), Ct);
        Assert.False(Lifetime(process).ApplicationStopping.IsCancellationRequested);
    }

    [Fact]
    public async Task A_loop_that_is_stopped_before_it_could_begin_ends_without_a_word()
    {
        var admin = await PostgresServer.AdminConnectionStringAsync(Ct);
        var nowhere = new NpgsqlConnectionStringBuilder(admin) { Port = PostgresProcess.FreePort() };
        await using var depot = Depot.OpenOn(new TestDatabase("nothing", admin, nowhere.ConnectionString));
        var process = await depot.StartUnreadyAsync(Ct);
        var loop = process.Services.GetServices<IHostedService>().OfType<Supervisor<Parcel, ParcelState>>().Single();
        using var http = new HttpClient(process.Handler, disposeHandler: false);
        using var unready = await http.GetAsync(new Uri("http://parcels/health/ready"), Ct);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, unready.StatusCode);

        await loop.StopAsync(Ct);

        Assert.True(loop.ExecuteTask!.IsCompletedSuccessfully, $"{loop.ExecuteTask.Status}");
    }

    [Fact]
    public async Task A_look_that_is_refused_pauses_the_loop_and_it_goes_on_by_itself()
    {
        await using var depot = await Depot.OpenAsync(Ct);
        var process = await depot.StartAsync(Ct);
        await process.DeliverAsync("before", Ct);
        await depot.ExecuteAsync("ALTER TABLE parcels RENAME TO parcels_elsewhere", Ct);
        await depot.TurnClockUntilAsync(() => Health(process).Paused.Count > 0, TimeSpan.FromSeconds(10), Ct);
        var paused = Assert.Single(Health(process).Paused, loop => loop.Name == "parcel");
        Assert.Contains("parcels", paused.Reason, StringComparison.Ordinal);
        using var http = new HttpClient(process.Handler, disposeHandler: false);
        var health = await http.GetStringAsync(new Uri("http://parcels/health"), Ct);
        Assert.Contains("These loops pause: parcel since", health, StringComparison.Ordinal);
        await depot.ExecuteAsync("ALTER TABLE parcels_elsewhere RENAME TO parcels", Ct);

        await depot.TurnClockUntilAsync(process.DeliverAsync("after", Ct), TimeSpan.FromSeconds(1), Ct);
        Assert.False(Lifetime(process).ApplicationStopping.IsCancellationRequested);
    }

    [Fact]
    public async Task Rows_in_states_of_newer_code_are_left_to_newer_replicas()
    {
        await using var depot = await Depot.OpenAsync(Ct);
        var newer = await depot.InsertSilentlyAsync(
            Parcel.To("newer") with { NextAttemptAt = depot.Clock.GetUtcNow() }, Ct);
        await depot.ExecuteAsync($"UPDATE parcels SET state = 'state-of-tomorrow' WHERE id = '{newer.Id}'", Ct);
        var process = await depot.StartAsync(Ct);
        await process.DeliverAsync("before", Ct);
        await process.NudgeAsync(newer.Id, Ct);
        await process.Faults.PassedAsync("pull-forward.after", 1, Ct);
        await process.DeliverAsync("after", Ct);
        Assert.Empty(Health(process).Paused);
    }

    private static LoopHealth Health(ParcelProcess process) => process.Services.GetRequiredService<LoopHealth>();

    private static IHostApplicationLifetime Lifetime(ParcelProcess process) =>
        process.Services.GetRequiredService<IHostApplicationLifetime>();
}
