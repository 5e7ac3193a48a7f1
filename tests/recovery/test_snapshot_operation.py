"""Snapshots: what they hold, who may read them, and that there is never half of one."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import stat
from pathlib import Path

import pytest

from miyabi.snapshot import snapshot_script
from miyabi.spec import TmuxServer as Server
from operations import tmux as operations
from tests.fleet.machine import Machine
from tests.fleet.tmux import TmuxServer
from tests.fleet.waiting import wait_until
from tests.recovery.operating import kill, layout_of, named_panes, operate, screen
from tests.recovery.playbook import recover, write_spec

KEPT = {"shell_command": "exec sleep 1000", "restart": "always"}


def snapshots(machine: Machine) -> list[Path]:
    folder = machine.home / ".local/state/miyabi/snapshots"
    return sorted(folder.iterdir()) if folder.exists() else []


def test_a_snapshot_keeps_screens_layout_and_nobody_else_s_eyes(machine: Machine, tmux_server: TmuxServer) -> None:
    tmux_server.start("main", "sh", "-c", "seq 1 300; exec sleep 1000")
    tmux_server.run("split-window", "-t", "=main:", "echo 'second pane'; exec sleep 1000")
    tmux_server.run("new-session", "-d", "-s", "other", "sleep 1000")
    wait_until(lambda: "300" in screen(tmux_server, "%0") and "second pane" in screen(tmux_server, "%1"))
    assert not operate(machine, operations.snapshot).failed
    [folder] = snapshots(machine)
    assert sorted(path.name for path in folder.iterdir()) == [
        "listing",
        "pane-0.txt",
        "pane-1.txt",
        "pane-2.txt",
        "spec",
    ]
    # The scrollback, not only the screen.
    assert (folder / "pane-0.txt").read_text().split()[:300] == [str(number) for number in range(1, 301)]
    assert "second pane" in (folder / "pane-1.txt").read_text()
    assert layout_of(tmux_server) in (folder / "listing").read_text()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}


def test_the_last_snapshots_are_kept(machine: Machine, tmux_server: TmuxServer) -> None:
    tmux_server.start()
    folder = machine.home / ".local/state/miyabi/snapshots"
    # Another kind of folder is not ours to remove.
    for name in ("20250101T000000Z-a", "20250101T000001Z-b", "20250102T000000Z-c", "mine"):
        (folder / name).mkdir(parents=True)
    assert not operate(machine, operations.snapshot, keep=2).failed
    left = [path.name for path in snapshots(machine)]
    assert len(left) == 3
    assert {"20250102T000000Z-c", "mine"} < set(left)


def test_no_snapshot_is_written_of_nothing(machine: Machine) -> None:
    run = operate(machine, operations.snapshot)
    assert (run.failed, run.commands) == (False, [])
    assert not snapshots(machine)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_snapshot_that_is_interrupted_leaves_nothing(
    machine: Machine, tmux_server: TmuxServer, number: signal.Signals
) -> None:
    tmux_server.start()
    operate(machine, operations.snapshot)
    before = snapshots(machine)
    # `sync` is the last step before the folder gets its name.
    tools = machine.root / "tools"
    tools.mkdir()
    (tools / "sync").write_text("#!/bin/sh\nkill -$SIGNAL $PPID\n")
    (tools / "sync").chmod(0o755)
    script = snapshot_script(["%0"], Server(), "digest")
    done = machine.sh(f"SIGNAL={number.value} PATH={tools}:$PATH sh -c {shlex.quote(script)}")
    assert done.code != 0
    assert snapshots(machine) == before


def test_what_a_killed_snapshot_left_is_removed_when_it_is_surely_over(
    machine: Machine, tmux_server: TmuxServer
) -> None:
    tmux_server.start()
    folder = machine.home / ".local/state/miyabi/snapshots"
    old, fresh = folder / ".new.old123", folder / ".new.fresh1"
    for each in (old, fresh):
        each.mkdir(parents=True)
        (each / "listing").touch()
    os.utime(old, (0, 0))
    assert not operate(machine, operations.snapshot).failed
    assert not old.exists()
    assert fresh.exists()


def test_a_full_disk_makes_no_half_snapshot_and_costs_no_old_one(small_disk: tuple[Machine, Path]) -> None:
    machine, disk = small_disk
    tmux = TmuxServer(machine)
    tmux.start()
    assert not operate(machine, operations.snapshot, keep=1).failed
    folder = disk / "miyabi" / "snapshots"
    before = list(folder.iterdir())
    assert len(before) == 1
    tmux.run("new-window", "-t", "=main:", "seq -f %060g 1 30000; exec sleep 1000")
    wait_until(lambda: "30000" in screen(tmux, "=main:"))
    assert operate(machine, operations.snapshot, keep=1).failed
    assert list(folder.iterdir()) == before
    assert (before[0] / "listing").read_text()


def _without_room(machine: Machine) -> None:
    """No folder for snapshots can be made, by nobody."""
    # A lock of an earlier run, or what is remembered of hosts, may be there already.
    shutil.rmtree(machine.home / ".local", ignore_errors=True)
    (machine.home / ".local").mkdir()
    (machine.home / ".local" / "state").touch()


def test_l2_closes_nothing_without_a_snapshot(machine: Machine, tmux_server: TmuxServer) -> None:
    panes = [{"name": name, **KEPT} for name in "abc"]
    path = write_spec(machine.root, {"session_name": "s", "windows": [{"window_name": "w", "panes": panes}]})
    assert not recover(machine, path).failed
    kept = named_panes(tmux_server)["c"]
    for name in "ab":
        kill(tmux_server, name)
    there = tmux_server.run("list-panes", "-a", "-F", "#{pane_id}")
    _without_room(machine)
    run = recover(machine, path)
    assert run.failed
    assert not any("kill-pane" in command and "snapshots" not in command for command in run.commands)
    assert tmux_server.run("list-panes", "-a", "-F", "#{pane_id}") == there
    assert named_panes(tmux_server) == {"c": kept}


def test_what_closes_nothing_needs_no_snapshot(machine: Machine, tmux_server: TmuxServer) -> None:
    windows = [{"window_name": name, "panes": [None]} for name in ("first", "second")]
    path = write_spec(machine.root, {"session_name": "s", "windows": windows})
    recover(machine, path)
    tmux_server.run("kill-window", "-t", "=s:second")
    _without_room(machine)
    assert not recover(machine, path).failed
    assert "s:second.1" in named_panes(tmux_server)
