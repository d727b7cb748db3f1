using Cloud.Protos.Installation.V1;
using Google.Protobuf.WellKnownTypes;

namespace Cloud.Chaos.Customers;

/// <summary>
/// Somebody who makes workspaces, changes them and gives them up, one request after the other, each chosen by a seeded
/// random number among what the state last seen allows; sometimes among what it does not, and sometimes twice at once.
/// </summary>
internal sealed class Customer(int number, int seed, Desk desk, Watcher watcher)
{
    private const int WorkspacesMax = 4;
    private const double OfCreating = 0.35;
    private const double OfImpatience = 0.3;
    private const double OfSendingTwice = 0.15;
    private const double OfAnEtag = 0.2;
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(1.5);
    private static readonly TimeSpan LongPending = TimeSpan.FromHours(1);
    private static readonly string[] Versions = ["10.1.0", "10.2.0", "10.3.0", "10.4.0"];
    private static readonly string[] Sizes = ["miniSingleton", "miniHA", "cloud10users", "100users"];

    private readonly Random _random = new(seed);
    private readonly List<string> _own = [];
    private int _asked;

    /// <summary>Asks until told to stop.</summary>
    /// <param name="closing">Asks for nothing more.</param>
    /// <param name="patience">Waits for no answer any more.</param>
    public async Task LiveAsync(CancellationToken closing, CancellationToken patience)
    {
        try
        {
            while (!closing.IsCancellationRequested)
            {
                if (Choose() is { } ask)
                {
                    await AskAsync(ask, patience);
                    await Task.Delay(_random.NextDouble() * LongestPause, TimeProvider.System, closing);
                }
                else
                {
                    await watcher.ChangeAsync(LongestPause, closing);
                }
            }
        }
        catch (OperationCanceledException) when (closing.IsCancellationRequested)
        {
            // The day is over.
        }
    }

    /// <summary>A deletion at once, as at the end of the run.</summary>
    public static Ask Deletion(Desk desk, string name, string requestId) =>
        Delete(desk, name, requestId, TimeSpan.Zero, force: true);

    private async Task AskAsync(Ask ask, CancellationToken patience)
    {
        var twin = Chance(OfSendingTwice) ? desk.SendAsync(ask, patience) : null;
        await desk.AskAsync(ask, patience);
        if (twin is not null)
        {
            var other = await twin;
            ask.Join(other.Verdict, other.Installation, other.Status);
        }

        if (ask is { Verb: Verbs.Create, Answer: { } made })
        {
            _own.Add(made.Name);
        }
    }

    private Ask? Choose()
    {
        var living = _own.Where(name => watcher.Newest(name)?.State != "deleted").ToList();
        if (living.Count == 0 || (living.Count < WorkspacesMax && Chance(OfCreating)))
        {
            return Create();
        }

        var name = living[_random.Next(living.Count)];
        var state = watcher.Newest(name)?.State ?? "";
        return state switch
        {
            "stable" => _random.Next(10) switch
            {
                < 4 => Update(name),
                < 7 => Hibernate(name),
                _ => Delete(name),
            },
            "hibernating" => Chance(0.6) ? WakeUp(name) : Delete(name),
            "deletion-pending" => Chance(0.6) ? CancelDeletion(name) : Delete(name),
            "creation-failed" or "update-failed" or "deletion-failed" => Retry(name),
            _ when !Chance(OfImpatience) => null,
            _ => _random.Next(6) switch
            {
                0 => Hibernate(name),
                1 => WakeUp(name),
                2 => CancelDeletion(name),
                3 => Delete(name),
                _ => Update(name),
            },
        };
    }

    private Ask Create()
    {
        var id = NextId();
        var request = new CreateInstallationRequest
        {
            NameHint = id, RequestId = id,
            Installation = new() { OwnerId = $"customer-{number}", Size = Pick(Sizes), Version = Pick(Versions) },
        };
        return new Ask(Verbs.Create, id, id, request, o => desk.Client.CreateInstallationAsync(request, o));
    }

    private Ask Update(string name)
    {
        var wish = new Installation { Name = name, Etag = Etag(name) };
        if (Chance(0.7))
        {
            wish.Version = Pick(Versions);
        }
        else
        {
            wish.Size = Pick(Sizes);
        }

        var request = new UpdateInstallationRequest { Installation = wish, RequestId = NextId() };
        return new Ask(
            Verbs.Update, name, request.RequestId, request, o => desk.Client.UpdateInstallationAsync(request, o));
    }

    private Ask Hibernate(string name)
    {
        var request = new HibernateInstallationRequest { Name = name, Etag = Etag(name), RequestId = NextId() };
        return new Ask(
            Verbs.Hibernate, name, request.RequestId, request, o => desk.Client.HibernateInstallationAsync(request, o));
    }

    private Ask WakeUp(string name)
    {
        var request = new WakeUpInstallationRequest { Name = name, Etag = Etag(name), RequestId = NextId() };
        return new Ask(
            Verbs.WakeUp, name, request.RequestId, request, o => desk.Client.WakeUpInstallationAsync(request, o));
    }

    private Ask CancelDeletion(string name)
    {
        var request = new CancelInstallationDeletionRequest { Name = name, Etag = Etag(name), RequestId = NextId() };
        return new Ask(
            Verbs.CancelDeletion, name, request.RequestId, request,
            o => desk.Client.CancelInstallationDeletionAsync(request, o));
    }

    private Ask Retry(string name)
    {
        var request = new RetryInstallationRequest { Name = name, Etag = Etag(name), RequestId = NextId() };
        return new Ask(
            Verbs.Retry, name, request.RequestId, request, o => desk.Client.RetryInstallationAsync(request, o));
    }

    private Ask Delete(string name) => _random.Next(4) switch
    {
        0 => Delete(desk, name, NextId(), TimeSpan.Zero, force: true),
        1 => Delete(desk, name, NextId(), TimeSpan.FromSeconds(_random.Next(4)), force: false),
        _ => Delete(desk, name, NextId(), LongPending, force: false),
    };

    private static Ask Delete(Desk desk, string name, string requestId, TimeSpan pending, bool force)
    {
        var request = new DeleteInstallationRequest
        {
            Name = name, RequestId = requestId, PendingTime = Duration.FromTimeSpan(pending), Force = force,
        };
        return new Ask(Verbs.Delete, name, requestId, request, o => desk.Client.DeleteInstallationAsync(request, o));
    }

    private string Etag(string name) => Chance(OfAnEtag) ? watcher.Newest(name)?.Etag ?? "" : "";

    private string NextId() => $"c{number}-{++_asked}";

    private bool Chance(double probability) => _random.NextDouble() < probability;

    private T Pick<T>(T[] from) => from[_random.Next(from.Length)];
}
