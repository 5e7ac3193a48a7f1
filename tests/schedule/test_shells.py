"""What looks at a scheduler and what changes it, under every shell that is here, and with busybox's tools."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from facts.probe import probe_script, read_section, split_sections
from facts.schedule import scheduler_sections
from miyabi.schedule import SCHEDULERS, Job, SchedulerName
from miyabi.schedule_script import install_script, remove_script
from miyabi.schedule_state import Scheduler
from tests.facts.hosts import INSTALLED_SHELLS, SHELLS, run_script
from tests.fleet import programs
from tests.fleet.machine import Machine
from tests.fleet.parameters import mostly_slow
from tests.schedule.imitations import imitate

pytestmark = pytest.mark.parametrize("scheduler", list(SCHEDULERS))

JOB = Job('/srv/it\'s 100% "here" <é>', "/srv/$x/python", (("TMUX_TMPDIR", "/run/a b"),), 30)


def look(machine: Machine, shell: str, scheduler: SchedulerName) -> Scheduler:
    section = scheduler_sections()[scheduler]
    found = split_sections(run_script(shell, probe_script([section]), machine.environment, machine.home))
    seen: Scheduler = read_section(section, found)
    return seen


def act(machine: Machine, shell: str, script: str) -> None:
    program, *options = SHELLS[shell]
    path = shutil.which(program)
    assert path is not None
    done = subprocess.run(
        [path, *options, "-c", script], env=machine.environment, cwd=machine.home, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr


def installed_and_removed(machine: Machine, shell: str, scheduler: SchedulerName) -> None:
    assert not look(machine, shell, scheduler).is_there
    act(machine, shell, install_script(scheduler, JOB))
    seen = look(machine, shell, scheduler)
    assert (seen.missing, seen.drift(JOB)) == (None, None)
    act(machine, shell, install_script(scheduler, JOB, active=True))
    assert look(machine, shell, scheduler).drift(JOB) is None
    act(machine, shell, remove_script(scheduler))
    assert not look(machine, shell, scheduler).is_there


@pytest.mark.parametrize("shell", mostly_slow(INSTALLED_SHELLS, ("bash", "dash", "zsh")))
def test_every_shell(machine: Machine, shell: str, scheduler: SchedulerName) -> None:
    imitate(machine, scheduler)
    installed_and_removed(machine, shell, scheduler)


@pytest.fixture
def busybox_tools(machine: Machine) -> Iterator[Path]:
    """A PATH on which busybox does everything but what the imitations do."""
    busybox = programs.required("busybox")
    folder = machine.root / "busybox"
    folder.mkdir()
    for applet in subprocess.run([busybox, "--list"], capture_output=True, text=True, check=True).stdout.split():
        (folder / applet).symlink_to(busybox)
    for name in ("crontab", "crond"):
        (folder / name).unlink(missing_ok=True)
    yield folder
    shutil.rmtree(folder)


@pytest.mark.slow
def test_busybox(machine: Machine, busybox_tools: Path, scheduler: SchedulerName) -> None:
    imitate(machine, scheduler)
    machine.environment["PATH"] = f"{machine.root}/imitations:{busybox_tools}"
    machine.environment["PREFIX"] = str(machine.root)
    installed_and_removed(machine, "busybox", scheduler)


def test_a_host_without_it_says_so(machine: Machine, scheduler: SchedulerName) -> None:
    imitate(machine)
    seen = look(machine, "dash", scheduler)
    assert "is not installed on this host" in str(seen.missing)
    assert not seen.is_there
