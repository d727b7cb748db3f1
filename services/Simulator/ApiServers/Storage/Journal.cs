using System.Collections.Immutable;
using System.Globalization;
using System.Text.Json;
using Cloud.Simulator.ApiServers.Objects;

namespace Cloud.Simulator.ApiServers.Storage;

/// <summary>What a journal kept: objects by kind, then by namespace and name, and the last revision.</summary>
internal sealed record Kept(Dictionary<string, Dictionary<(string, string), StoredObject>> Objects, long Revision);

/// <summary>
/// The changes of one cluster as lines of JSON in a directory: a snapshot and the journals written since.
/// </summary>
/// <remarks>
/// Each line reaches the operating system in one write before the change is acknowledged, so a killed process loses
/// nothing; a machine that loses power may lose the last moments. A torn last line is dropped on opening. When a
/// journal has grown long a new one is begun, the snapshot is written beside and renamed into place, and only then the
/// older files are deleted: dying anywhere in between leaves a readable set. Lines repeated by that are harmless,
/// since each carries the whole object. Used under the store's gate.
/// </remarks>
internal sealed class Journal : IDisposable
{
    /// <summary>Bytes after which a journal is replaced by a snapshot.</summary>
    private const long LongBytes = 64 * 1024 * 1024;

    private readonly string _directory;
    private FileStream _file;
    private long _number;
    private long _length;
    private Task _compaction = Task.CompletedTask;

    private Journal(string directory, long number)
    {
        _directory = directory;
        _number = number;
        _file = OpenFile(JournalPath(number));
    }

    /// <summary>True when it is time for <see cref="Compact"/> and none is under way.</summary>
    public bool IsLong => _length > LongBytes && _compaction.IsCompleted;

    /// <summary>Reads what is kept in a directory and begins a new journal there.</summary>
    public static Journal Open(string directory, out Kept kept)
    {
        Directory.CreateDirectory(directory);
        kept = new Kept([], 0);
        var snapshot = Numbered(directory, "snapshot-").LastOrDefault();
        if (snapshot.Path is not null) kept = ReadInto(kept, snapshot.Path);
        var journals = Numbered(directory, "journal-").ToList();
        foreach (var (number, path) in journals)
        {
            if (number >= snapshot.Number) kept = ReadInto(kept, path);
        }
        var journal = new Journal(directory, Math.Max(snapshot.Number, journals.LastOrDefault().Number) + 1);
        journal.WriteSnapshot(
            kept.Objects.Select(k => (k.Key, (IEnumerable<StoredObject>)k.Value.Values)), kept.Revision);
        return journal;
    }

    /// <summary>Notes a new version of an object.</summary>
    public void Put(string key, StoredObject obj) => Append(PutLine(key, obj));

    /// <summary>Notes that an object is gone.</summary>
    public void Remove(string key, StoredObject last)
    {
        Append(Line(writer =>
        {
            writer.WriteString("k", key);
            writer.WriteNumber("v", last.Revision);
            writer.WriteStartArray("gone");
            writer.WriteStringValue(last.Namespace ?? "");
            writer.WriteStringValue(last.Name);
            writer.WriteEndArray();
        }));
    }

    /// <summary>
    /// Begins a new journal and replaces the older ones by a snapshot of this state, in the background.
    /// </summary>
    public void Compact(
        IReadOnlyList<(string Key, ImmutableSortedDictionary<string, ImmutableSortedDictionary<string,
            StoredObject>> Objects)> state,
        long revision)
    {
        var next = OpenFile(JournalPath(_number + 1));
        _file.Dispose();
        _file = next;
        _length = 0;
        _number++;
        _compaction = Task.Run(() => WriteSnapshot(
            state.Select(s => (s.Key, s.Objects.Values.SelectMany(n => n.Values))), revision));
    }

    public void Dispose() => _file.Dispose();

    // A write that fails half way must not leave a torn line for later ones to follow.
    private void Append(byte[] line)
    {
        try
        {
            _file.Write(line);
            _length += line.Length;
        }
        catch (IOException)
        {
            _file.SetLength(_length);
            throw;
        }
    }

    private void WriteSnapshot(IEnumerable<(string Key, IEnumerable<StoredObject> Objects)> state, long revision)
    {
        var number = _number;
        var path = Path.Combine(_directory, $"snapshot-{number:D10}.jsonl");
        using (var file = new FileStream(path + ".tmp", FileMode.Create, FileAccess.Write))
        {
            file.Write(Line(writer => writer.WriteNumber("v", revision)));
            foreach (var (key, objects) in state)
            {
                foreach (var obj in objects) file.Write(PutLine(key, obj));
            }
        }
        File.Move(path + ".tmp", path, overwrite: true);
        foreach (var old in Numbered(_directory, "snapshot-").Concat(Numbered(_directory, "journal-")))
        {
            if (old.Number < number) File.Delete(old.Path);
        }
    }

    private static byte[] PutLine(string key, StoredObject obj) => Line(writer =>
    {
        writer.WriteString("k", key);
        writer.WriteNumber("v", obj.Revision);
        writer.WritePropertyName("o");
        obj.Element.WriteTo(writer);
    });

    private static byte[] Line(Action<Utf8JsonWriter> write)
    {
        using var buffer = new MemoryStream();
        using (var writer = new Utf8JsonWriter(buffer, KubernetesJson.WriterOptions))
        {
            writer.WriteStartObject();
            write(writer);
            writer.WriteEndObject();
        }
        buffer.WriteByte((byte)'\n');
        return buffer.ToArray();
    }

    private static Kept ReadInto(Kept kept, string path)
    {
        var revision = kept.Revision;
        foreach (var text in File.ReadLines(path))
        {
            if (!TryParse(text, out var line)) break;
            revision = Math.Max(revision, line.GetProperty("v").GetInt64());
            if (!line.TryGetProperty("k", out var key)) continue;
            if (!kept.Objects.TryGetValue(key.GetString()!, out var objects))
                kept.Objects[key.GetString()!] = objects = [];
            if (line.TryGetProperty("gone", out var gone))
            {
                objects.Remove((gone[0].GetString()!, gone[1].GetString()!));
                continue;
            }
            var bytes = JsonSerializer.SerializeToUtf8Bytes(line.GetProperty("o"), KubernetesJson.Options);
            var obj = StoredObject.FromBytes(bytes, line.GetProperty("v").GetInt64());
            objects[(obj.Namespace ?? "", obj.Name)] = obj;
        }
        return kept with { Revision = revision };
    }

    // Only the last line can be torn: the process died while writing it.
    private static bool TryParse(string text, out JsonElement line)
    {
        try
        {
            using var document = JsonDocument.Parse(text);
            line = document.RootElement.Clone();
            return true;
        }
        catch (JsonException)
        {
            line = default;
            return false;
        }
    }

    private static IEnumerable<(long Number, string Path)> Numbered(string directory, string prefix) =>
        Directory.EnumerateFiles(directory, prefix + "*.jsonl")
            .Select(p =>
                (long.Parse(Path.GetFileNameWithoutExtension(p)[prefix.Length..], CultureInfo.InvariantCulture), p))
            .OrderBy(f => f.Item1);

    private string JournalPath(long number) => Path.Combine(_directory, $"journal-{number:D10}.jsonl");

    private static FileStream OpenFile(string path) =>
        new(path, FileMode.Append, FileAccess.Write, FileShare.Read, bufferSize: 0);
}
