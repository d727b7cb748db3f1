using Cloud.Protos.Installation.V1;
using Grpc.Net.Client;

namespace Cloud.Benchmarks;

/// <summary>The running services that are measured.</summary>
internal sealed class World(int portOffset) : IDisposable
{
    private const int InstallationPort = 7101;

    private readonly GrpcChannel _channel = GrpcChannel.ForAddress($"http://127.0.0.1:{InstallationPort + portOffset}");

    public InstallationService.InstallationServiceClient Installations => new(_channel);

    public void Dispose() => _channel.Dispose();
}
