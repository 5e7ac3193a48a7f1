"""What every test gets: a clean environment of its own, and the fleet's fixtures."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator, Set as AbstractSet
from pathlib import Path
from unittest import mock

import pytest
from gevent import monkey
from hypothesis import settings

from tests.fleet.control import Fleet
from tests.fleet.disks import mounted
from tests.fleet.leaks import TestRun, suspicious_names
from tests.fleet.machine import Machine
from tests.fleet.privileges import privilege_separation_folder
from tests.fleet.sshd import SshHost
from tests.fleet.tmux import TmuxServer

# pyinfra_cli, which pyinfra_testing imports too, patches the standard library for gevent as soon as it is imported.
# That ends an xdist worker, whose threads run by then; and nothing that runs in this process needs it.
with mock.patch.object(monkey, "patch_all"):
    import pyinfra_cli  # noqa: F401

# CI tries the same examples each time; everybody else looks for new ones.
settings.register_profile("ci", derandomize=True)
if os.environ.get("CI") == "true":
    settings.load_profile("ci")

_SYSTEM_TEMP = Path(tempfile.gettempdir()).resolve()
_BEFORE = pytest.StashKey[AbstractSet[object]]()


@pytest.fixture(scope="session", autouse=True)
def test_run() -> Iterator[TestRun]:
    """The marker and folder of this run; it fails when it leaves a process, a socket or a file behind."""
    # Whoever started the tests in the background (nohup, CI) has these ignored, and so would all that they start.
    for number in (signal.SIGINT, signal.SIGHUP):
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    run = TestRun.begin(_SYSTEM_TEMP)
    home = run.new_folder("home")
    with pytest.MonkeyPatch.context() as patch:
        # Nothing that a test does in this process may reach the developer's own sessions and files.
        for name in ("TMUX", "TMUX_PANE", "SSH_AUTH_SOCK", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_RUNTIME_DIR"):
            patch.delenv(name, raising=False)
        for name, value in (run.environment() | {"HOME": str(home), "TMUX_TMPDIR": str(home)}).items():
            if name != "PYTEST_CURRENT_TEST":
                patch.setenv(name, value)
        patch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
        # pytest's own folders stay where they are kept for looking at them after a failure.
        patch.setenv("PYTEST_DEBUG_TEMPROOT", str(_SYSTEM_TEMP))
        patch.setattr(tempfile, "tempdir", None)
        yield run
    shutil.rmtree(home)
    found = run.end(float(os.environ.get("MIYABI_TEST_PATIENCE", "10")))
    assert not found, "the tests have left behind:\n" + "\n".join(found)


@pytest.fixture
def machine(test_run: TestRun) -> Iterator[Machine]:
    """A pretended machine with a HOME of its own, and nothing running."""
    machine = Machine.build(test_run, "machine")
    yield machine
    TmuxServer(machine).stop()
    machine.remove()


@pytest.fixture
def tmux_server(machine: Machine) -> TmuxServer:
    """A private tmux server that is not started yet."""
    return TmuxServer(machine)


@pytest.fixture(scope="session")
def _sshd_can_start() -> Iterator[None]:
    with privilege_separation_folder():
        yield


@pytest.fixture
def ssh_fleet(test_run: TestRun, _sshd_can_start: None) -> Iterator[Fleet]:
    """A control machine, and no hosts yet: ``ssh_fleet.add("pixel")`` adds one behind a real sshd."""
    fleet = Fleet.build(test_run)
    yield fleet
    fleet.remove()


@pytest.fixture
def ssh_host(ssh_fleet: Fleet) -> SshHost:
    """One host behind a real sshd, called ``mugen``."""
    return ssh_fleet.add("mugen")


@pytest.fixture
def small_disk(test_run: TestRun) -> Iterator[tuple[Machine, Path]]:
    """A machine whose XDG_STATE_HOME is a disk of 64 KB."""
    machine = Machine.build(test_run, "small")
    disk = machine.root / "disk"
    machine.environment["XDG_STATE_HOME"] = str(disk)
    try:
        with mounted(machine, disk, "size=64k"):
            yield machine, disk
            TmuxServer(machine).stop()
            machine.stop()
    finally:
        machine.remove()


def pytest_sessionstart(session: pytest.Session) -> None:
    """Remember what stood in the system's temp folder before."""
    session.stash[_BEFORE] = suspicious_names(_SYSTEM_TEMP)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail the run when something of ours is new in the system's temp folder.

    Only in CI, whose machine is ours alone: elsewhere it may be another's.
    """
    if os.environ.get("CI") != "true" or hasattr(session.config, "workerinput"):
        return
    new = suspicious_names(_SYSTEM_TEMP) - session.stash[_BEFORE]
    if new:
        named = "\n".join(sorted(new))
        sys.stderr.write(f"\nthe tests have left behind in the system's temp folder:\n{named}\n")
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
