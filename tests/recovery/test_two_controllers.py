"""Two runs at once on one host, and runs that are killed midway: the fleet is what the spec says, each pane once."""

from __future__ import annotations

import random
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from tests.fleet import processes
from tests.fleet.control import REPOSITORY, Fleet
from tests.fleet.programs import required
from tests.fleet.sshd import SshHost
from tests.fleet.waiting import wait_until
from tests.recovery.operating import kill, named_panes
from tests.recovery.playbook import EAGER, write_spec

pytestmark = pytest.mark.slow

SPEC = {
    "gate": EAGER,
    "sessions": [
        {
            "session_name": "miyabi",
            "windows": [
                {"window_name": "one", "panes": [{"name": name, "shell_command": "exec sleep 4242", "agent": True}]}
                for name in ("kaede", "sakura", "botan")
            ]
            + [{"window_name": "plain", "panes": [{"name": "left"}, {"name": "right"}]}],
        }
    ],
}
NAMES = {"kaede", "sakura", "botan", "left", "right"}


@pytest.fixture
def inventory(ssh_fleet: Fleet, ssh_host: SshHost) -> Path:
    spec = write_spec(ssh_fleet.control.root, SPEC)
    return ssh_fleet.write_inventory({ssh_host.name: {"spec": str(spec)}})


def start(fleet: Fleet, inventory: Path) -> subprocess.Popen[str]:
    """A run that goes on beside the test."""
    # Not PATH of the tests' own environment alone: pyinfra is found where the fleet finds it.
    program = required("pyinfra")
    return subprocess.Popen(
        [program, str(inventory), "deploys/recover.py", "-y"],
        cwd=REPOSITORY,
        env=fleet.control.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def nothing(_: SshHost) -> None:
    """Leave the host bare."""


def killed_panes(host: SshHost) -> None:
    for name in ("kaede", "botan"):
        kill(host.tmux, name)


def killed_window(host: SshHost) -> None:
    host.tmux.run("kill-window", "-t", "=miyabi:plain")


def no_changes(fleet: Fleet, inventory: Path) -> None:
    done = fleet.pyinfra(inventory, "deploys/recover.py", "-y")
    assert done.code == 0, done.output
    assert "Success" not in done.output.split("--> Results:")[0], done.output


@pytest.mark.parametrize("damage", [nothing, killed_panes, killed_window])
def test_two_at_once(ssh_fleet: Fleet, ssh_host: SshHost, inventory: Path, damage: Callable[[SshHost], None]) -> None:
    if damage is not nothing:
        built = ssh_fleet.pyinfra(inventory, "deploys/recover.py", "-y")
        assert built.code == 0, built.output
        damage(ssh_host)
    running = [start(ssh_fleet, inventory) for _ in range(3)]
    said = [each.communicate(timeout=60)[0] for each in running]
    assert 0 in [each.returncode for each in running], said
    panes = ssh_host.tmux.run("list-panes", "-a", "-F", "#{@miyabi_pane}").splitlines()
    assert sorted(panes) == sorted(NAMES), said
    no_changes(ssh_fleet, inventory)


@pytest.mark.slow
@pytest.mark.parametrize("damage", [nothing, killed_panes, killed_window])
def test_killed_midway(ssh_fleet: Fleet, ssh_host: SshHost, inventory: Path, damage: Callable[[SshHost], None]) -> None:
    moments = random.Random(damage.__name__)  # noqa: S311 - only to be the same in every run
    for _ in range(4):
        ssh_host.tmux.stop()
        if damage is not nothing:
            assert ssh_fleet.pyinfra(inventory, "deploys/recover.py", "-y").code == 0
            damage(ssh_host)
        run = start(ssh_fleet, inventory)
        with suppress(subprocess.TimeoutExpired):
            run.wait(moments.uniform(0.5, 1.5))
        run.kill()
        run.communicate()
        healthy = {name: pid for name, (_, pid) in named_panes(ssh_host.tmux).items()}
        repaired = ssh_fleet.pyinfra(inventory, "deploys/recover.py", "-y")
        assert repaired.code == 0, repaired.output
        now = named_panes(ssh_host.tmux)
        assert set(now) == NAMES
        # What the killed run has brought up, and is well, stays.
        wait_until(lambda: all(processes.alive(pid) for _, pid in named_panes(ssh_host.tmux).values()))
        assert {name: pid for name, (_, pid) in now.items() if name in healthy} == healthy, repaired.output
        no_changes(ssh_fleet, inventory)
