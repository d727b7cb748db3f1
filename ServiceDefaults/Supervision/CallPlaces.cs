namespace Cloud.ServiceDefaults.Supervision;

/// <summary>Puts every HTTP call to the outside between two places, <c>call.&lt;target&gt;.before</c> and
/// <c>.after</c>. Before: nothing was sent. After: the other side has answered, and we know nothing of it
/// yet.</summary>
/// <param name="checkpoints">Who hears of it.</param>
/// <param name="target">Who is called: a service's name, <c>kubernetes</c>.</param>
public sealed class CallPlaces(Checkpoints checkpoints, string target) : DelegatingHandler
{
    private readonly string _before = $"call.{target}.before";
    private readonly string _after = $"call.{target}.after";

    /// <inheritdoc/>
    protected override async Task<HttpResponseMessage> SendAsync(
        HttpRequestMessage request, CancellationToken cancellationToken)
    {
        await checkpoints.PassAsync(_before, cancellationToken);
        var response = await base.SendAsync(request, cancellationToken);
        try
        {
            await checkpoints.PassAsync(_after, cancellationToken);
            return response;
        }
        catch
        {
            response.Dispose();
            throw;
        }
    }
}
