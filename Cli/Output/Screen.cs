using Google.Protobuf;
using Spectre.Console;

namespace Cloud.Cli.Output;

/// <summary>Where results go: standard output for results, standard error for progress and problems.</summary>
internal static class Screen
{
    /// <summary>A table that is piped must not wrap: one row is one line for the next program.</summary>
    private const int PipedWidth = 10_000;

    private static readonly JsonFormatter Json =
        new(JsonFormatter.Settings.Default.WithFormatDefaultValues(true).WithIndentation());

    private static readonly JsonFormatter JsonLine = new(JsonFormatter.Settings.Default.WithFormatDefaultValues(true));

    private static readonly IAnsiConsole Results = Create(Console.Out, Console.IsOutputRedirected);

    private static readonly IAnsiConsole Notes = Create(Console.Error, Console.IsErrorRedirected);

    /// <summary>A line of the result.</summary>
    public static void Line(string text) => Results.WriteLine(text);

    /// <summary>A line about the result, kept apart from it so that a pipe sees results alone.</summary>
    public static void Note(string text) => Notes.WriteLine(text);

    public static void Problem(string text) => Notes.MarkupLineInterpolated($"[red]{text}[/]");

    public static void Table(IReadOnlyList<string> headers, IEnumerable<IReadOnlyList<string>> rows)
    {
        var table = new Table().NoBorder();
        foreach (var header in headers)
        {
            table.AddColumn(new TableColumn(new Text(header, new Style(decoration: Decoration.Bold))).NoWrap());
        }

        foreach (var row in rows)
        {
            table.AddRow(row.Select(cell => new Text(cell)));
        }

        Results.Write(table);
    }

    public static void Document(IMessage message) => Line(Json.Format(message));

    public static void Documents(IEnumerable<IMessage> messages) =>
        Line("[" + string.Join(",\n", messages.Select(message => Json.Format(message))) + "]");

    public static void DocumentLine(IMessage message) => Line(JsonLine.Format(message));

    private static IAnsiConsole Create(TextWriter writer, bool redirected)
    {
        var console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(writer) });
        if (redirected)
        {
            console.Profile.Width = PipedWidth;
        }

        return console;
    }
}
