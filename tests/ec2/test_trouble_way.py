"""An instance that is well, and to which no way leads from here: nothing that runs there is ended for that."""

from __future__ import annotations

import re

import pytest

from tests.ec2.sandbox import CloudFleet, cloud_fleet, cloud_sandbox, summary_of  # noqa: F401

pytestmark = pytest.mark.slow

# The line of inventory/ec2.yaml with the key.
_KEY = re.compile(r"(?<=ssh: \{user: ec2-user), key: [^,]+")
# Of the sandbox's network, and nobody's.
_NOBODY = "127.255.3.77"


def test_what_was_seen_to_answer_from_inside_is_not_rebooted_by_the_next_run(cloud_fleet: CloudFleet) -> None:  # noqa: F811
    cloud_fleet.allow("{run_command: true, reboot: true}", "{max_level: L4, budgets: {L4: 14s}}")
    cloud_fleet.spec.write_text(f"{cloud_fleet.spec.read_text()}\ngate: {{backoff: {{first: 1s, longest: 1s}}}}\n")
    assert cloud_fleet.recover().code == 0
    boot, panes = cloud_fleet.over_ssh(), cloud_fleet.panes()
    cloud_fleet.cloud.describe(cloud_fleet.instance_id(), public_address=_NOBODY)
    assert cloud_fleet.miyabi("ec2", "list", "--refresh").code == 0
    cloud_fleet.forget_calls()
    for _ in range(2):
        done = cloud_fleet.recover()
        assert done.code == 1, done.output
        assert "from inside sshd was seen to answer, so the way there is closed" in summary_of(done)
        assert cloud_fleet.actions() == ["SendCommand"]
    assert (cloud_fleet.over_ssh(), cloud_fleet.panes()) == (boot, panes)


def test_who_has_no_key_does_not_take_an_instance_for_dead(cloud_fleet: CloudFleet) -> None:  # noqa: F811
    cloud_fleet.allow("{run_command: true, reboot: true}", "{max_level: L4, budgets: {L4: 14s}}")
    assert cloud_fleet.recover().code == 0
    boot, panes = cloud_fleet.over_ssh(), cloud_fleet.panes()
    path = cloud_fleet.sandbox.folder / "ec2.yaml"
    without, times = _KEY.subn("", path.read_text())
    assert times == 1
    path.write_text(without)
    cloud_fleet.forget_calls()
    done = cloud_fleet.recover()
    assert done.code == 1, done.output
    assert cloud_fleet.actions() == []
    assert "No authentication methods available" in summary_of(done)
    assert (cloud_fleet.over_ssh(), cloud_fleet.panes()) == (boot, panes)
