using Cloud.Protos.Api.V1;
using Cloud.Protos.Installation.V1;
using Cloud.ServiceDefaults.Hosting;
using Cloud.ServiceDefaults.Storage;
using Cloud.ServiceDefaults.Tests.Parcels;
using Cloud.TestHost;
using Google.Protobuf.WellKnownTypes;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;
using Xunit;

namespace Cloud.ServiceDefaults.Tests.Storage;

public sealed class Requests
{
    private static CancellationToken Ct => Patience.Token;

    [Fact]
    public async Task A_repeated_request_id_answers_the_same_and_works_once()
    {
        await using var depot = await Depot.OpenAsync(Ct);
        var ledger = (await depot.StartAsync(Ct)).Services.GetRequiredService<RequestLedger>();
        var worked = 0;
        var answers = await Task.WhenAll(
            Enumerable.Range(0, 10).Select(_ => AskAsync(ledger, "id-1", "same", () => ++worked)));
        Assert.All(answers, answer => Assert.Equal("answer 1", answer));
        Assert.Equal(1, worked);
        Assert.Equal("answer 2", await AskAsync(ledger, "id-2", "same", () => ++worked));
        Assert.Equal("answer 3", await AskAsync(ledger, "", "same", () => ++worked));
        Assert.Equal("answer 4", await AskAsync(ledger, "", "same", () => ++worked));
    }

    [Fact]
    public async Task Old_request_ids_are_forgotten_a_few_at_a_time()
    {
        await using var depot = await Depot.OpenAsync(Ct);
        var services = (await depot.StartAsync(Ct)).Services;
        var ledger = services.GetRequiredService<RequestLedger>();
        var outbox = services.GetRequiredService<OutboxStore>();
        foreach (var id in new[] { "id-1", "id-2", "id-3" })
        {
            await AskAsync(ledger, id, "same", () => 1);
        }

        var now = depot.Clock.GetUtcNow();
        Assert.Equal(0, await outbox.ForgetRequestsAsync(now.AddSeconds(-1), max: 2, Ct));
        Assert.Equal(2, await outbox.ForgetRequestsAsync(now.AddSeconds(1), max: 2, Ct));
        Assert.Equal(1, await outbox.ForgetRequestsAsync(now.AddSeconds(1), max: 2, Ct));
    }

    [Fact]
    public async Task A_request_id_used_for_something_else_is_refused()
    {
        await using var depot = await Depot.OpenAsync(Ct);
        var ledger = (await depot.StartAsync(Ct)).Services.GetRequiredService<RequestLedger>();
        await AskAsync(ledger, "id-1", "one", () => 1);
        var problem = await Assert.ThrowsAsync<ProblemException>(() => AskAsync(ledger, "id-1", "other", () => 2));
        Assert.Equal(ErrorReason.RequestIdReused, problem.Reason);
    }

    [Fact]
    public async Task A_request_that_failed_may_be_sent_again()
    {
        await using var depot = await Depot.OpenAsync(Ct);
        var ledger = (await depot.StartAsync(Ct)).Services.GetRequiredService<RequestLedger>();
        await Assert.ThrowsAsync<ProblemException>(() => AskAsync(
            ledger,
            "id-1",
            "same",
            () => throw Problem.Unavailable(ErrorReason.Stopping, "away", TimeSpan.FromSeconds(1))));
        Assert.Equal("answer 7", await AskAsync(ledger, "id-1", "same", () => 7));
    }

    [Fact]
    public async Task After_a_day_an_id_is_new_again()
    {
        await using var depot = await Depot.OpenAsync(Ct);
        var ledger = (await depot.StartAsync(Ct)).Services.GetRequiredService<RequestLedger>();
        await AskAsync(ledger, "id-1", "one", () => 1);
        depot.Clock.Advance(RequestLedger.KeptFor + TimeSpan.FromSeconds(1));
        Assert.Equal("answer 2", await AskAsync(ledger, "id-1", "other", () => 2));
    }

    [Fact]
    public async Task What_is_only_checked_is_undone_and_uses_up_no_id()
    {
        await using var depot = await Depot.OpenAsync(Ct);
        var services = (await depot.StartAsync(Ct)).Services;
        var ledger = services.GetRequiredService<RequestLedger>();
        var source = services.GetRequiredService<NpgsqlDataSource>();
        await using (var table = source.CreateCommand("CREATE TABLE notes (text text)"))
        {
            await table.ExecuteNonQueryAsync(Ct);
        }

        async Task<RetryInstallationRequest> Work(DatabaseTransaction transaction, CancellationToken ct)
        {
            await using var note = new NpgsqlCommand(
                "INSERT INTO notes VALUES ('x') RETURNING text", transaction.Connection, transaction.Transaction);
            return new RetryInstallationRequest { Name = (string)(await note.ExecuteScalarAsync(ct))! };
        }

        async Task<long> CountAsync()
        {
            await using var count = source.CreateCommand("SELECT count(*) FROM notes");
            return (long)(await count.ExecuteScalarAsync(Ct))!;
        }

        var request = new RetryInstallationRequest { RequestId = "id-1", ValidateOnly = true };
        Assert.Equal("x", (await ledger.MutateAsync("Test", request, Work, Ct)).Name);
        Assert.Equal(0, await CountAsync());

        request = new RetryInstallationRequest { RequestId = "id-1" };
        await ledger.MutateAsync("Test", request, Work, Ct);
        await ledger.MutateAsync("Test", request, Work, Ct);
        Assert.Equal(1, await CountAsync());
    }

    [Fact]
    public async Task A_map_in_another_order_is_the_same_request()
    {
        await using var depot = await Depot.OpenAsync(Ct);
        var ledger = (await depot.StartAsync(Ct)).Services.GetRequiredService<RequestLedger>();
        var there = new Struct { Fields = { ["a"] = Value.ForNumber(1), ["b"] = Value.ForNumber(2) } };
        var back = new Struct { Fields = { ["b"] = Value.ForNumber(2), ["a"] = Value.ForNumber(1) } };
        var worked = 0;
        Task<Int32Value> Work(DatabaseTransaction transaction, CancellationToken ct) =>
            Task.FromResult(new Int32Value { Value = ++worked });
        var first = await ledger.OnceAsync("Test", "id-1", there, Work, Ct);
        Assert.Equal(first, await ledger.OnceAsync("Test", "id-1", back, Work, Ct));
    }

    [Fact]
    public void A_page_token_is_bound_to_its_filter()
    {
        var filter = PageToken.HashOf("owner", null, "stable");
        var token = PageToken.Encode(filter, "last/key.with.dots");
        Assert.True(PageToken.TryDecode(token, filter, out var last));
        Assert.Equal("last/key.with.dots", last);
        Assert.False(PageToken.TryDecode(token, PageToken.HashOf("owner", "", "stable"), out _));
        Assert.False(PageToken.TryDecode(token[..^1] + "!", filter, out _));
        Assert.False(PageToken.TryDecode("garbage", filter, out _));
        Assert.False(PageToken.TryDecode("", filter, out _));
    }

    private static async Task<string> AskAsync(RequestLedger ledger, string requestId, string question, Func<int> work)
    {
        var answer = await ledger.OnceAsync(
            "Test",
            requestId,
            new StringValue { Value = question },
            (_, _) => Task.FromResult(new StringValue { Value = $"answer {work()}" }),
            Ct);
        return answer.Value;
    }
}
