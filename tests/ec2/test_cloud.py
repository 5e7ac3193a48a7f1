"""The pretended cloud answers as EC2 does: what the other tests stand on."""

from __future__ import annotations

import socket
import time
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError, ReadTimeoutError

from tests.ec2.cloud import REGION, Cloud
from tests.fleet.waiting import wait_until


def _one(cloud: Cloud, instance_id: str) -> dict[str, Any]:
    answer = cloud.client().describe_instances(InstanceIds=[instance_id])
    found: dict[str, Any] = answer["Reservations"][0]["Instances"][0]
    return found


def _status(cloud: Cloud, instance_id: str, *, everyone: bool = True) -> dict[str, Any] | None:
    answer = cloud.client().describe_instance_status(InstanceIds=[instance_id], IncludeAllInstances=everyone)
    rows = answer["InstanceStatuses"]
    return dict(rows[0]) if rows else None


def _code(error: pytest.ExceptionInfo[ClientError]) -> tuple[str, int]:
    answer = error.value.response
    return answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]


def test_a_new_instance_runs_and_all_is_well(cloud: Cloud) -> None:
    instance_id = cloud.launch("worker-1", {"role": "worker"})
    found = _one(cloud, instance_id)
    assert found["State"]["Name"] == "running"
    assert {tag["Key"]: tag["Value"] for tag in found["Tags"]} == {"Name": "worker-1", "role": "worker"}
    assert found["NetworkInterfaces"][0]["Association"]["IpOwnerId"] == "amazon"
    status = _status(cloud, instance_id)
    assert status is not None
    assert [status[each]["Status"] for each in ("SystemStatus", "InstanceStatus", "AttachedEbsStatus")] == ["ok"] * 3
    answer = cloud.client().describe_instances(Filters=[{"Name": "tag:role", "Values": ["worker"]}])
    assert len(answer["Reservations"]) == 1


def test_a_stopped_one_has_a_status_only_for_who_asks_for_all(cloud: Cloud) -> None:
    instance_id = cloud.launch("worker-1")
    answer = cloud.client().stop_instances(InstanceIds=[instance_id])
    changed = answer["StoppingInstances"][0]
    assert (changed["PreviousState"]["Name"], changed["CurrentState"]["Name"]) == ("running", "stopping")
    assert _status(cloud, instance_id, everyone=False) is None
    status = _status(cloud, instance_id)
    assert status is not None
    assert {status[each]["Status"] for each in ("SystemStatus", "InstanceStatus")} == {"not-applicable"}
    found = _one(cloud, instance_id)
    assert "PublicIpAddress" not in found
    assert found["StateReason"]["Code"] == "Client.UserInitiatedShutdown"


def test_a_start_gives_another_address_and_a_later_launch(cloud: Cloud) -> None:
    instance_id = cloud.launch("worker-1")
    before = _one(cloud, instance_id)
    cloud.client().stop_instances(InstanceIds=[instance_id])
    wait_until(lambda: datetime.now(UTC).timestamp() > before["LaunchTime"].timestamp() + 1)
    cloud.client().start_instances(InstanceIds=[instance_id])
    after = _one(cloud, instance_id)
    assert after["PublicIpAddress"] != before["PublicIpAddress"]
    assert after["LaunchTime"] > before["LaunchTime"]


