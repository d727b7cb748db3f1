using Cloud.Protos.Api.V1;
using Cloud.Protos.Cluster.V1;
using Cloud.Protos.Installation.V1;
using Cloud.Protos.Metrics.V1;
using Cloud.Protos.Supervision.V1;
using Cloud.ServiceDefaults.Hosting;
using Google.Protobuf.WellKnownTypes;
using Xunit;

namespace Cloud.ServiceDefaults.Tests.Hosting;

/// <summary>What is wrong with a request whatever it is about.</summary>
public sealed class RequestForms
{
    [Fact]
    public void A_sound_request_has_no_problems() => Assert.Empty(RequestForm.ProblemsOf(new CreateInstallationRequest
    {
        Installation = new Installation
        {
            OwnerId = new string('o', 64),
            DnsNames = { "acme.example.com" },
            MattermostEnv = { ["A"] = new EnvVar { Value = new string('v', 262_144) } },
        },
        RequestId = new string('r', 64),
    }));

    [Fact]
    public void Everything_is_found_at_once_with_its_path()
    {
        var request = new CreateInstallationRequest
        {
            NameHint = "a\0b",
            RequestId = new string('r', 65),
            Installation = new Installation
            {
                OwnerId = new string('o', 65),
                DnsNames = { Enumerable.Repeat("x", 21) },
                MattermostEnv =
                {
                    ["A"] = new EnvVar { SecretKey = new KeyReference { Name = new string('n', 254) } },
                },
            },
        };
        Assert.Equal(
            [
                ("installation.dns_names", "ENTRIES_TOO_MANY"),
                ("installation.mattermost_env[A].secret_key.name", "TEXT_TOO_LONG"),
                ("installation.owner_id", "TEXT_TOO_LONG"),
                ("name_hint", "TEXT_INVALID"),
                ("request_id", "TEXT_TOO_LONG"),
            ],
            RequestForm.ProblemsOf(request).Select(p => (p.Field, p.Reason.Text())).Order());
    }

    [Fact]
    public void Times_and_durations_must_be_some()
    {
        var events = new AppendEventsRequest
        {
            Events =
            {
                new Event { OccurTime = new Timestamp { Seconds = long.MaxValue } },
                new Event { OccurTime = new Timestamp { Nanos = -1 } },
                new Event { OccurTime = new Timestamp { Seconds = 1 } },
            },
        };
        Assert.Equal(
            [("events[0].occur_time", "TIME_INVALID"), ("events[1].occur_time", "TIME_INVALID")],
            RequestForm.ProblemsOf(events).Select(p => (p.Field, p.Reason.Text())));
        var deletion = new DeleteInstallationRequest { PendingTime = new Duration { Seconds = 1, Nanos = -1 } };
        Assert.Equal(ErrorReason.DurationInvalid, Assert.Single(RequestForm.ProblemsOf(deletion)).Reason);
    }

    [Fact]
    public void What_is_only_ever_answered_may_come_back_as_it_was() => Assert.Empty(RequestForm.ProblemsOf(
        new UpdateClusterRequest
        {
            Cluster = new Cluster
            {
                UnreachableReason = new string('u', 5000),
                Progress = new Progress { WaitingFor = new string('w', 5000) },
            },
        }));
}
