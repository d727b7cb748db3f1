using System.Reflection;

namespace Aspire.Hosting.Testing;

/// <summary>
/// How a test gets hold of an AppHost that runs its own Main: the builder pauses before building and hands itself over;
/// the built application is handed over instead of run; Main goes on when the test has disposed of it.
/// </summary>
internal sealed class Interception(Assembly entryAssembly, string[] args) : IDisposable
{
    private static readonly AsyncLocal<Interception?> Ambient = new();

    private readonly TaskCompletionSource<IDistributedApplicationBuilder> _builder =
        NewSignal<IDistributedApplicationBuilder>();
    private readonly TaskCompletionSource<DistributedApplication> _application = NewSignal<DistributedApplication>();
    private readonly TaskCompletionSource _finished = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly ManualResetEventSlim _mayBuild = new();

    /// <summary>The interception that the code calling us runs under.</summary>
    public static Interception? Current => Ambient.Value;

    public Assembly EntryAssembly { get; } = entryAssembly;

    public string[] Args { get; } = args;

    public Task<IDistributedApplicationBuilder> Builder => _builder.Task;

    /// <summary>Runs Main on a thread of its own until it describes an application, or fails.</summary>
    public void Begin()
    {
        Ambient.Value = this;
        var thread = new Thread(RunMain) { IsBackground = true, Name = "AppHost Main" };
        thread.Start();
        Ambient.Value = null;
    }

    public void PauseBeforeBuild(IDistributedApplicationBuilder builder)
    {
        _builder.TrySetResult(builder);
        _mayBuild.Wait();
    }

    public Task<DistributedApplication> BuildAsync()
    {
        _mayBuild.Set();
        return _application.Task;
    }

    public Task HandOverAsync(DistributedApplication application)
    {
        _application.TrySetResult(application);
        return _finished.Task;
    }

    /// <summary>Lets Main go on to its end.</summary>
    public void Dispose()
    {
        _mayBuild.Set();
        _finished.TrySetResult();
    }

    private void RunMain()
    {
        try
        {
            var main = EntryAssembly.EntryPoint
                ?? throw new DistributedApplicationException($"{EntryAssembly.GetName().Name} has no entry point.");
            main.Invoke(null, main.GetParameters().Length == 0 ? [] : [Args]);
            Fail(new DistributedApplicationException(
                $"The AppHost ended with code {Environment.ExitCode} before it ran."));
        }
        catch (TargetInvocationException e)
        {
            Fail(e.InnerException ?? e);
        }
    }

    private void Fail(Exception e)
    {
        _builder.TrySetException(e);
        _application.TrySetException(e);
    }

    private static TaskCompletionSource<T> NewSignal<T>() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
