"""Controllers that are killed while an instance is away, and two at once: nothing is done twice, nothing is left."""

from __future__ import annotations

import pytest

from tests.ec2.sandbox import CloudFleet, cloud_fleet, cloud_sandbox, summary_of  # noqa: F401
from tests.ec2.trouble import crash, kill_after, start, taking
from tests.fleet.waiting import wait_until

pytestmark = pytest.mark.slow

# A gate that would hold nothing for having been tried.
EAGER = "gate: {backoff: {first: 0.1s, longest: 0.1s}}\n"


def eager(fleet: CloudFleet) -> None:
    with fleet.spec.open("a") as spec:
        spec.write(EAGER)


@pytest.mark.parametrize("boot", [0.5, 5.0])
def test_killed_after_a_reboot_was_begun(cloud_fleet: CloudFleet, boot: float) -> None:  # noqa: F811
    eager(cloud_fleet)
    assert cloud_fleet.recover().code == 0
    before = cloud_fleet.over_ssh()
    crash(cloud_fleet)
    with taking(cloud_fleet, boot=boot):
        kill_after(cloud_fleet, "RebootInstances")
        done = cloud_fleet.recover()
    assert done.code == 0, done.output
    assert cloud_fleet.actions() == ["RebootInstances"]
    assert cloud_fleet.over_ssh() not in {"", before}
    assert len(cloud_fleet.panes()) == 3


@pytest.mark.parametrize("waits", [False, True])
def test_killed_between_stop_and_start(cloud_fleet: CloudFleet, *, waits: bool) -> None:  # noqa: F811
    """The next run starts it, whether it finds it stopping or stopped."""
    cloud_fleet.allow("{stop_start: true, accept: [new-address], self_healing: 1s}")
    eager(cloud_fleet)
    assert cloud_fleet.recover().code == 0
    before, address = cloud_fleet.over_ssh(), cloud_fleet.host().address
    cloud_fleet.damage("system-impaired")
    crash(cloud_fleet)
    with taking(cloud_fleet, stop=3.0):
        kill_after(cloud_fleet, "StopInstances")
        if waits:
            wait_until(lambda: cloud_fleet.power(cloud_fleet.instance_id()) == "stopped")
        done = cloud_fleet.recover()
    assert done.code == 0, done.output
    assert cloud_fleet.actions() == ["StopInstances", "StartInstances"]
    assert cloud_fleet.host().address != address
    assert cloud_fleet.over_ssh() not in {"", before}
    assert len(cloud_fleet.panes()) == 3


@pytest.mark.parametrize("later", [False, True])
def test_two_controllers_reboot_it_once(cloud_fleet: CloudFleet, *, later: bool) -> None:  # noqa: F811
    """One of them waits for the other's lease; when it has it, the instance may be back."""
    eager(cloud_fleet)
    assert cloud_fleet.recover().code == 0
    crash(cloud_fleet)
    with taking(cloud_fleet, boot=5.0):
        first = start(cloud_fleet)
        if later:
            wait_until(lambda: cloud_fleet.calls("RebootInstances"), 40)
        second = start(cloud_fleet)
        try:
            said = [run.communicate(timeout=80)[0] for run in (first, second)]
        finally:
            for run in (first, second):
                run.kill()
    assert cloud_fleet.actions() == ["RebootInstances"], said
    assert 0 in {first.returncode, second.returncode}, said
    assert "Traceback" not in "".join(said)
    again = cloud_fleet.recover()
    assert again.code == 0, again.output
    assert summary_of(again) == "healthy, nothing to do"
