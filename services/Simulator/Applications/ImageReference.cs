namespace Cloud.Simulator.Applications;

/// <summary>An image's repository and its tag or digest, as in <c>registry:5000/name:tag@sha256:…</c>.</summary>
internal sealed record ImageReference(string Repository, string Version)
{
    private static readonly string[] DefaultRegistries = ["docker.io/", "index.docker.io/"];

    /// <summary>True for images that stand for one that no registry has.</summary>
    public bool IsMissing =>
        Version.Contains("bad", StringComparison.Ordinal)
        || Version.Contains("does-not-exist", StringComparison.Ordinal)
        || Repository.Contains("does-not-exist", StringComparison.Ordinal);

    public static ImageReference Parse(string image)
    {
        var digest = image.IndexOf('@', StringComparison.Ordinal);
        var named = digest < 0 ? image : image[..digest];
        var colon = named.LastIndexOf(':');
        var hasTag = colon > named.LastIndexOf('/');
        var repository = hasTag ? named[..colon] : named;
        foreach (var registry in DefaultRegistries)
        {
            if (repository.StartsWith(registry, StringComparison.Ordinal)) repository = repository[registry.Length..];
        }
        if (hasTag) return new(repository, named[(colon + 1)..]);
        return new(repository, digest < 0 ? "latest" : image[(digest + 1)..]);
    }
}
