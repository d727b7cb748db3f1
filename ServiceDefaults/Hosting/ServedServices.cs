using Grpc.AspNetCore.Server;
using Microsoft.AspNetCore.Routing;

namespace Cloud.ServiceDefaults.Hosting;

/// <summary>The gRPC services that this process serves, by what it has mapped when it is asked.</summary>
internal sealed class ServedServices
{
    /// <summary>What has been mapped; set while the application is put together.</summary>
    public IEnumerable<EndpointDataSource> Sources { get; set; } = [];

    /// <summary>Full names, and the empty one that stands for all of them.</summary>
    public IReadOnlyCollection<string> Names() =>
    [
        "",
        .. Sources.SelectMany(source => source.Endpoints)
            .Select(endpoint => endpoint.Metadata.GetMetadata<GrpcMethodMetadata>()?.Method.ServiceName)
            .OfType<string>()
            .Distinct(StringComparer.Ordinal),
    ];
}
