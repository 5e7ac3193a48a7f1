"""What is only told: the default, looking, pauses; and what a human then does by the command that was told."""

from __future__ import annotations

import re
import shlex
import time

import pytest

from tests.ec2.sandbox import CloudFleet, cloud_fleet, cloud_sandbox, summary_of  # noqa: F401
from tests.fleet.machine import Finished

pytestmark = pytest.mark.slow

_BY_HAND = re.compile(r"pyinfra inventory deploys/l4_infrastructure\.py --limit cloud-1 --data remedy=[a-z-]+")
_ALL = (
    "{run_command: true, start: true, reboot: true, stop_start: true, replace: true, "
    "launch_template: miyabi-sandbox, accept: [new-address]}"
)

_START = ("--data", "remedy=start")


def _by_hand(fleet: CloudFleet, command: str) -> Finished:
    """Type a command that a run has told, in the clone."""
    done = fleet.control.run(*shlex.split(command), "-y", cwd=fleet.clone, timeout=90)
    assert "Traceback" not in done.output, done.output
    return done


@pytest.mark.parametrize("level", ["", "{max_level: L4}"])
def test_by_default_it_is_told_what_a_human_can_do_and_that_works(cloud_fleet: CloudFleet, level: str) -> None:  # noqa: F811
    cloud_fleet.allow("", level)
    before = cloud_fleet.over_ssh()
    cloud_fleet.cloud.describe(cloud_fleet.instance_id(), agent="")
    cloud_fleet.damage("sshd-dead-inside")
    done = cloud_fleet.recover()
    assert done.code == 1, done.output
    assert cloud_fleet.actions() == []
    assert "would reboot it, but the spec does not allow it (l4.reboot)" in summary_of(done)
    [command] = set(_BY_HAND.findall(done.output))
    if not level:
        return
    acted = _by_hand(cloud_fleet, command)
    assert acted.code == 0, acted.output
    assert cloud_fleet.actions() == ["RebootInstances"]
    assert cloud_fleet.over_ssh() not in {"", before}
    assert len(cloud_fleet.panes()) == 3
    assert "L4_INFRASTRUCTURE restored by reboot in" in summary_of(acted)
    cloud_fleet.forget_calls()
    refused = _by_hand(cloud_fleet, command.replace("=reboot", "=stop-start"))
    assert refused.code == 1
    assert cloud_fleet.actions() == []
    assert f"it would lose its public address {cloud_fleet.host().address}" in summary_of(refused)
    assert "add new-address to l4: accept in its spec" in summary_of(refused)


def test_whatever_only_looks_changes_nothing_though_all_is_allowed(cloud_fleet: CloudFleet) -> None:  # noqa: F811
    cloud_fleet.allow(_ALL)
    assert cloud_fleet.recover(hosts="cloud-1,cloud-2").code == 0
    cloud_fleet.damage("instance-stopped")
    cloud_fleet.forget_calls()
    limit, instance_id = ("--limit", "cloud-1"), cloud_fleet.instance_id()
    looks = {
        "a dry run": cloud_fleet.pyinfra("deploys/recover.py", "--dry", *limit),
        "a dry run of L4": cloud_fleet.pyinfra("deploys/l4_infrastructure.py", "--dry", *limit),
        "a dry run by hand": cloud_fleet.pyinfra("deploys/l4_infrastructure.py", "--dry", *limit, *_START),
        "a dry run without questions": cloud_fleet.pyinfra("deploys/recover.py", "--dry", "-y", *limit),
        "the fact of instances": cloud_fleet.pyinfra("fact", "facts.ec2.InstanceStatus", "-y"),
        "another fact": cloud_fleet.pyinfra("fact", "facts.tmux.Sessions", "-y", *limit),
        "the inventory": cloud_fleet.pyinfra("debug-inventory"),
        "status": cloud_fleet.miyabi("status"),
        "an explanation": cloud_fleet.miyabi("explain", "cloud-1:instance"),
        "the list": cloud_fleet.miyabi("ec2", "list", "--refresh"),
    }
    assert cloud_fleet.actions() == []
    assert cloud_fleet.power(instance_id) == "stopped"
    codes = {name: done.code for name, done in looks.items() if done.code}
    # What is down is down for whoever looks at it.
    assert codes == {"the fact of instances": 1, "another fact": 1, "status": 1, "an explanation": 1}
    for name in ("a dry run", "a dry run of L4", "a dry run by hand"):
        assert "would start it" in looks[name].output, name
    assert f"instance {instance_id} is stopped" in looks["status"].output
    told = looks["an explanation"].output
    assert "pyinfra inventory deploys/l4_infrastructure.py --dry --limit cloud-1" in told
    assert "the next run asks EC2 how its instance is" in told
    # What speaks of another instance, of a host that is reached, is said.
    assert cloud_fleet.instance_id("cloud-2") in looks["the fact of instances"].output


def test_what_is_paused_or_in_maintenance_stays_as_it_is(cloud_fleet: CloudFleet) -> None:  # noqa: F811
    cloud_fleet.damage("instance-stopped")
    assert cloud_fleet.miyabi("pause", "cloud-1", "--for", "1h").code == 0
    cloud_fleet.forget_calls()
    paused = cloud_fleet.recover()
    assert (paused.code, cloud_fleet.actions()) == (0, [])
    assert cloud_fleet.miyabi("resume", "cloud-1").code == 0
    cloud_fleet.spec.write_text(f"{cloud_fleet.spec.read_text()}\nmaintenance: a new kernel\n")
    kept = cloud_fleet.recover()
    assert (kept.code, cloud_fleet.actions()) == (0, [])
    assert cloud_fleet.power(cloud_fleet.instance_id()) == "stopped"
    cloud_fleet.spec.write_text(cloud_fleet.specs[cloud_fleet.spec])
    done = cloud_fleet.recover()
    assert (done.code, cloud_fleet.actions()) == (0, ["StartInstances"]), done.output


def test_a_retirement_is_warned_of_and_a_human_may_be_earlier(cloud_fleet: CloudFleet) -> None:  # noqa: F811
    ahead = time.time() + 3 * 86400
    event = {"code": "instance-retirement", "description": "its hardware ages", "not_before": ahead}
    cloud_fleet.cloud.describe(cloud_fleet.instance_id(), events=[event], after={"StopInstances": {"events": []}})
    before = cloud_fleet.over_ssh()
    done = cloud_fleet.recover()
    assert (done.code, cloud_fleet.actions()) == (0, [])
    assert "EC2 has scheduled the retirement of its machine from" in done.output
    [command] = set(_BY_HAND.findall(done.output))
    acted = _by_hand(cloud_fleet, command)
    assert acted.code == 0, acted.output
    assert cloud_fleet.actions() == ["StopInstances", "StartInstances"]
    assert cloud_fleet.over_ssh() not in {"", before}
    assert len(cloud_fleet.panes()) == 3
    again = cloud_fleet.recover()
    assert (again.code, summary_of(again)) == (0, "healthy, nothing to do")
    assert "retirement" not in again.output
