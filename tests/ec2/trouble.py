"""Instances that are down, for the tests of what else may go wrong meanwhile, and controllers beside a test."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from miyabi.sandbox.processes import end_all, processes_of
from tests.ec2.sandbox import FAST, CloudFleet
from tests.fleet.control import REPOSITORY
from tests.fleet.programs import required
from tests.fleet.waiting import wait_until

BOTH = ("cloud-1", "cloud-2")


def crash(fleet: CloudFleet, *names: str) -> None:
    """End all that runs on instances, as a kernel does that gives up: unlike one that hangs it refuses at once."""
    for name in names or ("cloud-1",):
        end_all(lambda name=name: processes_of(fleet.sandbox.folder, name))  # type: ignore[misc]
    for name in names or ("cloud-1",):
        wait_until(lambda name=name: fleet.checks(name)[1] == "impaired")  # type: ignore[misc]
    fleet.forget_calls()


@contextmanager
def taking(fleet: CloudFleet, **seconds: float) -> Iterator[None]:
    """Let machines take their time: ``boot``, ``stop``."""
    path = fleet.sandbox.cloud / "settings.json"
    path.write_text(json.dumps(FAST | seconds))
    try:
        yield
    finally:
        path.write_text(json.dumps(FAST))


def start(fleet: CloudFleet) -> subprocess.Popen[str]:
    """A run for one instance that goes on beside the test."""
    return subprocess.Popen(
        [required("pyinfra"), str(fleet.sandbox.inventory), "deploys/recover.py", "-y", "--limit", "cloud-1"],
        cwd=REPOSITORY,
        env=fleet.control.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def kill_after(fleet: CloudFleet, action: str) -> None:
    """Run, and kill that run as soon as EC2 was told to do something."""
    run = start(fleet)
    try:
        wait_until(lambda: fleet.calls(action), 40, what=action)
    finally:
        run.kill()
        run.communicate()


def reboots(fleet: CloudFleet) -> dict[str, float]:
    """When each instance was told to reboot, by name, in seconds since the epoch; none was told twice."""
    calls = fleet.cloud.calls("RebootInstances")
    names = {fleet.instance_id(name): name for name in BOTH}
    told = {names[call["instances"][0]]: call["at"] for call in calls}
    assert len(told) == len(calls)
    return told
