using Cloud.ServiceDefaults.Hosting;
using Cloud.ServiceDefaults.Storage;

namespace Cloud.Requests;

/// <summary>Resource names in requests: <c>collection/{id}</c>.</summary>
public static class ResourceName
{
    /// <summary>
    /// The id in a name; a name of another form is a problem of the request, answered by an empty id.
    /// </summary>
    public static string IdOf(string name, string collection, string field, FieldProblems problems)
    {
        var prefix = collection + "/";
        if (name.StartsWith(prefix, StringComparison.Ordinal) && ResourceId.IsValid(name[prefix.Length..]))
        {
            return name[prefix.Length..];
        }

        problems.Add(
            field,
            $"must be {prefix}{{id}} with an id of {ResourceId.Length} characters of [a-z0-9]",
            "NAME_INVALID");
        return "";
    }

    /// <summary>As above for a request whose only problem it could be.</summary>
    public static string IdOf(string name, string collection)
    {
        var problems = new FieldProblems();
        var id = IdOf(name, collection, "name", problems);
        problems.ThrowIfAny();
        return id;
    }

    /// <summary>Says which of the states asked for are none.</summary>
    public static void CheckStates<TState>(IEnumerable<string> states, FieldProblems problems)
        where TState : struct, Enum
    {
        foreach (var state in states.Where(s => !StateNames<TState>.TryParse(s, out _)))
        {
            problems.Add(
                "states", $"'{state}' is no state; known are {string.Join(", ", StateNames<TState>.All)}",
                "STATE_UNKNOWN");
        }
    }

    /// <summary>Refuses a change that was decided on an older row. An empty etag asks for no such check.</summary>
    public static void CheckEtag(string name, string given, string current)
    {
        if (given.Length > 0 && given != current)
        {
            throw Problem.EtagMismatch(name, given, current);
        }
    }
}
