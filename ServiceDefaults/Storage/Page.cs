using Google.Protobuf;
using Google.Protobuf.Collections;

namespace Cloud.ServiceDefaults.Storage;

/// <summary>Fills pages of lists.</summary>
public static class Page
{
    /// <summary>Bytes of a page's resources, unless one alone has more. A client of gRPC takes 4 MiB by default, for
    /// all of a message.</summary>
    public const int BytesMax = 3 * 1024 * 1024;

    /// <summary>Fills a page with rows as messages, as far as they fit.</summary>
    /// <param name="page">The list to be filled.</param>
    /// <param name="rows">What the page begins with; one row more than <paramref name="size"/> says that it is not the
    /// last.</param>
    /// <param name="size">Rows at most.</param>
    /// <param name="message">A row as it is shown.</param>
    /// <returns>The row that the next page begins after; null when this is the last.</returns>
    public static TRow? Fill<TRow, TMessage>(
        RepeatedField<TMessage> page, IReadOnlyList<TRow> rows, int size, Func<TRow, TMessage> message)
        where TRow : class
        where TMessage : IMessage
    {
        var bytes = 0;
        foreach (var row in rows.Take(size))
        {
            var next = message(row);
            bytes += next.CalculateSize();
            if (bytes > BytesMax && page.Count > 0)
            {
                break;
            }

            page.Add(next);
        }

        return page.Count < rows.Count ? rows[page.Count - 1] : null;
    }
}
