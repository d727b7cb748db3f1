using System.Collections.Concurrent;
using System.Net;
using Cloud.Protos.DatabasePool.V1;
using Grpc.Core;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Cloud.ClusterTests;

/// <summary>The one thing that this service asks of the database-pool service, over the real protocol and by its rules:
/// each issue ends the credentials before it, and a holder with a lower epoch is refused.</summary>
public sealed class CredentialsDesk : IAsyncDisposable
{
    private readonly WebApplication _app;

    private CredentialsDesk(WebApplication app) => _app = app;

    /// <summary>Where it listens, as configuration has it.</summary>
    public KeyValuePair<string, string?> Setting => new("services:database-pool:grpc:0",
        _app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single());

    /// <summary>What was issued, by logical database, oldest first; the last one is in force.</summary>
    public ConcurrentDictionary<string, ConcurrentQueue<string>> Issued =>
        _app.Services.GetRequiredService<Book>().Issued;

    public static async Task<CredentialsDesk> OpenAsync(CancellationToken ct)
    {
        // Not the directory of this program: the settings of the service under test lie there.
        var builder = WebApplication.CreateSlimBuilder(
            new WebApplicationOptions { ContentRootPath = Path.GetTempPath() });
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel =>
            kestrel.Listen(IPAddress.Loopback, 0, listen => listen.Protocols = HttpProtocols.Http2));
        builder.Services.AddGrpc();
        builder.Services.AddSingleton<Book>();
        var app = builder.Build();
        app.MapGrpcService<Clerk>();
        await app.StartAsync(ct);
        return new CredentialsDesk(app);
    }

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    private sealed class Book
    {
        private readonly Lock _gate = new();
        private readonly Dictionary<string, long> _epochs = [];

        public ConcurrentDictionary<string, ConcurrentQueue<string>> Issued { get; } = new();

        public string Issue(string database, long epoch)
        {
            lock (_gate)
            {
                if (_epochs.GetValueOrDefault(database) > epoch)
                    throw new RpcException(new Status(StatusCode.Aborted, "a later holder has them"));
                _epochs[database] = epoch;
                var issued = Issued.GetOrAdd(database, _ => new());
                var password = $"password-{issued.Count + 1}";
                issued.Enqueue(password);
                return password;
            }
        }
    }

    private sealed class Clerk(Book book) : LogicalDatabaseService.LogicalDatabaseServiceBase
    {
        public override Task<LogicalDatabaseCredentials> IssueLogicalDatabaseCredentials(
            IssueLogicalDatabaseCredentialsRequest request, ServerCallContext context)
        {
            var password = book.Issue(request.Name, request.HolderEpoch);
            return Task.FromResult(new LogicalDatabaseCredentials
            {
                LogicalDatabase = request.Name,
                ConnectionString = $"postgres://u:{password}@h/d",
                DataSource = $"postgres://u:{password}@h/d?binary_parameters=yes",
            });
        }
    }
}
