"""The fact facts.ec2.InstanceStatus, through the real pyinfra and the real boto3."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.ec2.cloud import REGION, Cloud
from tests.fleet.control import REPOSITORY, Fleet
from tests.fleet.machine import Finished, Machine

FACT = "facts.ec2.InstanceStatus"
OTHER = "us-east-1"


@pytest.fixture
def control(machine: Machine, cloud: Cloud) -> Machine:
    """The control machine, with a file of instances."""
    machine.environment.update(cloud.environment)
    (machine.root / "ec2.yaml").write_text(f"regions: [{REGION}, {OTHER}]\ntags: {{miyabi: sandbox}}\n")
    return machine


def _ask(control: Machine, *arguments: str, inventory: str | Path = "@local") -> Finished:
    words = ["pyinfra", "--json", str(inventory), "fact", FACT, *arguments]
    asked = control.run(*words, cwd=REPOSITORY, timeout=60)
    assert (asked.code, "Traceback" in asked.output) == (0, False), asked.output
    return asked


def _told(asked: Finished) -> dict[str, Any]:
    """What is told of each host."""
    (told,) = json.loads(asked.stdout).values()
    return dict(told)


def test_all_of_the_fleet_on_the_control_machine(control: Machine, cloud: Cloud) -> None:
    first = cloud.launch("worker-1", {"miyabi": "sandbox"})
    cloud.launch("worker-2", {"miyabi": "sandbox"}, region=OTHER)
    unnamed = cloud.launch("", {"miyabi": "sandbox"})
    twins = {cloud.launch("twin", {"miyabi": "sandbox"}), cloud.launch("twin", {"miyabi": "sandbox"}, region=OTHER)}
    cloud.launch("other")
    cloud.describe(first, system="initializing", computer="insufficient-data", agent="Online")
    cloud.forget_calls()
    told = _told(_ask(control, f"file={control.root}/ec2.yaml"))["@local"]
    assert told.keys() == {"worker-1", "worker-2", unnamed} | twins
    one = told["worker-1"]
    assert (one["instance_id"], one["power"], one["agent"], one["stop_protected"]) == (
        first,
        "running",
        "Online",
        False,
    )
    assert [one[each]["status"] for each in ("system", "computer", "volumes")] == [
        "initializing",
        "insufficient-data",
        "ok",
    ]
    assert told["worker-2"]["region"] == OTHER
    assert cloud.calls()
    assert not cloud.mutating()
    assert {call["action"][:8] for call in cloud.calls()} == {"Describe"}


def test_one_by_its_id_and_always_anew(control: Machine, cloud: Cloud) -> None:
    instance_id = cloud.launch("worker-1")
    words = (f"instance={instance_id}", f"region={REGION}")
    assert _told(_ask(control, *words))["@local"]["computer"]["status"] == "ok"
    cloud.describe(instance_id, computer="impaired", impaired_since=1_795_214_460.0)
    assert _told(_ask(control, *words))["@local"]["computer"] == {"status": "impaired", "since": 1_795_214_460.0}
    asked = _ask(control, "instance=i-00000000000000abc", f"region={REGION}")
    assert _told(asked) == {"@local": None}
    assert f"EC2 {REGION}: there is no instance i-00000000000000abc (any more)" in asked.stderr
    asked = _ask(control, f"instance={instance_id}")
    assert _told(asked) == {"@local": None}
    assert "instance and region belong together" in asked.stderr
    assert not [call for call in cloud.mutating() if call["action"] != "RunInstances"]


def test_hosts_that_are_instances_and_hosts_that_are_not(ssh_fleet: Fleet, cloud: Cloud) -> None:
    """EC2 is asked by the control machine: the hosts have no credentials."""
    ssh_fleet.add("worker-1")
    ssh_fleet.add("mugen")
    first = cloud.launch("worker-1")
    cloud.forget_calls()
    ssh_fleet.control.environment.update(cloud.environment)
    data: dict[str, dict[str, Any]] = {"worker-1": {"instance_id": first, "region": REGION}, "mugen": {}, "@local": {}}
    inventory = ssh_fleet.write_inventory(data)
    told = _told(_ask(ssh_fleet.control, inventory=inventory))
    assert (told["mugen"], told["@local"]) == (None, {})
    assert told["worker-1"]["instance_id"] == first
    assert {tuple(call["instances"]) for call in cloud.calls("DescribeInstances")} == {(first,)}
    cloud.fault("*", "expired")
    asked = _ask(ssh_fleet.control, inventory=inventory)
    assert _told(asked) == {"worker-1": None, "mugen": None, "@local": {}}
    assert f"EC2 {REGION}: the session token has expired: log in again" in asked.stderr


def test_a_region_that_fails_hides_no_other(control: Machine, cloud: Cloud) -> None:
    cloud.launch("worker-1", {"miyabi": "sandbox"})
    cloud.fault("*", "denied", region=OTHER)
    asked = _ask(control, f"file={control.root}/ec2.yaml")
    told = _told(asked)["@local"]
    assert (told.keys(), told[OTHER]) == ({"worker-1", OTHER}, None)
    assert asked.stderr.count(f"EC2 {OTHER}: DescribeInstances is not allowed") == 1
    cloud.fault("*", "denied")
    asked = _ask(control, f"file={control.root}/ec2.yaml")
    assert _told(asked) == {"@local": None}
    for region in (REGION, OTHER):
        assert asked.stderr.count(f"EC2 {region}: DescribeInstances is not allowed") == 1


def test_a_file_that_is_wrong_and_none_at_all(control: Machine, cloud: Cloud) -> None:
    (control.root / "ec2.yaml").write_text("regions: 7\n")
    asked = _ask(control, f"file={control.root}/ec2.yaml")
    assert _told(asked) == {"@local": None}
    assert f"{control.root}/ec2.yaml:1: regions" in asked.stderr
    assert _told(_ask(control, f"file={control.root}/none.yaml")) == {"@local": {}}
    assert not cloud.calls()
