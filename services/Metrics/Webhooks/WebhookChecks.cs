using System.Globalization;
using System.Net;
using Cloud.Protos.Api.V1;
using Cloud.ServiceDefaults.Hosting;
using Cloud.ServiceDefaults.Storage;
using Google.Protobuf.Collections;
using Google.Protobuf.WellKnownTypes;
using Proto = Cloud.Protos.Metrics.V1;

namespace Cloud.Webhooks;

/// <summary>The form of requests about webhooks. Each finds everything that is wrong before it says so.</summary>
public sealed class WebhookChecks(WebhookOptions options, PublicNetwork network)
{
    /// <summary>Longest overlap of a rotation.</summary>
    public static readonly TimeSpan OverlapMax = TimeSpan.FromDays(7);

    private const string Prefix = "webhook.";

    private const int DisplayNameLengthMax = 64;

    private const int UrlLengthMax = 2048;

    private const int HeadersMax = 20;

    private const int HeaderNameLengthMax = 100;

    private const int HeaderValueLengthMax = 4096;

    private const int FilterValuesMax = 100;

    private const int FilterValueLengthMax = 200;

    /// <summary>What every delivery sets itself, or what would change how it is carried.</summary>
    private static readonly HashSet<string> ForbiddenHeaders = new(StringComparer.Ordinal)
    {
        "connection", "date", "expect", "host", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade",
        "user-agent", "via",
    };

    private static readonly string[] ForbiddenHeaderPrefixes = ["content-", "proxy-", "sec-", "webhook-"];

    /// <summary>Paths that an update may name.</summary>
    public static IReadOnlyList<string> Paths { get; } = ["display_name", "url", "filter", "headers"];

    /// <summary>Checks a new webhook.</summary>
    public void Check(Proto.CreateWebhookRequest request)
    {
        var problems = new FieldProblems();
        var webhook = request.Webhook ?? new Proto.Webhook();
        foreach (var path in Paths)
        {
            CheckField(webhook, path, problems);
        }

        CheckMasks(webhook, [], problems);
        problems.ThrowIfAny();
    }

    /// <summary>Checks an update; only fields that the mask names count.</summary>
    /// <returns>The webhook's id.</returns>
    public string Check(Proto.UpdateWebhookRequest request)
    {
        var problems = new FieldProblems();
        var webhook = request.Webhook ?? new Proto.Webhook();
        var mask = request.UpdateMask ?? new FieldMask();
        var id = ResourceName.IdOf(webhook.Name, Webhook.Collection, "webhook.name", problems);
        if (mask.Paths.Count == 0)
        {
            problems.Add(
                "update_mask", $"must name at least one of {string.Join(", ", Paths)}", ErrorReason.UpdateMaskEmpty);
        }

        foreach (var path in mask.Paths)
        {
            if (Paths.Contains(path))
            {
                CheckField(webhook, path, problems);
            }
            else
            {
                problems.Add(
                    "update_mask", $"'{path}' cannot be updated; allowed are {string.Join(", ", Paths)}",
                    ErrorReason.UpdateMaskInvalid);
            }
        }

        problems.ThrowIfAny();
        return id;
    }

    /// <summary>A masked value keeps what is stored, so there must be something.</summary>
    public static void CheckMasks(
        Proto.Webhook webhook, IEnumerable<string> stored, FieldProblems problems)
    {
        foreach (var (name, _) in webhook.Headers
                     .Where(h => h.Value == WebhookMessages.Masked && !stored.Contains(h.Key.ToLowerInvariant())))
        {
            problems.Add(
                $"{Prefix}headers[{name}]", $"'{WebhookMessages.Masked}' keeps a value, and there is none",
                ErrorReason.HeaderValueInvalid);
        }
    }

    /// <summary>Checks a rotation.</summary>
    /// <returns>The webhook's id.</returns>
    public static string Check(Proto.RotateWebhookSecretRequest request)
    {
        var problems = new FieldProblems();
        var id = ResourceName.IdOf(request.Name, Webhook.Collection, "name", problems);
        if (request.Overlap is { } overlap && (overlap.Seconds < 0 || overlap.Nanos < 0
            || overlap.Seconds > (long)OverlapMax.TotalSeconds || overlap.Nanos > 999_999_999))
        {
            problems.Add("overlap", $"must be 0 to {OverlapMax.TotalDays:0} days", ErrorReason.OverlapInvalid);
        }

        problems.ThrowIfAny();
        return id;
    }

    /// <summary>A deleted webhook can do nothing any more.</summary>
    public static void RefuseDeleted(Webhook webhook, string verb)
    {
        if (webhook.State == WebhookState.Deleted)
        {
            throw Problem.WrongState(
                webhook.Name,
                StateNames<WebhookState>.Of(webhook.State),
                verb,
                new[] { WebhookState.Enabled, WebhookState.Disabled }.Select(StateNames<WebhookState>.Of));
        }
    }

