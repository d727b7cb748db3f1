using System.CommandLine;
using Google.Rpc;
using Grpc.Core;

namespace Cloud.Cli.Output;

/// <summary>Runs a command and turns what goes wrong into sentences and an exit code.</summary>
internal static class Errors
{
    public static void Run(this Command command, Func<Session, ParseResult, CancellationToken, Task<int>> work) =>
        command.SetAction(async (parsed, ct) =>
        {
            try
            {
                // A variable that is not set leaves such a word, and no word at all means everything.
                if (parsed.Tokens.Any(token => token.Value.Length == 0))
                {
                    throw new Refusal(ExitCode.Usage, "One of the words is empty. Is a variable not set?");
                }

                using var session = new Session(parsed);
                return await work(session, parsed, ct);
            }
            catch (Refusal refusal)
            {
                Screen.Problem(refusal.Message);
                Hint(refusal.Hint);
                return refusal.Code;
            }
            catch (OperationCanceledException) when (ct.IsCancellationRequested)
            {
                return ExitCode.Interrupted;
            }
            catch (RpcException) when (ct.IsCancellationRequested)
            {
                return ExitCode.Interrupted;
            }
            catch (RpcException e)
            {
                Explain(e, parsed.GetValue(Session.Trace));
                return ExitCode.Of(e.StatusCode);
            }
            catch (Exception e)
            {
                // Nobody foresaw it. A person gets a sentence all the same, and who mends it the whole with --trace.
                Screen.Problem($"This is a fault of the program itself: {OneLine(e.Message)} ({e.GetType().Name})");
                Hint(parsed.GetValue(Session.Trace) ? e.ToString() : "--trace shows where it happened.");
                return ExitCode.Faulty;
            }
        });

    /// <summary>Words that make no command; the help would push the sentence off the screen.</summary>
    public static void Tell(ParseResult parsed)
    {
        // Of one wrong word everything after it is wrong too.
        var errors = parsed.Errors.Select(error => Plain(error.Message)).Distinct();
        var wrong = parsed.UnmatchedTokens is [var first, ..] ? [$"\"{first}\" is not known here."] : errors;
        foreach (var message in wrong)
        {
            Screen.Problem(message);
        }

        var command = parsed.CommandResult.Command;
        var path = command.Parents.OfType<Command>().Any(parent => parent is not RootCommand)
            ? $"{command.Parents.First().Name} {command.Name}"
            : command.Name;
        Hint(command is RootCommand ? "See: cloud --help" : $"See: cloud {path} --help");
    }

    /// <summary>Without the names of types, which are for programmers.</summary>
    private static string Plain(string message) => OneLine(message)
        .Replace("expected type 'System.Int32'", "a whole number", StringComparison.Ordinal)
        .Replace("expected type 'System.Int64'", "a whole number", StringComparison.Ordinal)
        .Replace("expected type 'System.Double'", "a number", StringComparison.Ordinal)
        .Replace($"expected type '{typeof(OutputFormat)}'", "a format", StringComparison.Ordinal);

    private static void Explain(RpcException error, bool everything)
    {
        var status = error.GetRpcStatus();
        if (status is null && error.StatusCode == StatusCode.Unavailable)
        {
            Screen.Problem("The cloud does not answer. Is it running? `./cloud up` starts it here.");
            Hint(everything ? error.Status.Detail : null);
            return;
        }

        if (status is null && error.StatusCode == StatusCode.DeadlineExceeded)
        {
            Screen.Problem($"The cloud did not answer within {NamedCaller.Patience.TotalSeconds:0} s.");
            Hint("What was asked may still take effect; look how it stands before asking again.");
            return;
        }

        var violations = status?.GetDetail<BadRequest>()?.FieldViolations ?? [];
        if (violations.Count == 0)
        {
            Screen.Problem(status?.Message ?? error.Status.Detail);
        }

        foreach (var violation in violations)
        {
            Screen.Problem($"{violation.Field}: {violation.Description}");
        }

        if (status?.GetDetail<RetryInfo>() is { RetryDelay: { } delay })
        {
            Hint($"Trying again can help, after {delay.ToTimeSpan().TotalSeconds:0.#} s.");
        }

        if (everything && status is not null)
        {
            Screen.Note(status.ToString());
        }
    }

    private static string OneLine(string text) => text.ReplaceLineEndings(" ");

    private static void Hint(string? text)
    {
        if (!string.IsNullOrEmpty(text))
        {
            Screen.Note(text);
        }
    }
}
