namespace Cloud.Chaos;

/// <summary>Several runs one after the other, told as they end; a table of all when there was more than one.</summary>
internal sealed class Series(TimeSpan time, string folder)
{
    /// <summary>Runs each seed.</summary>
    /// <returns>The exit code: 0 when nothing was broken.</returns>
    public async Task<int> RunAsync(IReadOnlyList<int> seeds, CancellationToken ct)
    {
        var lines = new List<string>();
        var broken = 0;
        foreach (var seed in seeds)
        {
            if (ct.IsCancellationRequested)
            {
                break;
            }

            var own = Path.Combine(folder, $"seed-{seed}");
            var line = await RunAsync(seed, own, ct);
            broken += line.IsClean ? 0 : 1;
            lines.Add(line.Text);
            await Console.Out.WriteLineAsync(line.Text);
        }

        if (seeds.Count > 1)
        {
            await Console.Out.WriteLineAsync(
                $"\n{string.Join('\n', lines)}\n{lines.Count - broken} clean, {broken} broken");
        }

        return broken == 0 ? 0 : 1;
    }

    private async Task<(bool IsClean, string Text)> RunAsync(int seed, string own, CancellationToken ct)
    {
        try
        {
            var result = await ChaosRun.RunAsync(seed, time, own, ct);
            if (result.Breaches.Count > 0)
            {
                await Console.Out.WriteLineAsync(result.Tell(own));
            }

            return (result.Breaches.Count == 0, result.Summary);
        }
        catch (Exception e) when (
            ct.IsCancellationRequested && e is OperationCanceledException or Grpc.Core.RpcException)
        {
            return (false, $"seed {seed}: stopped before its end");
        }
        catch (Exception e) when (e is InvalidOperationException or TimeoutException or HttpRequestException
                                      or Grpc.Core.RpcException or Npgsql.NpgsqlException)
        {
            return (false, $"seed {seed}: could not be run to its end: {e}");
        }
    }
}
