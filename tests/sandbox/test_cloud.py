"""The sandbox's instances are hosts whose power is really switched: by the API, as boto3 asks it, seen over ssh."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from click.testing import CliRunner

from miyabi.cli import main
from miyabi.sandbox import lifecycle, programs
from miyabi.sandbox.cloud_files import REGION, CloudFiles
from miyabi.sandbox.faults import FAULTS, inject
from miyabi.sandbox.fleet import Sandbox, instances
from tests.ec2.cloud import Cloud
from tests.fleet.leaks import TestRun
from tests.fleet.machine import Machine
from tests.fleet.programs import required
from tests.fleet.waiting import wait_until
from tests.sandbox.conftest import assert_nothing_is_left

_FAST = {"boot": 0.5, "stop": 0.3, "check": 0.5, "initializing": 0.5}


# Instances need root folders of their own.
@pytest.fixture(scope="module", params=["cloud"] if programs.can_isolate() else [])
def sandbox(test_run: TestRun) -> Iterator[Sandbox]:
    """A sandbox with a cloud that is in a hurry."""
    required("sshd")
    parent = test_run.new_folder("sandbox")
    brought = lifecycle.up(parent / "s", cloud=True)
    (brought.cloud / "settings.json").write_text(json.dumps(_FAST))
    yield brought
    lifecycle.down(brought.folder)
    assert_nothing_is_left(brought.folder)
    parent.rmdir()


@pytest.fixture(scope="module")
def cloud(sandbox: Sandbox) -> Cloud:
    """Its cloud, asked through boto3."""
    files = CloudFiles(sandbox.cloud)
    return Cloud(str(files.url()), files)


def _id(sandbox: Sandbox, name: str) -> str:
    return next(str(row["instance_id"]) for row in instances(sandbox.folder) if row["name"] == name and row["host"])


def _power(cloud: Cloud, instance_id: str) -> str:
    return str(_one(cloud, instance_id)["State"]["Name"])


def _one(cloud: Cloud, instance_id: str) -> dict[str, Any]:
    answer = cloud.client("ec2", REGION).describe_instances(InstanceIds=[instance_id])
    found: dict[str, Any] = answer["Reservations"][0]["Instances"][0]
    return found


def _checks(cloud: Cloud, instance_id: str) -> tuple[str, str]:
    """The system check and the instance check."""
    answer = cloud.client("ec2", REGION).describe_instance_status(InstanceIds=[instance_id], IncludeAllInstances=True)
    row = answer["InstanceStatuses"][0]
    return row["SystemStatus"]["Status"], row["InstanceStatus"]["Status"]


def _over_ssh(
    sandbox: Sandbox, machine: Machine, name: str, script: str = "cat /proc/sys/kernel/random/boot_id"
) -> str:
    done = machine.run("ssh", "-F", str(sandbox.ssh_config), "-o", "ConnectTimeout=2", name, script, timeout=20)
    return done.stdout.strip() if done.code == 0 else ""


def _answers_again(sandbox: Sandbox, machine: Machine, name: str, before: str) -> str:
    def another() -> str:
        now = _over_ssh(sandbox, machine, name)
        return "" if now == before else now

    return wait_until(another, 20, what=f"{name} has booted anew")


def _run(cloud: Cloud, instance_id: str, script: str) -> dict[str, Any]:
    client = cloud.client("ssm", REGION)
    told = {"commands": [script], "executionTimeout": ["10"]}
    sent = client.send_command(InstanceIds=[instance_id], DocumentName="AWS-RunShellScript", Parameters=told)
    command = sent["Command"]["CommandId"]

    def ended() -> dict[str, Any] | None:
        said: dict[str, Any] = client.get_command_invocation(CommandId=command, InstanceId=instance_id)
        return None if said["Status"] in {"Pending", "InProgress"} else said

    return wait_until(ended, 15) or {}


def test_instances_are_hosts_with_tags_and_addresses(sandbox: Sandbox, cloud: Cloud, machine: Machine) -> None:
    answer = cloud.client("ec2", REGION).describe_instances(Filters=[{"Name": "tag:miyabi", "Values": ["sandbox"]}])
    found = [each for reservation in answer["Reservations"] for each in reservation["Instances"]]
    named = {tag["Value"]: each for each in found for tag in each["Tags"] if tag["Key"] == "Name"}
    assert sorted(named) == ["cloud-1", "cloud-2"]
    for name, each in named.items():
        assert each["PublicIpAddress"] == sandbox.host(name).address
        assert each["NetworkInterfaces"][0]["Association"]["IpOwnerId"] == "amazon"
        assert _over_ssh(sandbox, machine, name, "hostname; id -un") == f"{name}\nec2-user"
    assert len({host.port for host in sandbox.hosts.values() if host.kind == "cloud"}) == 1


def test_the_console_tells_the_host_key(sandbox: Sandbox, cloud: Cloud) -> None:
    host = sandbox.host("cloud-1")
    told = cloud.client("ec2", REGION).get_console_output(InstanceId=_id(sandbox, "cloud-1"))["Output"]
    key = (host.outside(host.etc) / "host_key.pub").read_text().split()
    lines = told.split("\r\n")
    assert lines[lines.index("-----BEGIN SSH HOST KEY KEYS-----") + 1].startswith(f"{key[0]} {key[1]} root@ip-")
    assert any("cloud-init: 256 SHA256:" in line and line.endswith("(ED25519)") for line in lines)


def test_a_reboot_ends_everything_and_gives_another_boot_id(sandbox: Sandbox, cloud: Cloud, machine: Machine) -> None:
    instance_id = _id(sandbox, "cloud-1")
    before = _over_ssh(
        sandbox, machine, "cloud-1", "nohup sleep 8642 >/dev/null 2>&1 & cat /proc/sys/kernel/random/boot_id"
    )
    cloud.client("ec2", REGION).reboot_instances(InstanceIds=[instance_id])
    assert _checks(cloud, instance_id) == ("initializing", "initializing")
    assert _answers_again(sandbox, machine, "cloud-1", before)
    if programs.own_uptime():
        assert float(_over_ssh(sandbox, machine, "cloud-1", "cat /proc/uptime").split()[0]) < 20
    assert "sleep 8642" not in _over_ssh(sandbox, machine, "cloud-1", "ps -ef")
    wait_until(lambda: _checks(cloud, instance_id) == ("ok", "ok"))
    assert _one(cloud, instance_id)["PublicIpAddress"] == sandbox.hosts["cloud-1"].address


def test_after_a_stop_and_a_start_it_has_another_address_and_the_same_key(
    sandbox: Sandbox, cloud: Cloud, machine: Machine
) -> None:
    instance_id, before = _id(sandbox, "cloud-2"), sandbox.host("cloud-2")
    key = (before.outside(before.etc) / "host_key.pub").read_text()
    boot = _over_ssh(sandbox, machine, "cloud-2")
    list(inject(sandbox, "instance-stopped"))
    assert FAULTS["instance-stopped"].seen(sandbox, before)
    stopped = _one(cloud, instance_id)
    assert stopped["StateReason"]["Code"] == "Client.UserInitiatedShutdown"
    assert "PublicIpAddress" not in stopped
    assert _checks(cloud, instance_id) == ("not-applicable", "not-applicable")
    assert not lifecycle.answers(before, before.port)
    cloud.client("ec2", REGION).start_instances(InstanceIds=[instance_id])
    wait_until(lambda: _power(cloud, instance_id) == "running")
    after = sandbox.host("cloud-2")
    assert after.address != before.address
    assert _one(cloud, instance_id)["PublicIpAddress"] == after.address
    assert _answers_again(sandbox, machine, "cloud-2", boot)
    assert not lifecycle.answers(before, before.port)
    assert (after.outside(after.etc) / "host_key.pub").read_text() == key


def test_an_instance_that_hangs_is_impaired_and_a_reboot_mends_it(
    sandbox: Sandbox, cloud: Cloud, machine: Machine
) -> None:
    instance_id, host = _id(sandbox, "cloud-1"), sandbox.host("cloud-1")
    boot = _over_ssh(sandbox, machine, "cloud-1")
    list(inject(sandbox, "instance-hang"))
    assert FAULTS["instance-hang"].seen(sandbox, host)
    assert not lifecycle.answers(host, host.port, 0.5)
    wait_until(lambda: _checks(cloud, instance_id) == ("ok", "impaired"))
    told = CliRunner().invoke(main, ["sandbox", "status", "--folder", str(sandbox.folder)]).output
    assert "hangs: everything on it is stopped" in told
    status = cloud.client("ec2", REGION).describe_instance_status(InstanceIds=[instance_id])["InstanceStatuses"][0]
    assert "ImpairedSince" in status["InstanceStatus"]["Details"][0]
    agents = cloud.client("ssm", REGION).describe_instance_information()["InstanceInformationList"]
    assert {each["InstanceId"]: each["PingStatus"] for each in agents}[instance_id] == "ConnectionLost"
    cloud.client("ec2", REGION).reboot_instances(InstanceIds=[instance_id])
    assert _answers_again(sandbox, machine, "cloud-1", boot)
    assert not FAULTS["instance-hang"].seen(sandbox, host)
    wait_until(lambda: _checks(cloud, instance_id) == ("ok", "ok"))


def test_broken_hardware_outlives_a_reboot_but_no_stop_and_start(
    sandbox: Sandbox, cloud: Cloud, machine: Machine
) -> None:
    instance_id, boot = _id(sandbox, "cloud-1"), _over_ssh(sandbox, machine, "cloud-1")
    list(inject(sandbox, "system-impaired"))
    wait_until(lambda: _checks(cloud, instance_id) == ("impaired", "impaired"))
    ec2 = cloud.client("ec2", REGION)
    ec2.reboot_instances(InstanceIds=[instance_id])
    wait_until(lambda: _checks(cloud, instance_id) == ("impaired", "impaired"))
    assert not lifecycle.answers(sandbox.host("cloud-1"), sandbox.host("cloud-1").port)
    assert FAULTS["system-impaired"].seen(sandbox, sandbox.host("cloud-1"))
    ec2.stop_instances(InstanceIds=[instance_id])
    wait_until(lambda: _power(cloud, instance_id) == "stopped")
    ec2.start_instances(InstanceIds=[instance_id])
    assert _answers_again(sandbox, machine, "cloud-1", boot)
    wait_until(lambda: _checks(cloud, instance_id) == ("ok", "ok"))
    assert not FAULTS["system-impaired"].seen(sandbox, sandbox.host("cloud-1"))


def test_systems_manager_runs_commands_on_the_host_and_starts_its_sshd_again(
    sandbox: Sandbox, cloud: Cloud, machine: Machine
) -> None:
    instance_id, boot = _id(sandbox, "cloud-2"), _over_ssh(sandbox, machine, "cloud-2")
    said = _run(cloud, instance_id, "hostname; echo trouble >&2; exit 3")
    assert (said["Status"], said["ResponseCode"]) == ("Failed", 3)
    assert (said["StandardOutputContent"], said["StandardErrorContent"]) == ("cloud-2\n", "trouble\n")
    list(inject(sandbox, "sshd-dead-inside"))
    assert FAULTS["sshd-dead-inside"].seen(sandbox, sandbox.host("cloud-2"))
    assert _over_ssh(sandbox, machine, "cloud-2") == ""
    assert _checks(cloud, instance_id) == ("ok", "ok")
    assert _run(cloud, instance_id, "sshd")["Status"] == "Success"
    assert _over_ssh(sandbox, machine, "cloud-2") == boot


def test_another_instance_of_the_name_is_a_fresh_host(sandbox: Sandbox, cloud: Cloud, machine: Machine) -> None:
    earlier, before = _id(sandbox, "cloud-2"), sandbox.host("cloud-2")
    key = (before.outside(before.etc) / "host_key.pub").read_text()
    (before.home / "letters").touch()
    tags = {"Name": "cloud-2", "miyabi": "sandbox", "role": "worker"}
    ec2 = cloud.client("ec2", REGION)
    asked: dict[str, Any] = {
        "LaunchTemplate": {"LaunchTemplateName": "miyabi-sandbox"},
        "TagSpecifications": [_tagged(tags)],
    }
    asked |= {"MinCount": 1, "MaxCount": 1, "ClientToken": "one"}
    launched = [ec2.run_instances(**asked)["Instances"][0]["InstanceId"] for _ in range(2)]
    assert launched[0] == launched[1] != earlier
    wait_until(lambda: _id_or_none(sandbox, "cloud-2") == launched[0] and _checks(cloud, launched[0]) == ("ok", "ok"))
    after = sandbox.host("cloud-2")
    assert (after.outside(after.etc) / "host_key.pub").read_text() != key
    assert not (after.home / "letters").exists()
    assert lifecycle.answers(after, after.port)
    assert not lifecycle.answers(before, before.port)
    wait_until(lambda: _checks(cloud, earlier)[1] == "impaired")
    ec2.terminate_instances(InstanceIds=[earlier])
    wait_until(lambda: _power(cloud, earlier) == "terminated")
    assert lifecycle.answers(after, after.port)


def _tagged(tags: dict[str, str]) -> dict[str, Any]:
    return {"ResourceType": "instance", "Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}


def _id_or_none(sandbox: Sandbox, name: str) -> str | None:
    found = [row for row in instances(sandbox.folder) if row["name"] == name and row["host"]]
    return str(found[0]["instance_id"]) if found else None


def test_the_cloud_says_who_asked_what(cloud: Cloud) -> None:
    cloud.forget_calls()
    cloud.client("ec2", REGION).describe_instances()
    assert [(call["service"], call["action"], call["status"]) for call in cloud.calls()] == [
        ("ec2", "DescribeInstances", 200)
    ]
    assert cloud.mutating() == []
