using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Cloud.Simulator.ApiServers.Objects;
using Cloud.Simulator.ApiServers.Selectors;
using Cloud.Simulator.ApiServers.Storage;
using Cloud.Simulator.ApiServers.Tables;
using Cloud.Simulator.ApiServers.Validation;
using Cloud.Simulator.ApiServers.Writes;

namespace Cloud.Simulator.ApiServers.Requests;

/// <summary>Reading: one object, or a list, whole or in chunks that all show the same moment.</summary>
public static class ListRequests
{
    /// <summary>Objects of a list after which it is sent on, so that a long one does not pile up in memory.</summary>
    private const int ObjectsPerFlush = 100;

    /// <summary>Answers GET of one object.</summary>
    public static async Task GetAsync(ResourceRequest request, CancellationToken ct)
    {
        var form = Format.Choose(request.Request);
        var (type, name) = (request.Type, request.Name);
        if (request.Number("resourceVersion") is { } revision && revision > request.Server.Store.Revision)
            throw ApiErrors.TooLarge(revision, request.Server.Store.Revision);
        var found = request.Server.Store.Find(type.StorageKey, request.Namespace, name)
            ?? throw ApiErrors.NotFound(type, name);
        await WriteOneAsync(request, Representation.Of(type, found), StatusCodes.Status200OK, form, ct);
    }

    /// <summary>Answers with one object in the form asked for.</summary>
    public static async Task WriteOneAsync(
        ResourceRequest request, StoredObject obj, int code, Form form, CancellationToken ct)
    {
        switch (form)
        {
            case Form.Table:
                var metadata = new JsonObject { ["resourceVersion"] = Text(obj.Revision) };
                await Answers.WriteAsync(request.Http, TableRendering.Render(
                    request.Type, [obj], metadata, request.Query("includeObject"), request.Now), code, form, ct);
                break;
            case Form.PartialMetadata:
                await Answers.WriteAsync(request.Http, TableRendering.PartialMetadata(obj.ToJson()), code, form, ct);
                break;
            default:
                await Answers.WriteAsync(request.Http, obj.ToJson(), code, form, ct);
                break;
        }
    }

    /// <summary>Answers GET of a collection.</summary>
    public static async Task ListAsync(ResourceRequest request, CancellationToken ct)
    {
        var form = Format.Choose(request.Request);
        var selection = request.Selection();
        var page = ReadPage(request, selection);
        var metadata = new JsonObject { ["resourceVersion"] = Text(page.Revision) };
        if (page.Continue.Length > 0) metadata["continue"] = page.Continue;
        if (page.Remaining is { } remaining) metadata["remainingItemCount"] = remaining;
        switch (form)
        {
            case Form.Table:
                await Answers.WriteAsync(request.Http, TableRendering.Render(
                    request.Type, page.Objects, metadata, request.Query("includeObject"), request.Now), 200, form, ct);
                break;
            case Form.Object:
                await WriteListAsync(request, page, metadata, ct);
                break;
            default:
                var items = page.Objects.Select(o => o.ToJson())
                    .Select(o => (JsonNode)(form is Form.PartialMetadata ? TableRendering.PartialMetadata(o) : o));
                await Answers.WriteAsync(request.Http, new JsonObject
                {
                    ["kind"] = form is Form.PartialMetadata ? "PartialObjectMetadataList"
                        : request.Type.EffectiveListKind,
                    ["apiVersion"] = form is Form.PartialMetadata ? "meta.k8s.io/v1" : request.Type.ApiVersion,
                    ["metadata"] = metadata,
                    ["items"] = new JsonArray([.. items]),
                }, 200, form, ct);
                break;
        }
    }

    // Items of a built-in kind do not repeat apiVersion and kind; those of custom resources do.
    private static async Task WriteListAsync(
        ResourceRequest request, Page page, JsonObject metadata, CancellationToken ct)
    {
        var type = request.Type;
        var to = Answers.Begin(request.Http);
        var head = $"{{\"kind\":\"{type.EffectiveListKind}\",\"apiVersion\":\"{type.ApiVersion}\"," +
            $"\"metadata\":{metadata.ToJsonString()},\"items\":[";
        to.Write(Encoding.UTF8.GetBytes(head));
        var itemHead = type.Custom is null ? "{"u8.ToArray() : Answers.HeadOf(type);
        for (var i = 0; i < page.Objects.Count; i++)
        {
            if (i > 0) to.Write(","u8);
            Answers.WriteObject(to, itemHead, page.Objects[i]);
            if (i % ObjectsPerFlush == ObjectsPerFlush - 1) await request.Http.Response.BodyWriter.FlushAsync(ct);
        }
        to.Write("]}"u8);
        await request.Http.Response.BodyWriter.FlushAsync(ct);
    }

