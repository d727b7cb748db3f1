using System.Security.Cryptography;
using Google.Protobuf;
using Npgsql;
using NpgsqlTypes;

namespace Cloud.ServiceDefaults.Storage;

/// <summary>
/// Makes a mutation happen once per <c>request_id</c> (AIP-155). The ledger row and the work commit together, so a
/// crash leaves either both or neither, and a repeat that arrives while the first is still at work waits on the row's
/// lock and then answers the same. Work that fails is not remembered: its repeat is a new try. Rows are kept for
/// <see cref="KeptFor"/>; after that an id may be used anew. With <c>validate_only</c> (AIP-163) the same work runs,
/// with every check that it has, and is then undone: nothing is written, no id is used up.
/// </summary>
public sealed class RequestLedger(Database database)
{
    /// <summary>How long a request id is remembered.</summary>
    public static readonly TimeSpan KeptFor = TimeSpan.FromHours(24);

    /// <summary>Longest request id that is accepted, in characters.</summary>
    public const int RequestIdLengthMax = 64;

    private const string ClaimSql =
        """
        INSERT INTO request_ledger (method, request_id, request_hash, created_at) VALUES ($1, $2, $3, $4)
        ON CONFLICT (method, request_id) DO UPDATE
            SET request_hash = excluded.request_hash, created_at = excluded.created_at, reply = NULL
            WHERE request_ledger.created_at < $5
        """;

    private const string ReadSql =
        "SELECT request_hash, reply FROM request_ledger WHERE method = $1 AND request_id = $2";

    private const string RequestIdField = "request_id";
    private const string ValidateOnlyField = "validate_only";

    private const string StoreSql = "UPDATE request_ledger SET reply = $3 WHERE method = $1 AND request_id = $2";

    /// <summary>What every mutation of the API does: <paramref name="work"/> in one transaction, once per
    /// <c>request_id</c>, or only rehearsed when the request says <c>validate_only</c>. Both fields are found in the
    /// request by their names.</summary>
    /// <param name="method">The RPC's full name; ids are separate per method.</param>
    /// <exception cref="ProblemException"><c>REQUEST_ID_REUSED</c> (AlreadyExists).</exception>
    public Task<TReply> MutateAsync<TReply>(
        string method,
        IMessage request,
        Func<DatabaseTransaction, CancellationToken, Task<TReply>> work,
        CancellationToken ct)
        where TReply : IMessage<TReply>, new() =>
        ValueOf(request, ValidateOnlyField) is true
            ? database.RehearseAsync(work, ct)
            : OnceAsync(method, ValueOf(request, RequestIdField) as string ?? "", request, work, ct);

    /// <summary>Runs <paramref name="work"/> in one transaction, once per request id; a repeat of the same request gets
    /// the stored answer. An empty id is a plain transaction.</summary>
    /// <param name="method">The mutation, for example the RPC's full name; ids are separate per method.</param>
    /// <param name="request">What was asked; the same id with another request is refused.</param>
    /// <exception cref="ProblemException"><c>REQUEST_ID_REUSED</c> (AlreadyExists).</exception>
    public Task<TReply> OnceAsync<TReply>(
        string method,
        string requestId,
        IMessage request,
        Func<DatabaseTransaction, CancellationToken, Task<TReply>> work,
        CancellationToken ct)
        where TReply : IMessage<TReply>, new()
    {
        if (requestId.Length == 0)
        {
            return database.InTransactionAsync(work, ct);
        }

        if (requestId.Length > RequestIdLengthMax)
        {
            throw Problem.Invalid(new FieldProblem(
                "request_id", $"must be at most {RequestIdLengthMax} characters", ErrorReason.RequestIdTooLong));
        }

        var hash = HashOf(request);
        return database.InTransactionAsync(
            (transaction, token) => ClaimAndWorkAsync(transaction, method, requestId, hash, work, token), ct);
    }

    private static async Task<TReply> ClaimAndWorkAsync<TReply>(
        DatabaseTransaction transaction,
        string method,
        string requestId,
        byte[] hash,
        Func<DatabaseTransaction, CancellationToken, Task<TReply>> work,
        CancellationToken ct)
        where TReply : IMessage<TReply>, new()
    {
        if (!await ClaimAsync(transaction, method, requestId, hash, ct))
        {
            return await StoredAsync<TReply>(transaction, method, requestId, hash, ct);
        }

        var reply = await work(transaction, ct);
        await using var store = Command(transaction, StoreSql, method, requestId);
        store.Parameters.Add(new NpgsqlParameter { NpgsqlDbType = NpgsqlDbType.Bytea, Value = reply.ToByteArray() });
        await store.ExecuteNonQueryAsync(ct);
        return reply;
    }

    private static async Task<bool> ClaimAsync(
        DatabaseTransaction transaction, string method, string requestId, byte[] hash, CancellationToken ct)
    {
        await using var claim = Command(transaction, ClaimSql, method, requestId);
        claim.Parameters.Add(new NpgsqlParameter { NpgsqlDbType = NpgsqlDbType.Bytea, Value = hash });
        claim.Parameters.Add(new NpgsqlParameter<DateTimeOffset> { TypedValue = transaction.Now });
        claim.Parameters.Add(new NpgsqlParameter<DateTimeOffset> { TypedValue = transaction.Now - KeptFor });
        return await claim.ExecuteNonQueryAsync(ct) == 1;
    }

    private static async Task<TReply> StoredAsync<TReply>(
        DatabaseTransaction transaction, string method, string requestId, byte[] hash, CancellationToken ct)
        where TReply : IMessage<TReply>, new()
    {
        await using var read = Command(transaction, ReadSql, method, requestId);
        await using var reader = await read.ExecuteReaderAsync(ct);
        var known = await reader.ReadAsync(ct) ? await reader.GetFieldValueAsync<byte[]>(0, ct) : [];
        if (!hash.AsSpan().SequenceEqual(known))
        {
            throw Problem.RequestIdReused(requestId);
        }

        var reply = new TReply();
        reply.MergeFrom(await reader.GetFieldValueAsync<byte[]>(1, ct));
        return reply;
    }

    private static object? ValueOf(IMessage request, string field) =>
        request.Descriptor.FindFieldByName(field)?.Accessor.GetValue(request);

    /// <summary>A hash that does not depend on the order in which a client happened to send a map's entries.</summary>
    private static byte[] HashOf(IMessage request)
    {
        using var bytes = new MemoryStream();
        using (var output = new CodedOutputStream(bytes, leaveOpen: true) { Deterministic = true })
        {
            request.WriteTo(output);
        }

        return SHA256.HashData(bytes.GetBuffer().AsSpan(0, (int)bytes.Length));
    }

    private static NpgsqlCommand Command(
        DatabaseTransaction transaction, string sql, string method, string requestId) =>
        new(sql, transaction.Connection, transaction.Transaction)
        {
            Parameters =
            {
                new NpgsqlParameter<string> { TypedValue = method },
                new NpgsqlParameter<string> { TypedValue = requestId },
            },
        };
}
