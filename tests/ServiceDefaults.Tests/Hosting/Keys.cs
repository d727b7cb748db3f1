using Cloud.ServiceDefaults.Hosting;
using Cloud.TestHost;
using Microsoft.AspNetCore.DataProtection;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Xunit;

namespace Cloud.ServiceDefaults.Tests.Hosting;

public sealed class Keys
{
    private const int Replicas = 4;

    private static CancellationToken Ct => Patience.Token;

    [Fact]
    public async Task Replicas_that_start_together_make_one_key_and_read_what_each_other_wrote()
    {
        using var directory = new TemporaryDirectory();
        var path = Path.Combine(directory.Path, "keys");
        var replicas = Enumerable.Range(0, Replicas).Select(_ => Replica("Production", path)).ToList();
        await Task.WhenAll(replicas.Select(replica => replica.StartAsync(Ct)));

        Assert.Single(Directory.GetFiles(path, "key-*.xml"));
        var protectors = replicas
            .Select(r => r.Services.GetRequiredService<IDataProtectionProvider>().CreateProtector("secrets"))
            .ToList();
        var secret = protectors[0].Protect("kubeconfig");
        Assert.All(protectors, protector => Assert.Equal("kubeconfig", protector.Unprotect(secret)));
        replicas.ForEach(replica => replica.Dispose());
    }

    [Fact]
    public async Task Without_a_directory_for_its_keys_a_service_refuses_to_start_in_production_only()
    {
        using var replica = Replica("Production", path: null);
        var refusal = await Assert.ThrowsAsync<InvalidOperationException>(() => replica.StartAsync(Ct));
        Assert.Contains("DataProtection:KeysPath is not set", refusal.Message, StringComparison.Ordinal);

        using var laptop = Replica("Development", path: null);
        await laptop.StartAsync(Ct);
    }

    private static IHost Replica(string environment, string? path)
    {
        var builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings
        {
            EnvironmentName = environment,
        });
        builder.Logging.ClearProviders();
        builder.Configuration["DataProtection:KeysPath"] = path;
        KeyRing.AddTo(builder.Services, builder.Configuration, "replicated");
        return builder.Build();
    }
}
