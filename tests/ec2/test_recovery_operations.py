"""The operations for instances in deploys of one's own: what they do, what they leave, and what they refuse."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.ec2.sandbox import CloudFleet, cloud_fleet, cloud_sandbox  # noqa: F401
from tests.fleet.machine import Finished

pytestmark = pytest.mark.slow


def _deploy(fleet: CloudFleet, call: str) -> Finished:
    """Carry out a deploy that calls an operation, and then something else on the host."""
    path: Path = fleet.control.root / "own.py"
    path.write_text(
        "from pyinfra.operations import server\n\nfrom operations import ec2\n\n"
        f'ec2.{call}\nserver.shell(name="More", commands="touch ~/more")\n'
    )
    _has_more(fleet)
    return fleet.pyinfra(str(path), "-y", "--limit", "cloud-1")


def _has_more(fleet: CloudFleet) -> bool:
    path = fleet.host().home / "more"
    found = path.exists()
    path.unlink(missing_ok=True)
    return found


def test_an_instance_is_started_and_used_at_once(cloud_fleet: CloudFleet) -> None:  # noqa: F811
    cloud_fleet.allow("{start: true}")
    well = _deploy(cloud_fleet, 'running(name="Running")')
    assert (well.code, cloud_fleet.actions(), _has_more(cloud_fleet)) == (0, [], True)
    cloud_fleet.damage("instance-stopped")
    cloud_fleet.forget_calls()
    done = _deploy(cloud_fleet, 'running(name="Running")')
    assert (done.code, cloud_fleet.actions(), _has_more(cloud_fleet)) == (0, ["StartInstances"], True)


def test_an_instance_is_rebooted_once_since_a_moment(cloud_fleet: CloudFleet) -> None:  # noqa: F811
    cloud_fleet.allow("{reboot: true}")
    before, since = cloud_fleet.over_ssh(), time.time()
    call = f'rebooted(name="Rebooted", since={since})'
    done = _deploy(cloud_fleet, call)
    assert (done.code, cloud_fleet.actions(), _has_more(cloud_fleet)) == (0, ["RebootInstances"], True)
    boot = cloud_fleet.over_ssh()
    assert boot not in {"", before}
    again = _deploy(cloud_fleet, call)
    assert (again.code, cloud_fleet.actions(), cloud_fleet.over_ssh()) == (0, ["RebootInstances"], boot)


@pytest.mark.parametrize(
    ("call", "fault", "why"),
    [
        ('running(name="Running")', "instance-stopped", "the spec does not allow it (l4.start)"),
        ('rebooted(name="Rebooted")', "sshd-dead-inside", "the spec does not allow it (l4.reboot)"),
    ],
)
def test_what_the_spec_does_not_allow_is_refused(
    cloud_fleet: CloudFleet,  # noqa: F811
    call: str,
    fault: str,
    why: str,
) -> None:
    cloud_fleet.allow("{run_command: true}")
    cloud_fleet.damage(fault)
    cloud_fleet.forget_calls()
    done = _deploy(cloud_fleet, call)
    assert (done.code, cloud_fleet.actions(), _has_more(cloud_fleet)) == (1, [], False)
    assert why in done.output


def test_an_instance_is_found_at_its_new_address(cloud_fleet: CloudFleet) -> None:  # noqa: F811
    # Nothing is remembered but where it was.
    assert cloud_fleet.miyabi("ec2", "list").code == 0
    address = cloud_fleet.host().address
    instance_id = cloud_fleet.instance_id()
    ec2 = cloud_fleet.cloud.client()
    cloud_fleet.damage("instance-stopped")
    ec2.start_instances(InstanceIds=[instance_id])
    cloud_fleet.forget_calls()
    done = _deploy(cloud_fleet, 'reachable(name="Reachable")')
    assert (done.code, cloud_fleet.actions(), _has_more(cloud_fleet)) == (0, [], True)
    assert cloud_fleet.host().address != address


def test_a_deploy_without_them_leaves_instances_out_that_are_not_reached(cloud_fleet: CloudFleet) -> None:  # noqa: F811
    cloud_fleet.damage("instance-stopped")
    cloud_fleet.forget_calls()
    path = cloud_fleet.control.root / "other.py"
    path.write_text('from pyinfra.operations import server\n\nserver.shell(name="More", commands="true")\n')
    done = cloud_fleet.pyinfra(str(path), "-y", "--limit", "cloud-1")
    assert (done.code, cloud_fleet.actions()) == (1, [])