def test_what_is_said_of_an_instance_can_be_corrected(cloud: Cloud) -> None:
    instance_id = cloud.launch("worker-1")
    since = 1_795_214_460.0
    events = [{"code": "instance-retirement", "description": "degraded", "not_before": since + 86400}]
    cloud.describe(instance_id, system="impaired", impaired_since=since, events=events, elastic=True)
    cloud.describe(instance_id, spot=True, autoscaling_group="workers", public_address="203.0.113.7")
    cloud.describe(instance_id, private_address="10.0.0.7", root_device="instance-store", launched_at=since)
    status = _status(cloud, instance_id)
    assert status is not None
    detail = status["SystemStatus"]["Details"][0]
    assert (status["SystemStatus"]["Status"], detail["Status"]) == ("impaired", "failed")
    assert detail["ImpairedSince"].timestamp() == since
    assert status["Events"][0]["Code"] == "instance-retirement"
    assert status["Events"][0]["NotBefore"].timestamp() == since + 86400
    found = _one(cloud, instance_id)
    assert (found["PublicIpAddress"], found["PrivateIpAddress"]) == ("203.0.113.7", "10.0.0.7")
    assert found["NetworkInterfaces"][0]["Association"]["IpOwnerId"] != "amazon"
    assert (found["InstanceLifecycle"], found["RootDeviceType"]) == ("spot", "instance-store")
    assert {"Key": "aws:autoscaling:groupName", "Value": "workers"} in found["Tags"]
    assert found["LaunchTime"].timestamp() == since
    cloud.describe(instance_id, power="stopped", reason="Server.InternalError: hardware", public_address="")
    found = _one(cloud, instance_id)
    assert (found["State"]["Name"], found["State"]["Code"]) == ("stopped", 80)
    assert found["StateReason"]["Code"] == "Server.InternalError"
    assert "PublicIpAddress" not in found
    assert "Association" not in found["NetworkInterfaces"][0]


def test_an_action_brings_about_what_was_said(cloud: Cloud) -> None:
    instance_id = cloud.launch("worker-1")
    cloud.describe(instance_id, computer="impaired", after={"RebootInstances": {"computer": "ok"}})
    cloud.client().reboot_instances(InstanceIds=[instance_id])
    status = _status(cloud, instance_id)
    assert status is not None
    assert status["InstanceStatus"]["Status"] == "ok"


@pytest.mark.parametrize(
    ("told", "action", "code"),
    [
        ({"power": "stopping"}, "start_instances", "IncorrectInstanceState"),
        ({"power": "stopped"}, "reboot_instances", "IncorrectInstanceState"),
        ({"power": "terminated"}, "stop_instances", "IncorrectInstanceState"),
        ({"root_device": "instance-store"}, "stop_instances", "UnsupportedOperation"),
        ({"spot": True}, "stop_instances", "UnsupportedOperation"),
        ({"gone": True}, "reboot_instances", "InvalidInstanceID.NotFound"),
    ],
)
def test_what_ec2_refuses(cloud: Cloud, told: dict[str, Any], action: str, code: str) -> None:
    instance_id = cloud.launch("worker-1")
    cloud.describe(instance_id, **told)
    with pytest.raises(ClientError) as refused:
        getattr(cloud.client(), action)(InstanceIds=[instance_id])
    assert _code(refused) == (code, 400)


def test_protection_is_kept(cloud: Cloud) -> None:
    instance_id = cloud.launch("worker-1", DisableApiStop=True)
    with pytest.raises(ClientError) as refused:
        cloud.client().stop_instances(InstanceIds=[instance_id])
    assert _code(refused)[0] == "OperationNotPermitted"


@pytest.mark.parametrize(
    ("kind", "service", "code", "status"),
    [
        ("throttle", "ec2", "RequestLimitExceeded", 503),
        ("error", "ec2", "InternalError", 500),
        ("expired", "ec2", "RequestExpired", 400),
        ("denied", "ec2", "UnauthorizedOperation", 403),
        ("wrong", "ec2", "AuthFailure", 401),
        ("throttle", "ssm", "ThrottlingException", 400),
        ("expired", "ssm", "ExpiredTokenException", 400),
        ("denied", "ssm", "AccessDeniedException", 400),
    ],
)
def test_calls_go_wrong_in_the_words_of_aws(cloud: Cloud, kind: str, service: str, code: str, status: int) -> None:
    cloud.fault("*", kind, times=1)
    client = cloud.client(service)
    ask = client.describe_instances if service == "ec2" else client.describe_instance_information
    with pytest.raises(ClientError) as failed:
        ask()
    assert _code(failed) == (code, status)
    ask()
    assert [call["status"] for call in cloud.calls()] == [status, 200]
    assert cloud.calls()[0]["code"] == code


