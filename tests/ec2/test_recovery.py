"""Instances brought back by the literal command: what was broken, what EC2 was asked, and how the host is after it."""

from __future__ import annotations

import json

import pytest

from tests.ec2.sandbox import CloudFleet, cloud_fleet, cloud_sandbox, summary_of  # noqa: F401

# Each test waits for machines that boot, and for runs that bring them back.
pytestmark = pytest.mark.slow

_PANES = {"miyabi:agents.kaede", "miyabi:agents.sakura", "miyabi:agents.agents-shell"}


def assert_all_is_well(fleet: CloudFleet, boot: str) -> None:
    """The host has its sessions, and another run within the cache's life finds nothing to do and asks EC2 nothing."""
    assert set(fleet.panes()) == _PANES
    fleet.forget_calls()
    again = fleet.recover()
    assert (again.code, summary_of(again)) == (0, "healthy, nothing to do")
    assert "Success" not in again.output.partition("--> Results:")[0]
    assert fleet.calls() == []
    assert fleet.over_ssh() == boot


def _recoveries(fleet: CloudFleet) -> list[tuple[str, str, str, str]]:
    """The recoveries of L4 that the history has, oldest first: remedy, outcome, cause, reason."""
    rows = json.loads(fleet.miyabi("history", "--json").stdout)["events"]
    found = [row["details"] for row in rows if row["kind"] == "recovery" and row["target"] == "instance"]
    return [(each["does"], each["outcome"], each["cause"], each["reason"]) for each in reversed(found)]


def test_an_instance_that_hangs_is_rebooted(cloud_fleet: CloudFleet) -> None:  # noqa: F811
    before = cloud_fleet.over_ssh()
    assert cloud_fleet.recover().code == 0
    cloud_fleet.damage("instance-hang")
    cloud_fleet.forget_calls()
    done = cloud_fleet.recover()
    boot = cloud_fleet.over_ssh()
    assert done.code == 0, done.output
    assert cloud_fleet.actions() == ["RebootInstances"]
    assert boot not in {"", before}
    assert "L4_INFRASTRUCTURE restored by reboot in" in summary_of(done)
    assert "L3_FULL restored in" in summary_of(done)
    assert_all_is_well(cloud_fleet, boot)
    assert _recoveries(cloud_fleet) == [("reboot", "restored", "instance-impaired", "")]


def test_a_stopped_instance_is_started_and_followed_to_its_new_address(cloud_fleet: CloudFleet) -> None:  # noqa: F811
    assert cloud_fleet.recover().code == 0
    before, address = cloud_fleet.over_ssh(), cloud_fleet.host().address
    cloud_fleet.damage("instance-stopped")
    cloud_fleet.forget_calls()
    done = cloud_fleet.recover()
    boot = cloud_fleet.over_ssh()
    assert done.code == 0, done.output
    assert cloud_fleet.actions() == ["StartInstances"]
    assert cloud_fleet.host().address != address
    assert boot not in {"", before}
    assert "L4_INFRASTRUCTURE restored by start in" in summary_of(done)
    assert f"it is at {cloud_fleet.host().address} now" in done.output
    assert_all_is_well(cloud_fleet, boot)
    assert _recoveries(cloud_fleet) == [("start", "restored", "instance-stopped", "")]
    [row] = [each for each in cloud_fleet.miyabi("status").output.splitlines() if each.startswith("cloud-1")]
    assert row.split()[1] == "healthy"
    for target in ("cloud-1", "cloud-1:instance"):
        told = cloud_fleet.miyabi("explain", target)
        assert told.code == 0
        assert f"{target}: as the spec wants it" in told.output
        assert "L4 restored" in told.output


def test_broken_hardware_is_waited_for_and_then_left_by_a_stop_and_start(cloud_fleet: CloudFleet) -> None:  # noqa: F811
    assert cloud_fleet.recover().code == 0
    before = cloud_fleet.over_ssh()
    cloud_fleet.allow("{reboot: true, stop_start: true, accept: [new-address], self_healing: 20s}")
    cloud_fleet.damage("system-impaired")
    cloud_fleet.forget_calls()
    done = cloud_fleet.recover()
    boot = cloud_fleet.over_ssh()
    assert done.code == 0, done.output
    assert cloud_fleet.actions() == ["StopInstances", "StartInstances"]
    assert boot not in {"", before}
    assert "which EC2 mends itself as a rule; would wait until" in done.output
    assert "L4_INFRASTRUCTURE restored by stop-start in" in summary_of(done)
    assert_all_is_well(cloud_fleet, boot)
    assert _recoveries(cloud_fleet) == [("stop-start", "restored", "system-impaired", "")]


def test_a_dead_sshd_is_started_from_inside_and_nothing_else_ends(cloud_fleet: CloudFleet) -> None:  # noqa: F811
    assert cloud_fleet.recover().code == 0
    before, panes = cloud_fleet.over_ssh(), cloud_fleet.panes()
    cloud_fleet.damage("sshd-dead-inside")
    cloud_fleet.forget_calls()
    done = cloud_fleet.recover()
    assert done.code == 0, done.output
    assert cloud_fleet.actions() == ["SendCommand"]
    assert cloud_fleet.over_ssh() == before
    assert cloud_fleet.panes() == panes
    assert "L4_INFRASTRUCTURE restored by run-command in" in summary_of(done)
    assert_all_is_well(cloud_fleet, before)
    assert _recoveries(cloud_fleet) == [("run-command", "restored", "host-unreachable", "")]
