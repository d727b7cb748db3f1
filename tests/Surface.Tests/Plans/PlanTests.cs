using System.Reflection;
using Cloud.ClusterInstallations;
using Cloud.DatabaseServers;
using Cloud.Events;
using Cloud.Installations;
using Cloud.ServiceDefaults.Supervision;
using Cloud.TestHost;
using Xunit;

namespace Cloud.Surface.Tests.Plans;

/// <summary>
/// What the services ask of PostgreSQL with 100,000 rows in every table, by the plans of the statements that they
/// really send: nothing that a loop, a nudge, a delivery or a reading does may look at more than
/// <see cref="RowsMax"/> rows of a table beside those that it answers, or at a table as a whole.
/// </summary>
public sealed class PlanTests(SeededCloudlet seeded) : IClassFixture<SeededCloudlet>
{
    /// <summary>The largest batch (1,000 rows), and as many again that do not fit.</summary>
    private const double RowsMax = 2_000;

    /// <summary>What may read more, and why. One that does not is no exception: the test fails.</summary>
    private static readonly Dictionary<string, string> Exceptions = new()
    {
        ["InstallationStore.CountAsync"] = "Counts what it is asked to count, for a person.",
        ["DeliveryStore.ListAsync"] = "A filter within the log of one webhook, which is at most 10,000 long.",
        ["DeliveryStore.PruneAsync"] = "Every ten minutes: up to 10,000 entries of an index for each webhook.",
    };

    private static readonly Dictionary<string, Assembly> Services = new()
    {
        ["installation"] = typeof(InstallationRules).Assembly,
        ["cluster"] = typeof(ClusterInstallationRules).Assembly,
        ["databasepool"] = typeof(DatabaseServerService).Assembly,
        ["metrics"] = typeof(EventService).Assembly,
    };

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task What_stores_and_loops_ask_reads_hardly_more_than_it_answers()
    {
        foreach (var (host, assembly) in Services)
        {
            foreach (var store in StoreCalls.StoresOf(assembly))
            {
                await SendLoopAsync(host, store);
                foreach (var method in StoreCalls.MethodsOf(store))
                {
                    seeded.Plans.Caller = $"{store.Name}.{method.Name}";
                    await new StoreCalls(host, seeded.Cloudlet.Services(host), Ct).CallAsync(method);
                }
            }
        }

        seeded.Plans.Caller = null;
        var wide = Wide();
        Assert.Empty(wide.Where(w => !Exceptions.ContainsKey(w.Caller)).Select(w => w.What));
        Assert.Empty(Exceptions.Keys.Except(wide.Select(w => w.Caller)));
    }

    /// <summary>The statements of the loop of a store's noun, if it has one.</summary>
    private async Task SendLoopAsync(string host, Type store)
    {
        if (store.BaseType is not { IsGenericType: true } loop
            || loop.GetGenericTypeDefinition() != typeof(SupervisedStore<,>))
        {
            return;
        }

        seeded.Plans.Caller = $"{store.Name}, the loop";
        var unsent = await (Task<IReadOnlyList<string>>)typeof(LoopStatements)
            .GetMethod(nameof(LoopStatements.SendAsync))!.MakeGenericMethod(loop.GenericTypeArguments)
            .Invoke(null, [seeded.Cloudlet.Services(host), Seeds.Due, seeded.Plans, Ct])!;
        Assert.Empty(unsent.Select(statement => $"{store.Name}: {statement} was not sent"));
    }

    private IReadOnlyList<(string Caller, string What)> Wide() =>
    [
        .. from plan in seeded.Plans.All
           from read in plan.Reads
           where IsWide(read, plan.Answered)
           group read by (plan.Caller, plan.Sql, read.Table) into same
           let worst = same.MaxBy(read => read.Rows)
           select (
               same.Key.Caller,
               $"{same.Key.Caller} reads {worst.Rows:0} rows of {worst.Table} ({worst.How}), {same.Count()} times: "
                   + same.Key.Sql),
    ];

    private static bool IsWide(PlanNode read, double answered) =>
        read.Rows > RowsMax + Math.Min(answered, Seeds.OfOneOfFew)
        || (read.How.StartsWith("Seq Scan", StringComparison.Ordinal) && !Seeds.IsSmall(read.Table));
}
