using System.Collections;
using Aspire.Hosting.ApplicationModel;
using Cloud.Processes;
using Microsoft.Extensions.Configuration;

namespace Aspire.Hosting.Running;

/// <summary>Turns what is known about a resource into the program, arguments and variables of one replica.</summary>
internal static class Launch
{
    // What belongs to the AppHost's own process and would mislead a child that inherited it.
    private static readonly string[] NotInherited =
        ["ASPNETCORE_", "DOTNET_ENVIRONMENT", "ConnectionStrings__", "Parameters__", "Kestrel__", "MSBUILD"];

    public static async Task<ProgramStart> OfAsync(
        IResource resource, string replicaId, Func<string, int> targetPort, CancellationToken cancellationToken)
    {
        var arguments = await ArgumentsAsync(resource, cancellationToken);
        var environment = await EnvironmentAsync(resource, replicaId, targetPort, cancellationToken);
        if (resource is ExecutableResource executable)
        {
            return new ProgramStart(executable.Command, arguments)
            {
                WorkingDirectory = executable.WorkingDirectory, Environment = environment,
            };
        }

        var project = resource.Annotations.OfType<IProjectMetadata>().Single();
        return new ProgramStart("dotnet", ["exec", project.TargetPath, .. arguments])
        {
            // The content root, where appsettings.json is, as under "dotnet run".
            WorkingDirectory = Path.GetDirectoryName(project.ProjectPath), Environment = environment,
        };
    }

    private static async Task<IReadOnlyList<string>> ArgumentsAsync(
        IResource resource, CancellationToken cancellationToken)
    {
        var context = new CommandLineArgsCallbackContext();
        foreach (var annotation in resource.Annotations.OfType<CommandLineArgsCallbackAnnotation>())
        {
            await annotation.Callback(context);
        }

        var arguments = new List<string>();
        foreach (var argument in context.Args)
        {
            arguments.Add(await TextAsync(argument, cancellationToken));
        }

        return arguments;
    }

    private static async Task<IReadOnlyDictionary<string, string?>> EnvironmentAsync(
        IResource resource, string replicaId, Func<string, int> targetPort, CancellationToken cancellationToken)
    {
        var variables = new Dictionary<string, string?>();
        foreach (DictionaryEntry inherited in Environment.GetEnvironmentVariables())
        {
            var name = (string)inherited.Key;
            if (Array.Exists(NotInherited, prefix => name.StartsWith(prefix, StringComparison.OrdinalIgnoreCase)))
            {
                variables[name] = null;
            }
        }

        foreach (var project in resource.Annotations.OfType<IProjectMetadata>())
        {
            AddLaunchProfile(project, variables);
        }

        variables["OTEL_SERVICE_NAME"] = resource.Name;
        variables["OTEL_RESOURCE_ATTRIBUTES"] = $"service.instance.id={replicaId}";
        variables["LOGGING__CONSOLE__FORMATTERNAME"] = "simple";
        variables["LOGGING__CONSOLE__FORMATTEROPTIONS__SINGLELINE"] = "true";
        variables["LOGGING__CONSOLE__FORMATTEROPTIONS__TIMESTAMPFORMAT"] = "HH:mm:ss.fff ";
        foreach (var endpoint in resource.Annotations.OfType<EndpointAnnotation>())
        {
            var port = targetPort(endpoint.Name);
            if (endpoint.KestrelKey is { } key)
            {
                variables[$"Kestrel__Endpoints__{key}__Url"] = $"{endpoint.UriScheme}://{endpoint.TargetHost}:{port}";
            }

            if (endpoint.Variable is { } variable)
            {
                variables[variable] = ResourceExtensions.Port(port);
            }
        }

        var context = new EnvironmentCallbackContext(cancellationToken);
        foreach (var annotation in resource.Annotations.OfType<EnvironmentCallbackAnnotation>())
        {
            await annotation.Callback(context);
        }

        foreach (var (name, value) in context.EnvironmentVariables)
        {
            variables[name] = await TextAsync(value, cancellationToken);
        }

        return variables;
    }

    // The first profile of the project, as "dotnet run" takes it.
    private static void AddLaunchProfile(IProjectMetadata project, Dictionary<string, string?> variables)
    {
        var path = Path.Combine(Path.GetDirectoryName(project.ProjectPath)!, "Properties", "launchSettings.json");
        var profile = new ConfigurationBuilder().AddJsonFile(path, optional: true).Build()
            .GetSection("profiles").GetChildren().FirstOrDefault(section => section["commandName"] == "Project");
        if (profile is not null)
        {
            variables["DOTNET_LAUNCH_PROFILE"] = profile.Key;
            foreach (var variable in profile.GetSection("environmentVariables").GetChildren())
            {
                variables[variable.Key] = variable.Value;
            }
        }
    }

    private static async Task<string> TextAsync(object value, CancellationToken cancellationToken) => value switch
    {
        string text => text,
        IValueProvider provider => await provider.GetValueAsync(cancellationToken) ?? "",
        IResourceBuilder<ParameterResource> parameter => await TextAsync(parameter.Resource, cancellationToken),
        _ => throw new DistributedApplicationException($"A value of type {value.GetType().Name} has no text."),
    };
}
