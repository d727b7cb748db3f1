using Cloud.Operator.Leading;
using Cloud.Operator.Reconciling;
using Cloud.Watching;

namespace Cloud.Operator;

/// <summary>Puts the operator together; the program and its tests do it the same way.</summary>
public static class OperatorHosting
{
    /// <summary>A watch that has heard nothing for this long is broken beyond its own means to recover.</summary>
    private static readonly TimeSpan SilenceMax = TimeSpan.FromMinutes(20);

    /// <summary>Registers everything.</summary>
    /// <param name="kubeconfig">Path of a kubeconfig; null for the service account of this pod.</param>
    public static void AddOperator(
        this IHostApplicationBuilder builder, OperatorOptions options, string? kubeconfig)
    {
        builder.Services.AddSingleton(options);
        builder.Services.AddSingleton(TimeProvider.System);
        builder.Services.AddSingleton(s => string.IsNullOrEmpty(kubeconfig)
            ? KubernetesClients.InCluster(s.GetRequiredService<TimeProvider>())
            : KubernetesClients.FromFile(kubeconfig, s.GetRequiredService<TimeProvider>()));
        builder.Services.AddSingleton<ClusterView>();
        builder.Services.AddSingleton<StatusWriter>();
        builder.Services.AddSingleton<Children>();
        builder.Services.AddSingleton(s => ActivatorUtilities.CreateInstance<EventRecorder>(s, options.Instance));
        builder.Services.AddSingleton(new Slots(options.MaxReconcilingInstallations));
        builder.Services.AddSingleton<SpecPhases>();
        builder.Services.AddSingleton<NetworkPhases>();
        builder.Services.AddSingleton<RolloutPhases>();
        builder.Services.AddSingleton<Reconciler>();
        builder.Services.AddSingleton<Elector>();
        builder.Services.AddSingleton<Measures>();
        builder.Services.AddSingleton<Controller>();
        builder.Services.AddHostedService(s => s.GetRequiredService<Controller>());
    }

    /// <summary>
    /// <c>/healthz</c>: the process is worth keeping. <c>/readyz</c>: it knows its cluster. Both name what is wrong.
    /// </summary>
    public static void MapOperatorHealth(this WebApplication app)
    {
        var view = app.Services.GetRequiredService<ClusterView>();
        var controller = app.Services.GetRequiredService<Controller>();
        var time = app.Services.GetRequiredService<TimeProvider>();
        app.MapGet("/healthz", () => Answer(view.Statuses
            .Where(s => time.GetUtcNow() - s.Status.LastContact > SilenceMax)
            .Select(s => $"{s.Kind}: silent since {s.Status.LastContact:u}")));
        app.MapGet("/readyz", () => Answer(controller.IsReady
            ? []
            : view.Statuses.Where(s => !s.Status.Synced)
                .Select(s => $"{s.Kind}: {s.Status.LastError?.Message ?? "not listed yet"}")));
    }

    private static IResult Answer(IEnumerable<string> problems)
    {
        var list = problems.ToList();
        return list.Count == 0
            ? Results.Text("ok")
            : Results.Text(string.Join('\n', list), statusCode: StatusCodes.Status503ServiceUnavailable);
    }
}
