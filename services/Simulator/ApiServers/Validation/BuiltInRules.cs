using System.Text.Json.Nodes;
using Cloud.Simulator.ApiServers.ResourceTypes;

namespace Cloud.Simulator.ApiServers.Validation;

/// <summary>What built-in kinds demand beyond types.</summary>
public static class BuiltInRules
{
    /// <summary>Everything wrong with an object; with how it changed when there was one before.</summary>
    public static IEnumerable<FieldError> Check(ResourceType type, JsonObject obj, JsonObject? before) => [];
}
