using System.Net;
using Cloud.LocalPostgres;
using Cloud.ServiceDefaults.Storage;
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
    public async Task A_schema_that_cannot_be_brought_up_to_date_is_tried_again_until_it_can()
    {
        await using var empty = await PostgresServer.DatabaseAsync("empty", (_, _) => Task.CompletedTask, Ct);
        await using var depot = Depot.OpenOn(empty);
        await using var rival = await depot.Source.OpenConnectionAsync(Ct);
        await using var transaction = await rival.BeginTransactionAsync(Ct);
        await using (var turn = new NpgsqlCommand(
            """
            CREATE TABLE outbox (in_the_way int);
            SELECT pg_advisory_xact_lock(hashtext('migrations'), hashtext(current_schema()))
            """,
            rival,
            transaction))
        {
            await turn.ExecuteNonQueryAsync(Ct);
        }

        // An administrator cancels its wait; then a migration fails.
        var process = await depot.StartUnreadyAsync(Ct);
        await using var cancel = depot.Source.CreateCommand(
            """
            SELECT count(pg_cancel_backend(pid)) FROM pg_stat_activity
             WHERE datname = current_database() AND wait_event_type = 'Lock' AND wait_event = 'advisory'
            """);
        await depot.TurnClockUntilAsync(
            async () => (long)(await cancel.ExecuteScalarAsync(Ct))! > 0, TimeSpan.Zero, Ct);
        await depot.TurnClockUntilAsync(() => Reason(process).Contains("57014"), TimeSpan.Zero, Ct);
        await transaction.CommitAsync(Ct);
        await depot.TurnClockUntilAsync(
            () => Reason(process).Contains("\"outbox\" already exists"), TimeSpan.FromSeconds(1), Ct);
        Assert.Contains("Migration shared/", Reason(process), StringComparison.Ordinal);
        await depot.ExecuteAsync("DROP TABLE outbox", Ct);

        await depot.TurnClockUntilAsync(
            process.Services.GetRequiredService<SchemaGate>().ReadyAsync(Ct), TimeSpan.FromSeconds(1), Ct);
        await depot.TurnClockUntilAsync(process.DeliverAsync("after", Ct), TimeSpan.FromSeconds(1), Ct);
        Assert.Empty(Health(process).Paused);
        Assert.False(Lifetime(process).ApplicationStopping.IsCancellationRequested);

        static string Reason(ParcelProcess process) =>
            Health(process).Paused.SingleOrDefault(loop => loop.Name == "schema")?.Reason ?? string.Empty;
    }

    [Fact]
    public async Task A_table_whose_every_claim_is_refused_is_tried_a_few_rows_at_a_time()
    {
        const int StepsAtOnce = 4;
        await using var depot = await Depot.OpenAsync(Ct);
        await depot.InsertSilentlyAsync(Parcel.To("due") with { NextAttemptAt = depot.Clock.GetUtcNow() }, Ct);
        // More than one look fetches, so that there is always more to try at once.
        await depot.ExecuteAsync(
            """
            CREATE TABLE more AS SELECT parcels.* FROM parcels, generate_series(1, 600);
            UPDATE more SET id = 'more-' || ctid, address = 'more-' || ctid;
            INSERT INTO parcels SELECT * FROM more
            """,
            Ct);
        await depot.ExecuteAsync("ALTER TABLE parcels RENAME COLUMN claimed_by TO claimed_by_whom", Ct);
        var process = await depot.StartAsync(Ct, limits: o => o.StepsAtOnce = StepsAtOnce);

        var turns = 0;
        while (process.Faults.TimesPassed("set-aside.before") < 3 * StepsAtOnce)
        {
            depot.Clock.Advance(TimeSpan.FromSeconds(15));
            turns++;
            await Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System, Ct);
            Assert.InRange(process.Faults.TimesPassed("claim.before"), 0, (turns + 1) * StepsAtOnce);
        }

        await depot.TurnClockUntilAsync(
            () => Health(process).Paused.Any(loop => loop is { Name: "parcel", Reason: var reason }
                && reason.Contains("claimed_by", StringComparison.Ordinal)),
            TimeSpan.FromSeconds(1),
            Ct);
        await depot.ExecuteAsync("ALTER TABLE parcels RENAME COLUMN claimed_by_whom TO claimed_by", Ct);
        await depot.TurnClockUntilAsync(process.DeliverAsync("after", Ct), TimeSpan.FromSeconds(1), Ct);
        await depot.TurnClockUntilAsync(() => Health(process).Paused.Count == 0, TimeSpan.FromSeconds(1), Ct);
    }

    [Fact]
    public async Task A_row_that_cannot_be_read_is_set_aside_with_its_reason_and_holds_nobody_up()
    {
        await using var depot = await Depot.OpenAsync(Ct);
        var broken = await depot.InsertSilentlyAsync(
            Parcel.To("broken") with { NextAttemptAt = depot.Clock.GetUtcNow() }, Ct);
        await depot.ExecuteAsync($"UPDATE parcels SET urgency = 'third-class' WHERE id = '{broken.Id}'", Ct);
        var process = await depot.StartAsync(Ct);
        await depot.TurnClockUntilAsync(() => FailuresAsync(3), TimeSpan.FromSeconds(1), Ct);

        await process.DeliverAsync("beside it", Ct);
        Assert.Empty(Health(process).Paused);
        var (wait, reason) = (
            (TimeSpan)(await ScalarAsync("next_attempt_at - looked_at"))!, (string)(await ScalarAsync("last_error"))!);
        Assert.InRange(wait, TimeSpan.FromSeconds(2), Backoff.Longest);
        Assert.Contains("third-class", reason, StringComparison.Ordinal);
        Assert.Equal("UNEXPECTED", await ScalarAsync("last_error_code"));

        await depot.ExecuteAsync($"UPDATE parcels SET urgency = 'first-class' WHERE id = '{broken.Id}'", Ct);
        await depot.TurnClockUntilAsync(
            process.UntilAsync(broken.Id, ParcelState.Delivered, Ct), TimeSpan.FromSeconds(10), Ct);

        async Task<bool> FailuresAsync(int least) => (int)(await ScalarAsync("attempts"))! >= least;

        async Task<object?> ScalarAsync(string what)
        {
            await using var command = depot.Source.CreateCommand(
                $"SELECT {what} FROM parcels WHERE id = '{broken.Id}'");
            return await command.ExecuteScalarAsync(Ct);
        }
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
