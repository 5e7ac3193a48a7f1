"""What a human, or a deploy of one's own, asks for: it is done and proved, or the run ends with an error."""

from __future__ import annotations

import pytest

from tests.ec2.sandbox import CloudFleet, cloud_fleet, cloud_sandbox  # noqa: F401
from tests.ec2.trouble import BOTH
from tests.fleet.machine import Finished

pytestmark = pytest.mark.slow

_BY_HAND = "deploys/l4_infrastructure.py"
_REBOOT = ("--data", "remedy=reboot")


def _own(fleet: CloudFleet, text: str, *names: str) -> Finished:
    """Carry out a deploy of one's own."""
    path = fleet.control.root / "own.py"
    path.write_text(text)
    return fleet.pyinfra(path, "-y", *(word for name in names for word in ("--limit", name)))


def test_a_remedy_is_asked_for_one_instance(cloud_fleet: CloudFleet) -> None:  # noqa: F811
    boots = {name: cloud_fleet.over_ssh(name=name) for name in BOTH}
    both = cloud_fleet.pyinfra(_BY_HAND, "-y", "--limit", "cloud-1", "--limit", "cloud-2", *_REBOOT)
    assert both.code == 1
    assert "reboot is asked for 2 instances at once: name the one that is meant by --limit" in both.output
    other = cloud_fleet.pyinfra(_BY_HAND, "-y", "--limit", "pixel", *_REBOOT)
    assert (other.code, "pixel is no instance" in other.output) == (1, True)
    assert cloud_fleet.actions() == []
    assert {name: cloud_fleet.over_ssh(name=name) for name in BOTH} == boots


def test_what_ec2_refuses_to_do_to_an_instance_that_is_well_is_no_success(cloud_fleet: CloudFleet) -> None:  # noqa: F811
    boot = cloud_fleet.over_ssh()
    cloud_fleet.cloud.fault("RebootInstances", "denied")
    done = cloud_fleet.pyinfra(_BY_HAND, "-y", "--limit", "cloud-1", *_REBOOT)
    assert done.code == 1, done.output
    assert "RebootInstances is not allowed to these credentials" in done.output
    assert "restored" not in done.output
    assert cloud_fleet.over_ssh() == boot


def test_a_reboot_that_was_asked_for_is_proved_by_another_boot(cloud_fleet: CloudFleet) -> None:  # noqa: F811
    cloud_fleet.allow("{reboot: true}", "{max_level: L4, budgets: {L4: 6s}}")
    boot = cloud_fleet.over_ssh()
    # It was booted since an earlier run has seen it.
    note = cloud_fleet.sandbox.folder / "state" / "miyabi" / "hosts" / "cloud-1.seen"
    note.parent.mkdir(parents=True, exist_ok=True)
    note.write_text("1795261161 - an-earlier-boot")
    # EC2 says that it will, and nothing comes of it.
    cloud_fleet.cloud.fault("RebootInstances", "answer", status=200, code="", message="")
    done = _own(cloud_fleet, 'from operations import ec2\n\nec2.rebooted(name="Rebooted")\n', "cloud-1")
    assert done.code == 1, done.output
    assert "it is not back: it still answers as the boot that it was" in done.output
    assert cloud_fleet.over_ssh() == boot


def test_one_is_rebooted_after_the_other_where_only_one_may_be_away(cloud_fleet: CloudFleet) -> None:  # noqa: F811
    cloud_fleet.allow("{reboot: true}")
    cloud_fleet.fleet_rules.write_text("max_unavailable: 1\n")
    boots = {name: cloud_fleet.over_ssh(name=name) for name in BOTH}
    done = _own(cloud_fleet, 'from operations import ec2\n\nec2.rebooted(name="Rebooted")\n', *BOTH)
    assert done.code == 0, done.output
    assert "waiting for its turn" in done.output
    assert cloud_fleet.actions() == ["RebootInstances"] * 2
    for name in BOTH:
        assert cloud_fleet.over_ssh(name=name) not in {"", boots[name]}


@pytest.mark.parametrize("before", ["", 'server.shell(name="More", commands="true")\n'])
def test_an_instance_that_nothing_brings_back_fails_the_run(cloud_fleet: CloudFleet, before: str) -> None:  # noqa: F811
    cloud_fleet.damage("instance-stopped")
    cloud_fleet.forget_calls()
    deploy = f"""
from pyinfra import host
from pyinfra.operations import server

from operations import ec2

{before}
if host.name == "cloud-2":
    ec2.running(name="Running")
"""
    done = _own(cloud_fleet, deploy, *BOTH)
    assert done.code == 1, done.output
    assert cloud_fleet.actions() == []
