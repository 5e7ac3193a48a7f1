"""Scripts that run on a host one at a time."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from miyabi.host_lock import alone
from tests.fleet.machine import Machine
from tests.fleet.programs import required
from tests.fleet.waiting import wait_until

COUNT = 'n=$(cat "$HOME/count"); sleep 0.05; echo $((n + 1)) >"$HOME/count"'
LOCKS = Path(".local/state/miyabi/locks")


def start(machine: Machine, shell: str, script: str) -> subprocess.Popen[bytes]:
    program, *arguments = shell.split()
    return subprocess.Popen([required(program), *arguments, "-c", script], env=machine.environment, cwd=machine.home)


@pytest.mark.parametrize("shell", ["dash", "bash", "busybox sh", "mksh"])
def test_one_at_a_time(machine: Machine, shell: str) -> None:
    (machine.home / "count").write_text("0\n")
    running = [start(machine, each, alone("count", COUNT, 30)) for each in (shell, "sh", shell, "sh", shell, "sh")]
    assert [each.wait(60) for each in running] == [0] * 6
    assert (machine.home / "count").read_text() == "6\n"
    assert not list((machine.home / LOCKS).iterdir())


def test_a_dead_holders_lock_is_taken_over(machine: Machine) -> None:
    holder = start(machine, "sh", alone("count", "exec sleep 60"))
    lock = machine.home / LOCKS / "count"
    wait_until(lock.is_symlink)
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    assert lock.is_symlink()
    assert machine.sh(alone("count", "echo done")).stdout == "done\n"
    assert not lock.is_symlink()


def test_a_lock_of_a_pid_that_is_another_process_now_is_taken_over(machine: Machine) -> None:
    lock = machine.home / LOCKS / "count"
    lock.parent.mkdir(parents=True)
    lock.symlink_to(f"{os.getpid()}@1")
    assert machine.sh(alone("count", "echo done")).stdout == "done\n"


def test_who_waits_too_long_does_nothing(machine: Machine) -> None:
    holder = start(machine, "sh", alone("count", "exec sleep 60"))
    wait_until((machine.home / LOCKS / "count").is_symlink)
    done = machine.sh(alone("count", "echo done", patience=0))
    assert (done.code, done.stdout) == (75, "")
    assert "another run is at work here (count)" in done.stderr
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()


def test_where_no_lock_can_be_made_the_work_goes_on(machine: Machine) -> None:
    (machine.home / ".local").write_text("no folder")
    assert machine.sh(alone("count", "echo done; exit 3")).stdout == "done\n"


def test_the_exit_code_is_the_scripts(machine: Machine) -> None:
    assert machine.sh(alone("count", "exit 3")).code == 3


@pytest.mark.parametrize("name", ["", "a/b", "a b", "../x", "$(x)"])
def test_odd_names_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="a lock's name"):
        alone(name, ":")
