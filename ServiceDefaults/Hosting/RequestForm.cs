using System.Collections;
using System.Collections.Concurrent;
using System.Globalization;
using Google.Protobuf;
using Google.Protobuf.Reflection;
using Google.Protobuf.WellKnownTypes;

namespace Cloud.ServiceDefaults.Hosting;

/// <summary>
/// What can be wrong with a request whatever it is about: texts too long or impossible to store, lists too large,
/// times and durations that are none. The contract itself says how much a field may hold (<c>cloud/api/v1</c>), so a
/// new field is bounded before anybody thinks of it. Fields that are only ever answered are passed over.
/// </summary>
public static class RequestForm
{
    /// <summary>Longest text of a field that does not say, in UTF-16 code units.</summary>
    public const int LengthDefault = 1024;

    /// <summary>Most entries of a list or map that does not say.</summary>
    public const int EntriesDefault = 1000;

    /// <summary>Most problems told at once; a request that is wrong in more ways hears of the rest later.</summary>
    private const int ProblemsMax = 100;

    private static readonly ConcurrentDictionary<MessageDescriptor, IReadOnlyList<CheckedField>> Plans = new();

    /// <summary>Everything that is wrong with the form of a request; empty when nothing is.</summary>
    public static IReadOnlyList<FieldProblem> ProblemsOf(IMessage request)
    {
        List<FieldProblem>? problems = null;
        Check(request, "", ref problems);
        return problems ?? (IReadOnlyList<FieldProblem>)[];
    }

    /// <summary>How much a field may hold.</summary>
    public static (int Length, int Entries) LimitOf(FieldDescriptor field)
    {
        var limit = field.GetOptions()?.GetExtension(AnnotationsExtensions.Limit);
        return (
            limit is { Length: > 0 } ? limit.Length : LengthDefault,
            limit is { Entries: > 0 } ? limit.Entries : EntriesDefault);
    }

    private static void Check(IMessage message, string at, ref List<FieldProblem>? problems)
    {
        foreach (var field in Plans.GetOrAdd(message.Descriptor, PlanOf))
        {
            if (problems?.Count >= ProblemsMax)
            {
                return;
            }

            switch (field.Descriptor.Accessor.GetValue(message))
            {
                case null:
                    break;
                case IDictionary map:
                    CheckMap(map, field, at + field.Name, ref problems);
                    break;
                case IList list:
                    CheckList(list, field, at + field.Name, ref problems);
                    break;
                case var value:
                    CheckValue(value, field.Length, at, field.Name, ref problems);
                    break;
            }
        }
    }

    private static void CheckValue(
        object value, int length, string at, string name, ref List<FieldProblem>? problems)
    {
        switch (value)
        {
            case string { Length: 0 }:
                break;
            case string text when text.Length > length:
                Add(at + name, $"At most {length} characters, not {text.Length}.",
                    ErrorReason.TextTooLong, ref problems);
                break;
            case string text when text.Contains('\0'):
                Add(at + name, "It holds the character U+0000; leave it out.", ErrorReason.TextInvalid, ref problems);
                break;
            case Timestamp time when !IsTime(time):
                Add(at + name, "It is no time of the years 1 to 9999.", ErrorReason.TimeInvalid, ref problems);
                break;
            case Duration duration when !IsDuration(duration):
                Add(at + name, "Seconds and nanoseconds are out of range or of two signs.", ErrorReason.DurationInvalid,
                    ref problems);
                break;
            case Timestamp or Duration:
                break;
            case IMessage inner:
                Check(inner, $"{at}{name}.", ref problems);
                break;
        }
    }

    private static void CheckList(IList list, CheckedField field, string at, ref List<FieldProblem>? problems)
    {
        if (IsTooMany(list.Count, field, at, ref problems))
        {
            return;
        }

        for (var n = 0; n < list.Count && field.HoldsTextOrMessages; n++)
        {
            CheckValue(list[n]!, field.Length, at, Index(n), ref problems);
        }
    }

    private static void CheckMap(IDictionary map, CheckedField field, string at, ref List<FieldProblem>? problems)
    {
        if (IsTooMany(map.Count, field, at, ref problems))
        {
            return;
        }

        foreach (DictionaryEntry entry in map)
        {
            var key = Convert.ToString(entry.Key, CultureInfo.InvariantCulture)!;
            CheckValue(key, LengthDefault, at, " (a key)", ref problems);
            CheckValue(entry.Value!, field.Length, at, $"[{Shown(key)}]", ref problems);
        }
    }

    private static bool IsTooMany(int count, CheckedField field, string at, ref List<FieldProblem>? problems)
    {
        if (count <= field.Entries)
        {
            return false;
        }

        Add(at, $"At most {field.Entries} entries, not {count}.", ErrorReason.EntriesTooMany, ref problems);
        return true;
    }

    private static void Add(string field, string description, ErrorReason reason, ref List<FieldProblem>? problems) =>
        (problems ??= []).Add(new FieldProblem(field, description, reason));

    private static string Index(int n) => string.Create(CultureInfo.InvariantCulture, $"[{n}]");

    /// <summary>A key as part of a path, which a client may print: short, and without what it could not.</summary>
    private static string Shown(string key) =>
        string.Concat((key.Length <= 64 ? key : key[..64]).Select(c => char.IsControl(c) ? '?' : c));

    private static bool IsTime(Timestamp time) =>
        time.Nanos is >= 0 and < Duration.NanosecondsPerSecond
        && time.Seconds >= DateTimeOffset.MinValue.ToUnixTimeSeconds()
        && time.Seconds <= DateTimeOffset.MaxValue.ToUnixTimeSeconds();

    private static bool IsDuration(Duration duration) =>
        Math.Abs((long)duration.Nanos) < Duration.NanosecondsPerSecond
        && duration.Seconds is >= Duration.MinSeconds and <= Duration.MaxSeconds
        && (duration.Seconds == 0 || duration.Nanos == 0 || (duration.Seconds < 0) == (duration.Nanos < 0));

    private static IReadOnlyList<CheckedField> PlanOf(MessageDescriptor message) =>
    [
        .. message.Fields.InDeclarationOrder()
            .Where(field => field.IsRepeated || HoldsTextOrMessage(field))
            .Where(field => field.GetOptions()?.GetExtension(AnnotationsExtensions.OutputOnly) is not true)
            .Select(field => new CheckedField(
                field, field.Name, LimitOf(field).Length, LimitOf(field).Entries, HoldsTextOrMessage(field))),
    ];

    private static bool HoldsTextOrMessage(FieldDescriptor field) =>
        field.FieldType is FieldType.String or FieldType.Message or FieldType.Group;

    private sealed record CheckedField(
        FieldDescriptor Descriptor, string Name, int Length, int Entries, bool HoldsTextOrMessages);
}
