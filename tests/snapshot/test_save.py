"""``pyinfra ... deploys/snapshot.py``: what it keeps of real hosts, at what cost, and when it refuses."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

import pytest

from miyabi.snapshot_files import read_snapshot
from miyabi.snapshot_model import PaneRecord, Snapshot
from tests.facts.hosts import INSTALLED_SHELLS, SHELLS
from tests.fleet.control import Fleet
from tests.fleet.machine import Finished, Machine
from tests.fleet.sshd import SshHost
from tests.fleet.tmux import TmuxServer
from tests.fleet.waiting import wait_until
from tests.snapshot.acting import REPOSITORY, kept_folder, look

SECRET = "hunter2"  # noqa: S105 - it is there to be masked


def _save(machine: Machine, inventory: Path | str = "@local", *more: str) -> Finished:
    return machine.run("pyinfra", str(inventory), "deploys/snapshot.py", "-y", *more, cwd=REPOSITORY)


def _newest(machine: Machine, host: str = "@local") -> Snapshot:
    return read_snapshot(max(kept_folder(machine, host).glob("2*.json"), key=lambda path: path.stem))


def _pane(snapshot: Snapshot, pane_id: str) -> PaneRecord:
    return next(pane for pane in snapshot.panes() if pane.pane_id == pane_id)


def _fill(tmux: TmuxServer) -> None:
    """Two sessions: text, secrets, an argument with a space, a process tree, another folder."""
    tmux.start("main", "sh", "-c", f"seq 1 300; echo 'PASSWORD={SECRET}'; printf '\\033[31mred\\033[0m\\n'; exec cat")
    tmux.run("split-window", "-t", "%0", "-c", "/", "exec tail -F '/nowhere/a b'")
    tmux.run("new-session", "-d", "-s", "日本 x", "sh", "-c", f"sleep 4000 & exec sleep 5000; : --token {SECRET}")
    wait_until(lambda: "red" in tmux.run("capture-pane", "-p", "-t", "%0"))
    wait_until(lambda: "tail" in tmux.run("display-message", "-p", "-t", "%1", "#{pane_current_command}"))


def test_everything_is_kept_of_every_host_at_one_execution_each(ssh_fleet: Fleet) -> None:
    for name in ("mugen", "pixel"):
        ssh_fleet.add(name)
    idle = ssh_fleet.add("idle")
    inventory = ssh_fleet.write_inventory()
    for name in ("mugen", "pixel"):
        _fill(ssh_fleet.hosts[name].tmux)
    done = _save(ssh_fleet.control, inventory)
    assert done.code == 0, done.output
    for name in ("mugen", "pixel"):
        host = ssh_fleet.hosts[name]
        log = host.sshd_log()
        assert (len(re.findall("Accepted publickey", log)), len(re.findall("Starting session", log))) == (1, 1)
        _check(_newest(ssh_fleet.control, name), host, name)
        [path] = kept_folder(ssh_fleet.control, name).iterdir()
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert SECRET not in path.read_text()
        assert SECRET not in done.output
    # Nothing is written where nothing is.
    assert idle.tmux.pid() is None
    assert not kept_folder(ssh_fleet.control, "idle").exists()


def _check(snapshot: Snapshot, host: SshHost, name: str) -> None:
    assert (snapshot.host, snapshot.home, snapshot.socket_name) == (name, str(host.home), None)
    assert [session.session_name for session in snapshot.sessions] == ["main", "日本 x"]
    [window] = snapshot.sessions[0].windows
    assert window.layout == host.tmux.run("display-message", "-p", "-t", "=main:", "#{window_layout}")
    first, second = window.panes
    lines = first.scrollback.split("\n")
    assert lines[:300] == [str(number) for number in range(1, 301)]
    assert lines[300:302] == ["PASSWORD=********", "red"]
    assert (second.path, second.command, second.certain) == ("/", "tail -F '/nowhere/a b'", True)
    [third] = snapshot.sessions[1].windows[0].panes
    assert [line.strip() for line in third.processes if "sleep" in line][-1] in {"sleep 4000", "sleep 5000"}


@pytest.mark.parametrize("shell", INSTALLED_SHELLS)
def test_every_shell_sees_the_same(machine: Machine, tmux_server: TmuxServer, shell: str) -> None:
    _fill(tmux_server)
    seen = look(machine, " ".join(SHELLS[shell]))
    assert [session.session_name for session in seen.sessions] == ["main", "日本 x"]
    assert _pane(seen, "%1").command == "tail -F '/nowhere/a b'"
    assert _pane(seen, "%0").scrollback.startswith("1\n2\n3\n")
    assert seen.server.split()[0] == str(tmux_server.pid())


@pytest.mark.slow
def test_the_last_ones_are_kept_and_an_idle_host_keeps_its_own(machine: Machine, tmux_server: TmuxServer) -> None:
    tmux_server.start()
    names = []
    for _ in range(3):
        assert _save(machine, "@local", "--data", "keep=2").code == 0
        names.append(max(path.stem for path in kept_folder(machine).iterdir()))
    left = sorted(path.stem for path in kept_folder(machine).iterdir())
    assert left == names[1:]
    tmux_server.stop()
    done = _save(machine, "@local", "--data", "keep=1")
    assert done.code == 0
    assert "No changes" in done.output
    assert sorted(path.stem for path in kept_folder(machine).iterdir()) == left


@pytest.mark.parametrize("wrong", ["keep=0", "keep=-1", "keep=many", "keep=1.5", "keep=true", "lines=-5", "keep=1001"])
def test_a_wrong_number_is_refused_before_anything(machine: Machine, tmux_server: TmuxServer, wrong: str) -> None:
    tmux_server.start()
    done = _save(machine, "@local", "--data", wrong)
    assert done.code == 1
    assert f"{wrong.partition('=')[0]} is " in done.output
    assert "allowed: a whole number from 1 to " in done.output
    assert "Traceback" not in done.output
    assert not kept_folder(machine).exists()


def test_an_unknown_host_is_refused_alone(ssh_fleet: Fleet) -> None:
    tools = ssh_fleet.control.root / "tools"
    tools.mkdir()
    (tools / "tmux").write_text("#!/bin/sh\necho 'open terminal failed: not a terminal' >&2; exit 1\n")
    (tools / "tmux").chmod(0o755)
    ssh_fleet.add("odd", PATH=f"{tools}:{os.environ['PATH']}")
    good = ssh_fleet.add("good")
    _fill(good.tmux)
    done = _save(ssh_fleet.control, ssh_fleet.write_inventory())
    assert done.code == 1
    assert "the snapshot is not taken: tmux: " in done.output
    assert "Traceback" not in done.output
    assert not kept_folder(ssh_fleet.control, "odd").exists()
    assert len(list(kept_folder(ssh_fleet.control, "good").iterdir())) == 1


def test_a_full_disk_costs_no_old_snapshot(small_disk: tuple[Machine, Path]) -> None:
    machine, _ = small_disk
    tmux = TmuxServer(machine)
    tmux.start()
    assert _save(machine, "@local", "--data", "keep=1").code == 0
    before = [(path.name, path.read_bytes()) for path in kept_folder(machine).iterdir()]
    tmux.run("new-window", "-t", "=main:", "seq -f %060g 1 3000; exec sleep 1000")
    wait_until(lambda: "3000" in tmux.run("capture-pane", "-p", "-t", "=main:"))
    done = _save(machine, "@local", "--data", "keep=1")
    assert done.code == 1
    assert "cannot be written: No space left on device; old ones stay" in done.output
    assert "Traceback" not in done.output
    assert [(path.name, path.read_bytes()) for path in kept_folder(machine).iterdir()] == before
