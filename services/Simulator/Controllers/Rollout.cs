using System.Globalization;
using System.Text.Json.Nodes;

namespace Cloud.Simulator.Controllers;

/// <summary>
/// One look at a Deployment and its ReplicaSets: which is the newest, and how many pods the strategy allows.
/// </summary>
internal sealed class Rollout
{
    public const string HashLabel = "pod-template-hash";
    public const string RevisionAnnotation = "deployment.kubernetes.io/revision";
    public const string DesiredAnnotation = "deployment.kubernetes.io/desired-replicas";
    public const string MaxAnnotation = "deployment.kubernetes.io/max-replicas";
    private const string LastApplied = "kubectl.kubernetes.io/last-applied-configuration";
    private JsonObject? _newest;

    private Rollout(JsonObject deployment, List<JsonObject> sets, JsonObject? newest, string hash)
    {
        Deployment = deployment;
        _newest = newest;
        Old = [.. sets.Where(s => s != newest).OrderBy(s => s.CreatedAt()).ThenBy(Revision)];
        Hash = hash;
    }

    public JsonObject Deployment { get; set; }

    /// <summary>The set made from the present template; null until it is made.</summary>
    public JsonObject? Newest { get => _newest; set => _newest = value; }

    public List<JsonObject> Old { get; }

    public string Hash { get; }

    public bool CreatedNewest { get; set; }

    public IEnumerable<JsonObject> All => Newest is null ? Old : Old.Append(Newest);

    public int Wanted => (int)(Deployment.Number("spec", "replicas") ?? 1);

    public bool Paused => Deployment.Flag("spec", "paused") == true;

    public bool Recreate => Deployment.Text("spec", "strategy", "type") == "Recreate";

    /// <summary>How many pods there may be at once.</summary>
    public int Most => Wanted + (Recreate ? 0 : Surge);

    /// <summary>How many pods must be available at any time.</summary>
    public int Least => Math.Max(0, Wanted - MaxUnavailable);

    public int MaxUnavailable
    {
        get
        {
            if (Recreate || Wanted == 0) return 0;
            var allowed = Share("maxUnavailable", roundUp: false);
            // Both zero (after rounding) would never move.
            return Math.Min(Wanted, allowed == 0 && Surge == 0 ? 1 : allowed);
        }
    }

    public long NextRevision => Old.Select(Revision).DefaultIfEmpty(0).Max() + 1;

    /// <summary>True when the Deployment was scaled since its sets were last sized.</summary>
    public bool IsScaling => All.Any(s => s.Int("spec", "replicas") > 0
        && int.TryParse(s.Annotation(DesiredAnnotation), CultureInfo.InvariantCulture, out var desired)
        && desired != Wanted);

    public bool IsComplete => Newest is not null
        && Newest.Int("status", "replicas") == Wanted && Newest.Int("status", "availableReplicas") == Wanted
        && All.Sum(s => s.Int("status", "replicas")) == Wanted;

    private int Surge => Share("maxSurge", roundUp: true);

    public static Rollout Of(JsonObject deployment, List<JsonObject> sets)
    {
        var template = deployment.At("spec", "template") ?? new JsonObject();
        var collisions = deployment.Int("status", "collisionCount");
        var hash = RandomNames.Hash(template.ToJsonString() + (collisions > 0 ? $"#{collisions}" : ""));
        var newest = sets.Where(s => s.Labels().Text(HashLabel) == hash || SameTemplate(s, template))
            .OrderBy(s => s.CreatedAt()).FirstOrDefault();
        return new Rollout(deployment, sets, newest, hash);
    }

    public static long Revision(JsonObject set) =>
        long.TryParse(set.Annotation(RevisionAnnotation), CultureInfo.InvariantCulture, out var number) ? number : 0;

    /// <summary>How many replicas the newest set may have, given what it has.</summary>
    public int RoomForNew(int has)
    {
        var room = Most - All.Sum(s => s.Int("spec", "replicas"));
        return room <= 0 ? has : has + Math.Min(room, Math.Max(0, Wanted - has));
    }

    public JsonObject AnnotationsForSets(long revision)
    {
        var annotations = new JsonObject();
        foreach (var (name, value) in Deployment.Pairs("metadata", "annotations"))
        {
            if (name is not (LastApplied or RevisionAnnotation or DesiredAnnotation or MaxAnnotation))
                annotations[name] = value;
        }
        annotations[RevisionAnnotation] = revision.ToString(CultureInfo.InvariantCulture);
        annotations[DesiredAnnotation] = Wanted.ToString(CultureInfo.InvariantCulture);
        annotations[MaxAnnotation] = Most.ToString(CultureInfo.InvariantCulture);
        return annotations;
    }

    private static bool SameTemplate(JsonObject set, JsonNode template)
    {
        if (set.At("spec", "template")?.DeepClone() is not JsonObject own) return false;
        own.Child("metadata").Child("labels").Remove(HashLabel);
        return JsonNode.DeepEquals(own, template);
    }

    private int Share(string field, bool roundUp)
    {
        var value = Deployment.At("spec", "strategy", "rollingUpdate", field);
        var text = value.Text() ?? "25%";
        if (!text.EndsWith('%'))
            return int.TryParse(text, CultureInfo.InvariantCulture, out var number) ? number : 0;
        if (!int.TryParse(text[..^1], CultureInfo.InvariantCulture, out var percent)) return 0;
        var exact = Wanted * percent / 100.0;
        return (int)(roundUp ? Math.Ceiling(exact) : Math.Floor(exact));
    }
}