    private static Page ReadPage(ResourceRequest request, Selection selection)
    {
        CheckOptions(request);
        var limit = request.Number("limit") ?? 0;
        var token = request.Query("continue");
        var after = token.Length > 0 ? ContinueToken.Parse(token) : null;
        var view = after is null ? ViewFor(request) : ViewAfter(request, after);
        var objects = view.From(selection.Namespace, after is null ? null : (after.Namespace, after.Name));
        var matching = objects.Where(selection.Matches);
        if (limit <= 0) return PageOf(matching, "", null);
        var chunk = matching.Take((int)Math.Min(limit, int.MaxValue - 1) + 1).ToList();
        if (chunk.Count <= limit) return PageOf(chunk, "", null);
        chunk.RemoveAt(chunk.Count - 1);
        var last = chunk[^1];
        var next = new ContinueToken(view.Revision, last.Namespace ?? "", last.Name);
        long? remaining = selection.Labels is null && selection.Fields is null
            ? view.From(selection.Namespace, (next.Namespace, next.Name)).LongCount()
            : null;
        return PageOf(chunk, next.ToString(), remaining);

        Page PageOf(IEnumerable<StoredObject> shown, string token, long? left) =>
            new([.. shown.Select(o => Representation.Of(request.Type, o))], view.Revision, token, left);
    }

    private static ShelfView ViewFor(ResourceRequest request)
    {
        var store = request.Server.Store;
        var revision = request.Number("resourceVersion") ?? 0;
        var view = store.View(request.Type.StorageKey);
        if (revision > view.Revision) throw ApiErrors.TooLarge(revision, view.Revision);
        if (request.Query("resourceVersionMatch") != "Exact" || revision == view.Revision) return view;
        return store.ViewAt(request.Type.StorageKey, revision)
            ?? throw ApiErrors.Expired("The resourceVersion for the provided list is too old.");
    }

    private static ShelfView ViewAfter(ResourceRequest request, ContinueToken after)
    {
        var store = request.Server.Store;
        var key = request.Type.StorageKey;
        if (after.Revision < 0) return store.View(key);
        if (store.ViewAt(key, after.Revision) is { } view) return view;
        throw new ApiException(410, "Expired",
            "The provided continue parameter is too old to display a consistent list result. You can start a new " +
            "list " +
            "without the continue parameter, or use the continue token in this response to retrieve the remainder " +
            "of the " +
            "results. Continuing with the provided token results in an inconsistent list - objects that were " +
            "created, " +
            "modified, or deleted between the time the first chunk was returned and now may show up in the list.")
        {
            ListMetadata = new JsonObject { ["continue"] = (after with { Revision = -1 }).ToString() },
        };
    }

    private static void CheckOptions(ResourceRequest request)
    {
        var match = request.Query("resourceVersionMatch");
        if (match.Length == 0) return;
        var revision = request.Query("resourceVersion");
        FieldError? error = match switch
        {
            _ when request.Query("continue").Length > 0 =>
                FieldError.Forbidden("resourceVersionMatch", "resourceVersionMatch is forbidden for a continue list"),
            _ when revision.Length == 0 =>
                FieldError.Forbidden("resourceVersionMatch",
                    "resourceVersionMatch is forbidden unless resourceVersion is provided"),
            "Exact" when revision == "0" =>
                FieldError.Forbidden("resourceVersionMatch",
                    "resourceVersionMatch \"Exact\" is forbidden for resourceVersion \"0\""),
            "Exact" or "NotOlderThan" => null,
            _ => FieldError.NotSupported("resourceVersionMatch", match, ["Exact", "NotOlderThan", ""]),
        };
        if (error is not null)
            throw ApiErrors.Invalid("ListOptions.meta.k8s.io", "meta.k8s.io", "ListOptions", "", [error]);
    }

    private static string Text(long revision) => revision.ToString(CultureInfo.InvariantCulture);

    private sealed record Page(IReadOnlyList<StoredObject> Objects, long Revision, string Continue, long? Remaining);

    /// <summary>
    /// Where the next chunk of a list begins; revision -1 goes on in the present instead of the same moment.
    /// </summary>
    private sealed record ContinueToken(long Revision, string Namespace, string Name)
    {
        public static ContinueToken Parse(string text)
        {
            try
            {
                return JsonSerializer.Deserialize<ContinueToken>(Convert.FromBase64String(text)) ?? throw Invalid();
            }
            catch (Exception wrong) when (wrong is FormatException or JsonException)
            {
                throw Invalid();
            }
        }

        public override string ToString() => Convert.ToBase64String(JsonSerializer.SerializeToUtf8Bytes(this));

        private static ApiException Invalid() => ApiErrors.BadRequest("continue key is not valid");
    }
}