def test_one_region_fails_and_an_answer_of_ones_own(cloud: Cloud) -> None:
    cloud.fault("*", "answer", region="us-east-1", code="InsufficientInstanceCapacity", message="no room", status=500)
    with pytest.raises(ClientError, match="no room"):
        cloud.client(region="us-east-1").describe_instances()
    cloud.client(region=REGION).describe_instances()
    cloud.mend()
    cloud.client(region="us-east-1").describe_instances()
    assert [call["region"] for call in cloud.calls()] == ["us-east-1", REGION, "us-east-1"]


def test_slow_hanging_and_cut_off(cloud: Cloud) -> None:
    cloud.fault("DescribeInstances", "slow", times=1, seconds=0.3)
    began = time.monotonic()
    cloud.client().describe_instances()
    assert time.monotonic() - began > 0.3
    cloud.fault("DescribeInstances", "reset", times=1)
    with pytest.raises(ConnectionClosedError):
        cloud.client().describe_instances()
    cloud.fault("DescribeInstances", "hang", times=1, seconds=60)
    with pytest.raises(ReadTimeoutError):
        cloud.client(patience=0.3).describe_instances()
    assert [(call["status"], call["code"]) for call in cloud.calls()] == [(200, ""), (0, "reset"), (0, "hang")]


@pytest.mark.parametrize("came", [b"", b"Action=RebootInst"])
def test_half_a_question_is_none(cloud: Cloud, came: bytes) -> None:
    """As of a controller that is killed while it asks."""
    where = urlsplit(cloud.environment["AWS_ENDPOINT_URL"])
    with socket.create_connection((where.hostname, where.port), timeout=20) as asking:
        asking.sendall(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 50\r\n\r\n" + came)
        asking.shutdown(socket.SHUT_WR)
        assert asking.recv(100) == b""
    assert cloud.calls() == []


def _sent(cloud: Cloud, instance_id: str) -> dict[str, Any]:
    client = cloud.client("ssm")
    told = {"commands": ["true"]}
    sent = client.send_command(InstanceIds=[instance_id], DocumentName="AWS-RunShellScript", Parameters=told)
    asked = {"CommandId": sent["Command"]["CommandId"], "InstanceId": instance_id}
    wait_until(lambda: client.get_command_invocation(**asked)["Status"] != "InProgress")
    found: dict[str, Any] = client.get_command_invocation(**asked)
    return found


def test_systems_manager_knows_the_agents_that_there_are(cloud: Cloud) -> None:
    instance_id, other = cloud.launch("worker-1"), cloud.launch("worker-2")
    cloud.describe(instance_id, agent="Online", command={"code": 4, "output": "hello\n"})
    listed = cloud.client("ssm").describe_instance_information()["InstanceInformationList"]
    assert [(each["InstanceId"], each["PingStatus"]) for each in listed] == [(instance_id, "Online")]
    only = [{"Key": "InstanceIds", "Values": [other]}]
    assert cloud.client("ssm").describe_instance_information(Filters=only)["InstanceInformationList"] == []
    said = _sent(cloud, instance_id)
    assert (said["Status"], said["ResponseCode"], said["StandardOutputContent"]) == ("Failed", 4, "hello\n")
    cloud.describe(instance_id, agent="ConnectionLost")
    assert _sent(cloud, instance_id)["Status"] == "Pending"
    with pytest.raises(ClientError) as refused:
        _sent(cloud, other)
    assert _code(refused) == ("InvalidInstanceId", 400)


def test_one_token_launches_once_and_a_console_says_what_it_is_told_to(cloud: Cloud) -> None:
    launched = {cloud.launch("worker-1", ClientToken="once") for _ in range(2)}
    assert len(launched) == 1
    instance_id = launched.pop()
    cloud.describe(instance_id, console="login:\r\n")
    assert cloud.client().get_console_output(InstanceId=instance_id)["Output"] == "login:\r\n"
    assert [call["action"] for call in cloud.mutating()] == ["RunInstances", "RunInstances"]
    cloud.forget_calls()
    assert cloud.calls() == []
