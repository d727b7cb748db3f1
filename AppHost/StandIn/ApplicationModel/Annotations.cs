namespace Aspire.Hosting.ApplicationModel;

/// <summary>A place where a resource listens.</summary>
public sealed class EndpointAnnotation(string name, string uriScheme) : IResourceAnnotation
{
    public string Name { get; } = name;

    public string UriScheme { get; set; } = uriScheme;

    /// <summary>The port others use; null takes any free one.</summary>
    public int? Port { get; set; }

    /// <summary>The port the program is told; null leaves it to us.</summary>
    public int? TargetPort { get; set; }

    /// <summary>False keeps everything between the caller and the program out of the way.</summary>
    public bool IsProxied { get; set; } = true;

    public string TargetHost { get; set; } = "127.0.0.1";

    /// <summary>The variable that tells the program its port.</summary>
    internal string? Variable { get; init; }

    /// <summary>The key under <c>Kestrel:Endpoints</c> it came from.</summary>
    internal string? KestrelKey { get; init; }

    /// <summary>Where others find it; null until the application starts.</summary>
    public AllocatedEndpoint? AllocatedEndpoint { get; set; }
}

/// <summary>Where an endpoint really is.</summary>
public sealed record AllocatedEndpoint(string UriScheme, string Address, int Port)
{
    public string UriString => $"{UriScheme}://{Address}:{Port}";
}

/// <summary>What is built from a project reference.</summary>
public interface IProjectMetadata : IResourceAnnotation
{
    string ProjectPath { get; }

    bool SuppressBuild => false;

    /// <summary>The program the build made. Stand-in only: it starts this directly.</summary>
    string TargetPath { get; }
}

/// <summary>How many copies run.</summary>
public sealed record ReplicaAnnotation(int Replicas) : IResourceAnnotation;

/// <summary>How a resource waits for another.</summary>
public enum WaitType
{
    WaitUntilHealthy,
    WaitForCompletion,
    WaitUntilStarted,
}

/// <summary>A resource waits for another.</summary>
public sealed record WaitAnnotation(IResource Resource, WaitType WaitType, int ExitCode = 0) : IResourceAnnotation;

/// <summary>Something decides environment variables when the program starts.</summary>
public sealed record EnvironmentCallbackAnnotation(Func<EnvironmentCallbackContext, Task> Callback)
    : IResourceAnnotation;

/// <summary>The variables so far; values may be strings or <see cref="IValueProvider"/>s.</summary>
public sealed class EnvironmentCallbackContext(CancellationToken cancellationToken)
{
    public Dictionary<string, object> EnvironmentVariables { get; } = [];

    public CancellationToken CancellationToken { get; } = cancellationToken;
}

/// <summary>Something decides arguments when the program starts.</summary>
public sealed record CommandLineArgsCallbackAnnotation(Func<CommandLineArgsCallbackContext, Task> Callback)
    : IResourceAnnotation;

/// <summary>The arguments so far; they may be strings or <see cref="IValueProvider"/>s.</summary>
public sealed class CommandLineArgsCallbackContext
{
    public IList<object> Args { get; } = [];
}

/// <summary>A check registered on the builder's services by this key decides health.</summary>
public sealed record HealthCheckAnnotation(string Key) : IResourceAnnotation;

/// <summary>An HTTP answer of each replica decides health.</summary>
internal sealed record HttpHealthAnnotation(string? EndpointName, string Path, int StatusCode) : IResourceAnnotation;
