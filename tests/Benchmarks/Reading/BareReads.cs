using System.Globalization;
using Cloud.Benchmarks.Worlds;
using Cloud.Processes;
using Cloud.Protos.Installation.V1;
using Grpc.Core;
using Grpc.Net.Client;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace Cloud.Benchmarks.Reading;

/// <summary>The floor: replies as the product gives them, kept in a table, one query each.</summary>
internal sealed class BareReads(NpgsqlDataSource source) : InstallationService.InstallationServiceBase
{
    /// <summary>The verb under which this program starts itself as the floor's server.</summary>
    public const string Verb = "serve-bare-reads";

    /// <summary>Serves until it is stopped.</summary>
    public static async Task ServeAsync(string connectionString, int port, CancellationToken ct)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.ListenLocalhost(
            port, listen => listen.Protocols = HttpProtocols.Http2));
        builder.Services.AddGrpc();
        builder.Services.AddSingleton(
            NpgsqlDataSource.Create(connectionString + ";Max Auto Prepare=20;No Reset On Close=true"));
        builder.Services.AddSingleton<BareReads>();
        await using var app = builder.Build();
        app.MapGrpcService<BareReads>();
        await app.StartAsync(ct);
        await app.WaitForShutdownAsync(ct);
    }

    /// <summary>Starts it in a process of its own, on a table with what the product answers.</summary>
    public static async Task<(GuardedProcess Process, GrpcChannel Channel)> StartAsync(
        LocalStores stores, IEnumerable<Installation> rows, CancellationToken ct)
    {
        await using var source = NpgsqlDataSource.Create(stores.For("bench"));
        await using (var table = source.CreateCommand(
            "CREATE TABLE replies (position integer PRIMARY KEY, name text UNIQUE, reply bytea NOT NULL)"))
        {
            await table.ExecuteNonQueryAsync(ct);
        }

        await using (var connection = await source.OpenConnectionAsync(ct))
        await using (var copy = await connection.BeginBinaryImportAsync(
            "COPY replies FROM STDIN (FORMAT BINARY)", ct))
        {
            var position = 0;
            foreach (var row in rows)
            {
                await copy.WriteRowAsync(ct, position++, row.Name, Google.Protobuf.MessageExtensions.ToByteArray(row));
            }

            await copy.CompleteAsync(ct);
        }

        var port = LocalStores.FreePort();
        var log = new FileStream(Path.Combine(stores.Directory, "bare.log"), FileMode.Create, FileAccess.Write);
        var process = GuardedProcess.Start(
            new ProgramStart(
                "dotnet", "exec", typeof(BareReads).Assembly.Location, Verb, stores.For("bench"),
                port.ToString(CultureInfo.InvariantCulture)),
            log);
        var channel = GrpcChannel.ForAddress(LocalService.Loopback(port));
        await channel.ConnectAsync(ct);
        return (process, channel);
    }

    public override async Task<Installation> GetInstallation(GetInstallationRequest request, ServerCallContext context)
    {
        await using var command = source.CreateCommand("SELECT reply FROM replies WHERE name = $1");
        command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = request.Name });
        var reply = (byte[])(await command.ExecuteScalarAsync(context.CancellationToken))!;
        return Installation.Parser.ParseFrom(reply);
    }

    public override async Task<ListInstallationsResponse> ListInstallations(
        ListInstallationsRequest request, ServerCallContext context)
    {
        await using var command = source.CreateCommand(string.Create(
            CultureInfo.InvariantCulture, $"SELECT reply FROM replies ORDER BY position LIMIT {request.PageSize}"));
        await using var reader = await command.ExecuteReaderAsync(context.CancellationToken);
        var response = new ListInstallationsResponse();
        while (await reader.ReadAsync(context.CancellationToken))
        {
            response.Installations.Add(
                Installation.Parser.ParseFrom(await reader.GetFieldValueAsync<byte[]>(0, context.CancellationToken)));
        }

        return response;
    }
}
