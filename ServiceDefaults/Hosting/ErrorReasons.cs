using System.Collections.Frozen;
using Google.Protobuf.Reflection;
using Grpc.Core;

namespace Cloud.ServiceDefaults.Hosting;

/// <summary>The codes of errors as answers and rows carry them, and what the contract says of each. All of them stand
/// in <c>cloud/api/v1/error_reason.proto</c>, and nothing else can be thrown or recorded; only what another service
/// said is passed on as it came.</summary>
public static class ErrorReasons
{
    private static readonly Verdict WrongField = new()
    {
        Status = Verdict.Types.Status.InvalidArgument, Fault = Protos.Supervision.V1.Fault.Caller,
    };

    private static readonly FrozenDictionary<ErrorReason, EnumValueDescriptor> Declared =
        ErrorReasonReflection.Descriptor.EnumTypes.Single().Values.ToFrozenDictionary(v => (ErrorReason)v.Number);

    private static readonly FrozenDictionary<string, ErrorReason> ByText =
        Declared.ToFrozenDictionary(pair => pair.Value.Name, pair => pair.Key, StringComparer.Ordinal);

    /// <summary>The code as it travels and is stored: <c>ETAG_MISMATCH</c>.</summary>
    public static string Text(this ErrorReason reason) => Declared[reason].Name;

    /// <summary>The code in a row or an answer; <see cref="ErrorReason.Unspecified"/> when there is none, or none that
    /// this code knows.</summary>
    public static ErrorReason Of(string? text) => text is null ? default : ByText.GetValueOrDefault(text);

    /// <summary>How calls end of which it is the reason. One that is only ever recorded should be no reason of a
    /// call.</summary>
    public static StatusCode StatusOf(this ErrorReason reason) =>
        VerdictOf(reason).Status is not Verdict.Types.Status.Unspecified and var status
            ? (StatusCode)(int)status
            : StatusCode.Internal;

    /// <summary>What to make of it.</summary>
    public static Verdict VerdictOf(this ErrorReason reason) =>
        Declared[reason].GetOptions()?.GetExtension(AnnotationsExtensions.Verdict) ?? WrongField;
}
