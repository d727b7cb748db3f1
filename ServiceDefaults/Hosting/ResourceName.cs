namespace Cloud.ServiceDefaults.Hosting;

/// <summary>Resource names in requests: <c>collection/{id}</c>. A name of another collection, or one whose id cannot be
/// one, is the request's mistake; only a name that could be is looked up, and then NotFound.</summary>
public static class ResourceName
{
    /// <summary>The id in a name; of another form it is noted as a problem and answered by an empty id.</summary>
    public static string IdOf(string name, string collection, string field, FieldProblems problems)
    {
        if (name.Length == collection.Length + 1 + ResourceId.Length
            && name.StartsWith(collection, StringComparison.Ordinal) && name[collection.Length] == '/'
            && ResourceId.IsValid(name[(collection.Length + 1)..]))
        {
            return name[(collection.Length + 1)..];
        }

        problems.Add(
            field,
            $"'{name}' has not the form {collection}/{{id}} with an id of {ResourceId.Length} characters of [a-z0-9].",
            ErrorReason.ResourceNameInvalid);
        return "";
    }

    /// <summary>As above for a filter, where nothing does not restrict: null.</summary>
    public static string? FilterOf(string name, string collection, string field, FieldProblems problems) =>
        name.Length == 0 ? null : IdOf(name, collection, field, problems);

    /// <summary>As above for a request whose only problem it could be.</summary>
    public static string IdOf(string name, string collection, string field = "name")
    {
        var problems = new FieldProblems();
        var id = IdOf(name, collection, field, problems);
        problems.ThrowIfAny();
        return id;
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