    private void CheckField(Proto.Webhook webhook, string path, FieldProblems problems)
    {
        switch (path)
        {
            case "display_name":
                if (webhook.DisplayName.Trim().Length is 0 or > DisplayNameLengthMax
                    || webhook.DisplayName != webhook.DisplayName.Trim() || webhook.DisplayName.Any(char.IsControl))
                {
                    problems.Add(
                        Prefix + path,
                        $"must be 1 to {DisplayNameLengthMax} characters without blanks at either end",
                        ErrorReason.DisplayNameInvalid);
                }

                break;
            case "url":
                CheckUrl(webhook.Url, problems);
                break;
            case "filter":
                CheckFilter(webhook.Filter ?? new Proto.WebhookFilter(), problems);
                break;
            default:
                CheckHeaders(webhook.Headers, problems);
                break;
        }
    }

    private void CheckUrl(string url, FieldProblems problems)
    {
        var schemes = options.AllowHttp ? "https or http" : "https";
        if (url.Length is 0 or > UrlLengthMax || url.Any(c => char.IsControl(c) || char.IsWhiteSpace(c))
            || !Uri.TryCreate(url, UriKind.Absolute, out var uri) || uri.Host.Length == 0)
        {
            Refuse($"must be an absolute {schemes} URL of at most {UrlLengthMax} characters", ErrorReason.UrlInvalid);
            return;
        }

        if (uri.Scheme != Uri.UriSchemeHttps && !(options.AllowHttp && uri.Scheme == Uri.UriSchemeHttp))
        {
            Refuse($"must begin with {schemes}", ErrorReason.UrlSchemeRefused);
        }

        if (uri.UserInfo.Length > 0 || uri.Fragment.Length > 0)
        {
            Refuse("must have no user and no fragment; credentials belong into headers", ErrorReason.UrlInvalid);
        }

        if (IPAddress.TryParse(uri.IdnHost, out var address) && !network.Allows(address))
        {
            Refuse(
                $"{address} is no public address, and this cloud does not allow others", ErrorReason.UrlAddressRefused);
        }

        void Refuse(string description, ErrorReason reason) => problems.Add(Prefix + "url", description, reason);
    }

    private static void CheckFilter(Proto.WebhookFilter filter, FieldProblems problems)
    {
        CheckValues("resource_types", filter.ResourceTypes, IsNoun, "must be a noun such as installation");
        CheckValues(
            "types", filter.Types_, EventTypes.All.Contains, $"must be one of {string.Join(", ", EventTypes.All)}");
        CheckValues(
            "resource_prefixes",
            filter.ResourcePrefixes,
            prefix => prefix.Contains('/', StringComparison.Ordinal),
            "must begin a resource name, such as installations/");
        CheckValues("states", filter.States, IsState, "must be the name of a state such as creation-failed");
        if (filter.Installation.Length > 0)
        {
            ResourceName.IdOf(filter.Installation, "installations", $"{Prefix}filter.installation", problems);
        }

        void CheckValues(string field, IList<string> values, Func<string, bool> isRight, string description)
        {
            var path = $"{Prefix}filter.{field}";
            if (values.Count > FilterValuesMax)
            {
                problems.Add(path, $"must be at most {FilterValuesMax}", ErrorReason.ValuesTooMany);
            }

            for (var i = 0; i < Math.Min(values.Count, FilterValuesMax); i++)
            {
                if (values[i].Length > FilterValueLengthMax || !isRight(values[i]))
                {
                    problems.Add(
                        $"{path}[{i.ToString(CultureInfo.InvariantCulture)}]", description,
                        ErrorReason.FilterValueInvalid);
                }
            }
        }
    }

    private static void CheckHeaders(MapField<string, string> headers, FieldProblems problems)
    {
        if (headers.Count > HeadersMax)
        {
            problems.Add($"{Prefix}headers", $"must be at most {HeadersMax}", ErrorReason.HeadersTooMany);
        }

        var seen = new HashSet<string>(StringComparer.Ordinal);
        foreach (var (name, value) in headers.Take(HeadersMax))
        {
            var lower = name.ToLowerInvariant();
            var path = $"{Prefix}headers[{name}]";
            if (name.Length is 0 or > HeaderNameLengthMax || !name.All(IsTokenCharacter))
            {
                problems.Add(path, "is no name of an HTTP header", ErrorReason.HeaderNameInvalid);
            }
            else if (ForbiddenHeaders.Contains(lower)
                     || ForbiddenHeaderPrefixes.Any(p => lower.StartsWith(p, StringComparison.Ordinal)))
            {
                problems.Add(path, "is set by the delivery itself and cannot be given", ErrorReason.HeaderForbidden);
            }
            else if (!seen.Add(lower))
            {
                problems.Add(path, "is given twice; case does not count", ErrorReason.HeaderNameInvalid);
            }

            if (value.Length is 0 or > HeaderValueLengthMax || value != value.Trim()
                || value.Any(c => c is < ' ' or > '~'))
            {
                problems.Add(
                    path, $"must have a value of 1 to {HeaderValueLengthMax} visible ASCII characters",
                    ErrorReason.HeaderValueInvalid);
            }
        }
    }

    private static bool IsNoun(string value) =>
        value.Length > 0 && value.All(c => char.IsAsciiLetterLower(c) || c == '_');

    private static bool IsState(string value) =>
        value.Length > 0 && value.All(c => char.IsAsciiLetterLower(c) || c == '-');

    private static bool IsTokenCharacter(char c) =>
        char.IsAsciiLetterOrDigit(c) || "!#$%&'*+-.^_`|~".Contains(c, StringComparison.Ordinal);
}
