"""An instance that never comes back: the run ends in time, nothing is repeated, and a human is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from miyabi.history import History, open_history
from miyabi.records import IncidentChanged
from tests.ec2.sandbox import CloudFleet, cloud_fleet, cloud_sandbox, summary_of  # noqa: F401
from tests.ec2.trouble import crash
from tests.fleet.control import REPOSITORY
from tests.fleet.machine import Finished

pytestmark = pytest.mark.slow

# A run at another time, in which remedies are given less of it.
_LATER = """\
import sys, time
from types import SimpleNamespace
import operations.availability, operations.memory
import miyabi.remedy, miyabi.remedy_types
later, patience = float(sys.argv[1]), float(sys.argv[2])
sys.argv = ["pyinfra", *sys.argv[3:]]
told = lambda: time.time() + later
operations.memory.time = SimpleNamespace(time=told)
operations.availability.time = told
miyabi.remedy_types.PATIENCE = miyabi.remedy.PATIENCE = dict.fromkeys(miyabi.remedy_types.PATIENCE, patience)
from pyinfra_cli.main import main
main()
"""


def later(fleet: CloudFleet, seconds: float, patience: float = 2.0) -> Finished:
    """A run of the same command so many seconds from now."""
    words = ["python", "-c", _LATER, str(seconds), str(patience), str(fleet.sandbox.inventory)]
    done = fleet.control.run(*words, "deploys/recover.py", "-y", "--limit", "cloud-1", cwd=REPOSITORY, timeout=90)
    assert "Traceback" not in done.output, done.output
    return done


def never_comes_back(fleet: CloudFleet) -> None:
    """Break the hardware below an instance, and let EC2 say that its own system is at fault."""
    fleet.damage("system-impaired")
    fleet.cloud.describe(fleet.instance_id(), system="ok", computer="impaired")
    crash(fleet)


def remembered(fleet: CloudFleet) -> History:
    return open_history(Path(fleet.sandbox.folder / "state" / "miyabi"), None, now=0.0, keep=1e9)


def test_the_run_ends_in_time_and_the_next_one_waits_for_what_is_under_way(cloud_fleet: CloudFleet) -> None:  # noqa: F811
    cloud_fleet.allow("{reboot: true, stop_start: true, accept: [new-address]}", "{max_level: L4, budgets: {L4: 8s}}")
    assert cloud_fleet.recover(hosts="cloud-1,cloud-2,mugen").code == 0
    never_comes_back(cloud_fleet)
    panes = cloud_fleet.panes("cloud-2")
    for _ in range(2):
        done = cloud_fleet.recover(hosts="cloud-1,cloud-2,mugen")
        assert done.code == 1, done.output
        assert done.seconds < 20
        assert cloud_fleet.actions() == ["RebootInstances"]
        assert [summary_of(done, name) for name in ("cloud-2", "mugen")] == ["healthy, nothing to do"] * 2
        # What the others had to do was done before anybody waited.
        assert done.output.rindex("Starting operation: L4") > done.output.rindex("[mugen]   No changes")
        assert "the next run goes on" in summary_of(done)
    assert cloud_fleet.panes("cloud-2") == panes


def test_what_had_its_time_gives_the_next_one_its_turn_and_then_a_human(cloud_fleet: CloudFleet) -> None:  # noqa: F811
    cloud_fleet.allow(
        "{run_command: true, reboot: true, stop_start: true, accept: [new-address]}",
        "{max_level: L4, budgets: {L4: 40s}}",
    )
    assert cloud_fleet.recover().code == 0
    never_comes_back(cloud_fleet)
    # Whatever it is started on is broken.
    broken = cloud_fleet.sandbox.cloud / "broken"
    for number in range(50):
        (broken / str(number)).touch()
    try:
        done = later(cloud_fleet, 0)
        assert done.code == 1, done.output
        assert cloud_fleet.actions() == ["RebootInstances", "StopInstances", "StartInstances"], done.output
        assert "a reboot and a stop and start did not help" in summary_of(done)
        assert "aws ec2 get-console-output" in summary_of(done)
        # From then on nothing is done, and the human is told of one incident.
        for minutes in (2, 70, 300):
            again = later(cloud_fleet, 60 * minutes)
            assert again.code == 1, again.output
            assert "did not help" in summary_of(again)
        assert cloud_fleet.actions() == ["RebootInstances", "StopInstances", "StartInstances"]
        changes = remembered(cloud_fleet).records(IncidentChanged, host="cloud-1")
        assert [each.change for each in changes if each.change == "opened"] == ["opened"]
    finally:
        for number in range(50):
            (broken / str(number)).unlink()


def test_one_that_comes_back_with_another_key_is_not_waited_for(cloud_fleet: CloudFleet) -> None:  # noqa: F811
    cloud_fleet.allow("{reboot: true}", "{max_level: L4, budgets: {L4: 60s}}")
    assert cloud_fleet.recover().code == 0
    host = cloud_fleet.host()
    crash(cloud_fleet)
    key = host.outside(host.etc) / "host_key"
    for each in (key, key.with_suffix(".pub")):
        each.unlink()
    made = cloud_fleet.control.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key))
    assert made.code == 0, made.output
    done = cloud_fleet.recover()
    assert done.code == 1, done.output
    assert done.seconds < 30
    assert cloud_fleet.actions() == ["RebootInstances"]
    assert "does not have the host key that is trusted" in summary_of(done)
    assert len(cloud_fleet.calls()) < 30
