using System.Text;

namespace Cloud.Simulator.Applications;

/// <summary>Writes a program's output to a file, and keeps the last of it for the termination message.</summary>
internal sealed class ProgramLog : IAsyncDisposable
{
    private const long LongestFile = 10 * 1024 * 1024;
    private const int KeptLines = 20;
    private readonly StreamWriter _file;
    private readonly Queue<string> _last = new();
    private readonly SemaphoreSlim _turn = new(1);

    public ProgramLog(string path)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        var isLong = File.Exists(path) && new FileInfo(path).Length > LongestFile;
        var mode = isLong ? FileMode.Create : FileMode.Append;
        var file = new FileStream(path, mode, FileAccess.Write, FileShare.ReadWrite);
        _file = new StreamWriter(file, new UTF8Encoding(false)) { AutoFlush = true };
    }

    /// <summary>Copies line by line until the program closes its end.</summary>
    public async Task CopyAsync(StreamReader output)
    {
        while (await output.ReadLineAsync() is { } line)
        {
            await _turn.WaitAsync();
            try
            {
                await _file.WriteLineAsync(line);
                _last.Enqueue(line);
                if (_last.Count > KeptLines) _last.Dequeue();
            }
            finally
            {
                _turn.Release();
            }
        }
    }

    /// <summary>The last lines, at most this many characters of them. After the copying has ended.</summary>
    public string Last(int length)
    {
        var text = string.Join('\n', _last);
        return text.Length <= length ? text : text[^length..];
    }

    public async ValueTask DisposeAsync()
    {
        await _file.DisposeAsync();
        _turn.Dispose();
    }
}
