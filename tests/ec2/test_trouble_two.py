"""Two instances that are down at once: how many are away at the same time, and when nothing is done to any."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

from miyabi.sandbox.cloud_files import REGION
from miyabi.sandbox.lifecycle import answers, boot_pid
from tests.ec2.sandbox import FAST, CloudFleet, cloud_fleet, cloud_sandbox, summary_of  # noqa: F401
from tests.ec2.trouble import BOTH, crash, reboots, taking
from tests.fleet.waiting import wait_until

pytestmark = pytest.mark.slow


def booted_at(fleet: CloudFleet, name: str) -> float:
    """When the first process of a host began, in seconds since the epoch."""
    pid = boot_pid(fleet.host(name))
    assert pid is not None
    return Path(f"/proc/{pid}").stat().st_ctime


@pytest.mark.parametrize("most", [1, 2])
def test_only_so_many_are_away_at_once(cloud_fleet: CloudFleet, most: int) -> None:  # noqa: F811
    assert cloud_fleet.recover(hosts="cloud-1,cloud-2").code == 0
    cloud_fleet.fleet_rules.write_text(f"max_unavailable: {most}\n")
    before = {name: cloud_fleet.over_ssh(name=name) for name in BOTH}
    crash(cloud_fleet, *BOTH)
    with taking(cloud_fleet, boot=2.0):
        done = cloud_fleet.recover(hosts="cloud-1,cloud-2")
    assert done.code == 0, done.output
    assert cloud_fleet.actions() == ["RebootInstances"] * 2
    told = reboots(cloud_fleet)
    first, second = sorted(told, key=lambda name: told[name])
    if most == 1:
        assert told[second] > booted_at(cloud_fleet, first)
    else:
        assert told[second] < booted_at(cloud_fleet, first)
    for name in BOTH:
        assert "L4_INFRASTRUCTURE restored by reboot" in summary_of(done, name)
        assert cloud_fleet.over_ssh(name=name) not in {"", before[name]}
        assert len(cloud_fleet.panes(name)) == 3


def test_one_that_comes_back_while_it_waits_for_its_turn_is_left_alone(cloud_fleet: CloudFleet) -> None:  # noqa: F811
    assert cloud_fleet.recover(hosts="cloud-1,cloud-2").code == 0
    cloud_fleet.fleet_rules.write_text("max_unavailable: 1\n")
    crash(cloud_fleet, *BOTH)
    mended: list[str] = []

    def mend() -> None:
        """Somebody else reboots the one whose turn it is not."""
        wait_until(lambda: reboots(cloud_fleet), 60)
        [first] = reboots(cloud_fleet)
        [other] = set(BOTH) - {first}
        (cloud_fleet.sandbox.cloud / "settings.json").write_text(json.dumps(FAST))
        cloud_fleet.cloud.client("ec2", REGION).reboot_instances(InstanceIds=[cloud_fleet.instance_id(other)])
        mended.append(other)

    somebody = threading.Thread(target=mend)
    with taking(cloud_fleet, boot=8.0):
        somebody.start()
        done = cloud_fleet.recover(hosts="cloud-1,cloud-2")
        somebody.join()
    assert done.code == 0, done.output
    assert len(reboots(cloud_fleet)) == 2, cloud_fleet.actions()
    assert cloud_fleet.actions() == ["RebootInstances"] * 2
    assert "by reboot" not in summary_of(done, mended[0])


def test_many_at_once_are_a_storm_that_is_waited_for(cloud_fleet: CloudFleet) -> None:  # noqa: F811
    assert cloud_fleet.recover(hosts="cloud-1,cloud-2").code == 0
    cloud_fleet.fleet_rules.write_text("storm: {at_least: 2, targets: 2, cooldown: 20s}\nmax_unavailable: 2\n")
    crash(cloud_fleet, *BOTH)
    held = cloud_fleet.recover(hosts="cloud-1,cloud-2")
    assert held.code == 1, held.output
    assert cloud_fleet.actions() == []
    for name in BOTH:
        assert "a storm: 2 targets damaged at once by one cause (instance-impaired)" in summary_of(held, name)

    def is_first() -> bool:
        cloud_fleet.recover(hosts="cloud-1,cloud-2")
        return bool(cloud_fleet.actions())

    # When it has cooled down, one is tried first.
    wait_until(is_first, 60)
    assert cloud_fleet.actions() == ["RebootInstances"]


def test_all_silent_with_checks_that_are_fine_is_the_way_there(cloud_fleet: CloudFleet) -> None:  # noqa: F811
    assert cloud_fleet.recover(hosts="cloud-1,cloud-2").code == 0
    for name in BOTH:
        cloud_fleet.damage("sshd-dead-inside", name)
    cloud_fleet.forget_calls()
    done = cloud_fleet.recover(hosts="cloud-1,cloud-2")
    assert done.code == 1, done.output
    assert cloud_fleet.actions() == []
    for name in BOTH:
        assert "the way there may be closed" in summary_of(done, name)


def test_a_network_that_is_lost_for_a_moment_is_no_reason_for_anything(cloud_fleet: CloudFleet) -> None:  # noqa: F811
    assert cloud_fleet.recover(hosts="cloud-1,cloud-2").code == 0
    boot, panes = cloud_fleet.over_ssh(), cloud_fleet.panes()
    cloud_fleet.damage("sshd-dead-inside")
    cloud_fleet.forget_calls()

    def mend() -> None:
        wait_until(lambda: cloud_fleet.calls("DescribeInstanceStatus"), 30)
        # It was looked at, and has not come back: now it does.
        client = cloud_fleet.cloud.client("ssm", REGION)
        told = {"commands": ["sleep 4; sshd"], "executionTimeout": ["10"]}
        client.send_command(InstanceIds=[cloud_fleet.instance_id()], DocumentName="AWS-RunShellScript", Parameters=told)

    network = threading.Thread(target=mend)
    network.start()
    done = cloud_fleet.recover(hosts="cloud-1,cloud-2")
    network.join()
    assert done.code == 0, done.output
    assert cloud_fleet.actions() == ["SendCommand"], done.output
    assert cloud_fleet.over_ssh() == boot
    assert cloud_fleet.panes() == panes
    assert summary_of(done).startswith("L4_INFRASTRUCTURE restored in ")


def test_hosts_that_are_no_instances_are_as_before(cloud_fleet: CloudFleet) -> None:  # noqa: F811
    assert cloud_fleet.recover().code == 0
    cloud_fleet.damage("instance-stopped")
    for name in ("pixel", "mugen"):
        cloud_fleet.damage("offline", name)
    cloud_fleet.forget_calls()
    try:
        done = cloud_fleet.recover(hosts="pixel,mugen,cloud-1")
    finally:
        for name in ("pixel", "mugen"):
            cloud_fleet.miyabi("sandbox", "mend", "offline", name, "--folder", cloud_fleet.sandbox.folder)
    assert done.code == 1, done.output
    assert cloud_fleet.actions() == ["StartInstances"]
    assert "L4_INFRASTRUCTURE restored by start" in summary_of(done)
    assert "asleep" in summary_of(done, "pixel")
    assert "not reached since" in summary_of(done, "mugen")
    assert len(cloud_fleet.panes()) == 3
    for name in ("pixel", "mugen"):
        wait_until(lambda name=name: answers(cloud_fleet.host(name), cloud_fleet.host(name).way_in))  # type: ignore[misc]


def test_a_signal_and_the_command_bring_an_instance_back(cloud_fleet: CloudFleet) -> None:  # noqa: F811
    assert cloud_fleet.miyabi("recover", "--limit", "cloud-1").code == 0
    cloud_fleet.damage("instance-stopped")
    cloud_fleet.forget_calls()
    signalled = cloud_fleet.miyabi("signal", "instance-failure", "cloud-1", "--json")
    assert signalled.code == 0, signalled.output
    told = json.loads(signalled.stdout)
    assert (told["host"], told["exit_code"], told["max_level"]) == ("cloud-1", 0, "L4")
    assert cloud_fleet.actions() == ["StartInstances"]
    assert len(cloud_fleet.panes()) == 3
    again = cloud_fleet.miyabi("signal", "instance-failure", "cloud-1", "--json")
    assert (again.code, json.loads(again.stdout)["exit_code"]) == (0, 0)
    assert cloud_fleet.actions() == ["StartInstances"]
    cloud_fleet.allow("{start: false}")
    cloud_fleet.damage("instance-stopped")
    cloud_fleet.forget_calls()
    refused = cloud_fleet.miyabi("recover", "--limit", "cloud-1", "--json")
    assert refused.code == 1, refused.output
    told = json.loads(refused.stdout)
    assert told["exit_code"] == 1
    [host] = told["hosts"]
    assert host["outcome"] == "unreachable"
    [left] = host["left"]
    assert (left["target"], left["level"]) == ("instance", "L4")
    assert "it is stopped" in left["reason"]
    assert cloud_fleet.actions() == []
