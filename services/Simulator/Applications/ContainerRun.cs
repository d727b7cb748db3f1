using Cloud.Simulator.Controllers;

namespace Cloud.Simulator.Applications;

/// <summary>
/// One start of a container's program, as the cluster's loop sees it: whether it is ready, and how it ended.
/// Both properties change on the loop only; <c>changed</c> is called there afterwards.
/// </summary>
internal sealed class ContainerRun : IDisposable
{
    private readonly CancellationTokenSource _stop = new();
    private readonly ControllerLoop _loop;
    private readonly Action _changed;
    private bool _starting = true;
    private bool _settled;

    private ContainerRun(ContainerStart start, ControllerLoop loop, Action changed)
    {
        Start = start;
        _loop = loop;
        _changed = changed;
    }

    public ContainerStart Start { get; }

    public bool IsReady { get; private set; }

    /// <summary>How it ended; null while it runs.</summary>
    public ContainerExit? Exit { get; private set; }

    /// <summary>Completes once the program is over, whatever became of it.</summary>
    public Task Ended { get; private set; } = Task.CompletedTask;

    /// <summary>Starts a program. From the loop.</summary>
    public static ContainerRun Begin(
        IContainerProgram program, ContainerStart start, ControllerLoop loop, Action changed)
    {
        var run = new ContainerRun(start, loop, changed);
        loop.OutsideBegun();
        run.Ended = run.WatchOverAsync(program);
        run._starting = false;
        return run;
    }

    /// <summary>Asks the program to end; its <see cref="Exit"/> follows.</summary>
    public void Stop()
    {
        if (Exit is null) _stop.Cancel();
    }

    /// <summary>Done by the run itself when its program is over.</summary>
    public void Dispose() => _stop.Dispose();

    private async Task WatchOverAsync(IContainerProgram program)
    {
        ContainerExit exit;
        try
        {
            exit = await program.RunAsync(Start, OnReady, _stop.Token);
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            exit = ContainerExit.Stopped;
        }
        catch (Exception problem)
        {
            exit = new ContainerExit(1, problem.Message);
        }
        _loop.Post(() =>
        {
            Settle();
            Exit = exit;
            IsReady = false;
            _changed();
            Dispose();
        });
    }

    private void OnReady()
    {
        if (_starting)
        {
            // Still inside Begin, on the loop: no second round for something that is ready at once.
            IsReady = true;
            Settle();
            return;
        }
        _loop.Post(() =>
        {
            Settle();
            if (Exit is not null) return;
            IsReady = true;
            _changed();
        });
    }

    private void Settle()
    {
        if (_settled) return;
        _settled = true;
        _loop.OutsideEnded();
    }
}
