using Cloud.Protos.Cluster.V1;
using Cloud.Protos.Supervision.V1;

namespace Cloud.Installations.Tests.World;

/// <summary>Something another service keeps for an installation.</summary>
internal sealed class Resource(string name, string installation, string state, string? settlesIn)
{
    public string Name => name;

    public string Installation => installation;

    public string State { get; private set; } = state;

    public string? Error { get; private set; }

    public ClusterInstallationSpec? Spec { get; set; }

    public long Epoch { get; set; }

    public bool IsGone => State == "deleted";

    private string? SettlesIn { get; set; } = settlesIn;

    /// <summary>Work begins.</summary>
    public void Begin(string now, string end)
    {
        State = now;
        SettlesIn = end;
        Error = null;
    }

    /// <summary>The work under way ends, well or badly.</summary>
    public void Settle(string? failure)
    {
        if (SettlesIn is not { } end)
        {
            return;
        }

        SettlesIn = null;
        Error = failure;
        State = failure is null ? end : end == "deleted" ? "deletion-failed" : "creation-failed";
    }

    public Progress Progress => new()
    {
        WaitingFor = SettlesIn is null ? "" : $"waits to become {SettlesIn}",
        LastError = Error is null
            ? null
            : new StepError { Code = "WORLD_FAILED", Message = Error, Fault = Fault.Operator },
    };
}
