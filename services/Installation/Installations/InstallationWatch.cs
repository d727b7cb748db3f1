using Cloud.Protos.Installation.V1;
using Grpc.Core;
using Proto = Cloud.Protos.Installation.V1;

namespace Cloud.Installations;

/// <summary>Serves WatchInstallations.</summary>
public sealed class InstallationWatch(InstallationStore store, InstallationMessages messages, WatchStreams streams)
{
    /// <summary>Streams until the client or the service stops.</summary>
    public Task StreamAsync(
        WatchInstallationsRequest request,
        IServerStreamWriter<WatchInstallationsResponse> stream,
        CancellationToken ct)
    {
        var problems = new FieldProblems();
        var filter = InstallationFilter.Of(request.Filter, problems);
        problems.ThrowIfAny();
        return streams.RunAsync(
            new Watched<Installation, Proto.Installation>(Installation.Noun, Proto.Installation.Parser)
            {
                FilterHash = PageToken.HashOf("watch-installations", filter.Hash),
                Page = (after, limit, token) => store.ListAsync(filter, after, limit, token),
                Show = messages.Of,
                Matches = filter.Matches,
            },
            request.ResumeToken,
            message => stream.WriteAsync(
                new()
                {
                    Kind = message.Kind, Installation = message.Resource, PreviousState = message.PreviousState,
                    Reason = message.Reason, ResumeToken = message.ResumeToken,
                }),
            ct);
    }
}
