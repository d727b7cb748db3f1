using Cloud.Protos.Api.V1;
using Cloud.Providers;
using Cloud.ServiceDefaults.Supervision;
using Npgsql;
using Xunit;

namespace Cloud.DatabasePool.Tests.Providers;

/// <summary>What the words of a customers' server mean for who waits for it.</summary>
public sealed class ServerFailuresTests
{
    private static readonly ServerAddress Address = new("1", "db.example", 5432, "provisioner", "secret", "require");

    [Theory]
    [InlineData("08P01")] // PgBouncer, of a server that it cannot log into: "server login has been failing"
    [InlineData("08006")]
    [InlineData("53300")] // too many clients
    [InlineData("57P01")] // shut down
    [InlineData("57P03")] // starts
    public void A_server_that_is_not_there_just_now_is_waited_for_as_a_whole(string sqlState)
    {
        var failure = Explain(sqlState);
        Assert.Equal(
            (ErrorReason.DatabaseServerUnreachable, true, true),
            (failure.Reason, failure.Retryable, failure.TargetFailed));
        Assert.StartsWith("The database server db.example:5432 does not answer: its words.", failure.Message);
    }

    [Theory]
    [InlineData("28P01", ErrorReason.DatabaseServerAuthenticationFailed)]
    [InlineData("42501", ErrorReason.DatabaseServerLacksRights)]
    [InlineData("53100", ErrorReason.DatabaseServerDiskFull)]
    [InlineData("2BP01", ErrorReason.DatabaseRoleInUse)]
    [InlineData("55006", ErrorReason.DatabaseServerRefused)]
    public void A_server_that_refuses_something_is_there_and_asked_again(string sqlState, ErrorReason reason)
    {
        var failure = Explain(sqlState);
        Assert.Equal((reason, true, false), (failure.Reason, failure.Retryable, failure.TargetFailed));
        Assert.Contains("its words", failure.Message, StringComparison.Ordinal);
    }

    private static StepException Explain(string sqlState) =>
        ServerFailures.Explain(new PostgresException("its words", "FATAL", "FATAL", sqlState), Address);
}
