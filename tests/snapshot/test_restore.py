"""Restore, in this process: only what is missing comes back, with its text, and nothing that is there is touched."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from miyabi.restore import Choice, Restoration, restoration
from miyabi.snapshot_diff import differences, missing, pair
from miyabi.snapshot_model import Snapshot
from tests.fleet.machine import Machine
from tests.fleet.tmux import TmuxServer
from tests.fleet.waiting import wait_until
from tests.recovery.playbook import Run, recover, write_spec
from tests.snapshot.acting import apply, look, write_restoration

SPEC = {
    "session_name": "fleet",
    "windows": [
        {
            "window_name": "main",
            "layout": "main-vertical",
            "panes": [
                {"name": "kaede", "shell_command": "exec sleep 4242", "restart": "always"},
                {"name": "sakura", "shell_command": "exec sleep 4243", "restart": "always"},
                None,
            ],
        },
        {"panes": [None, None]},
    ],
}


def restore(machine: Machine, before: Snapshot, **choice: object) -> tuple[Run, Restoration]:
    """Bring back what is missing, and check that it is there and that a second time nothing is to do."""
    now = look(machine)
    there = {pane.pane_id: pane.pid for pane in now.panes() if not pane.dead}
    made = restoration(before, now, Choice(**choice))  # type: ignore[arg-type]
    run = apply(machine, write_restoration(machine, made), tuple(made.marks))
    assert not run.failed, run
    after = look(machine)
    assert there.items() <= {pane.pane_id: pane.pid for pane in after.panes()}.items()
    assert missing(before, pair(before, after)) == []
    again = restoration(before, after, Choice(**choice))  # type: ignore[arg-type]
    assert (again.spec["sessions"], again.marks) == ([], [])
    return run, made


def _hand_made(tmux: TmuxServer) -> None:
    """Two sessions that nobody manages: three windows, five panes."""
    tmux.start("one", "sleep 1000")
    tmux.run("rename-window", "-t", "=one:", "first")
    tmux.run("split-window", "-h", "-t", "=one:", "-c", "/usr", "sleep 1001")
    tmux.run("split-window", "-v", "-t", "=one:", "-c", "/", "sleep 1002")
    tmux.run("new-window", "-t", "=one:7", "-n", "second", "sleep 1003")
    tmux.run("new-session", "-d", "-s", "two", "-c", "/usr", "sleep 1004")


def test_an_intact_fleet_is_left_alone(machine: Machine, tmux_server: TmuxServer) -> None:
    _hand_made(tmux_server)
    before = look(machine)
    made = restoration(before, look(machine), Choice())
    assert (made.spec["sessions"], made.marks, made.notes) == ([], [], [])


@pytest.mark.parametrize(
    ("damage", "gone"),
    [
        (["kill-pane", "-t", "%1"], ["- pane one:first.1  /usr  sleep 1001"]),
        (["kill-window", "-t", "=one:second"], ["- window one:second (1 pane)"]),
        (["kill-session", "-t", "=two"], ["- session two (1 window)"]),
        (["kill-session", "-t", "=one"], ["- session one (2 windows)"]),
    ],
    ids=["pane", "window", "session", "first session"],
)
def test_what_is_missing_comes_back_beside_what_is_there(
    machine: Machine, tmux_server: TmuxServer, damage: list[str], gone: list[str]
) -> None:
    _hand_made(tmux_server)
    before = look(machine)
    tmux_server.run(*damage)
    assert missing(before, pair(before, look(machine))) == gone
    restore(machine, before)
    after = look(machine)
    told = differences(before, after)
    assert all(line.startswith("~ pane ") and line.endswith(", now a shell") for line in told), told
    windows = [(window.window_index, window.window_name) for window in after.sessions[0].windows]
    if "=one" not in damage:
        assert windows == [(0, "first"), (7, "second")]


def test_a_pane_that_a_human_made_since_stays_as_it_is(machine: Machine, tmux_server: TmuxServer) -> None:
    _hand_made(tmux_server)
    before = look(machine)
    tmux_server.run("kill-pane", "-t", "%2")
    tmux_server.run("split-window", "-t", "=one:first", "sleep 2000")
    tmux_server.run("new-window", "-t", "=one:", "-n", "mine", "sleep 2001")
    layout = look(machine).sessions[0].windows[0].layout
    restore(machine, before)
    after = look(machine)
    mine = [pane for pane in after.panes() if pane.command.startswith("sleep 200")]
    assert [pane.name for pane in mine] == [None, None]
    assert len(after.sessions[0].windows[0].panes) == 4
    # The window is shared with a human: it has made room, and is not arranged anew.
    assert after.sessions[0].windows[0].layout != layout


def test_the_names_of_managed_things_come_back(machine: Machine, tmux_server: TmuxServer) -> None:
    spec = write_spec(machine.root, SPEC)
    assert not recover(machine, spec).failed
    before = look(machine)
    tmux_server.run("kill-server")
    wait_until(lambda: tmux_server.pid() is None)
    restore(machine, before)
    after = look(machine)
    assert [pane.name for pane in after.panes()] == [pane.name for pane in before.panes()]
    assert [window.name for _, window in after.windows()] == ["main", "window-2"]
    # The fleet's own spec knows them all, and starts what it supervises.
    run = recover(machine, spec)
    assert not run.failed
    assert {pane.name for pane in look(machine).panes()} == {pane.name for pane in before.panes()}


def test_a_managed_window_beside_a_human_s_keeps_its_names(machine: Machine, tmux_server: TmuxServer) -> None:
    spec = write_spec(machine.root, SPEC)
    assert not recover(machine, spec).failed
    tmux_server.run("new-window", "-b", "-t", "=fleet:0", "-n", "mine", "sleep 2001")
    tmux_server.run("split-window", "-b", "-t", "=fleet:main", "-d", "sleep 2002")
    before = look(machine)
    names = {pane.pane_id: pane.name for pane in before.panes()}
    pane = next(pane for pane in before.panes() if pane.command == "sleep 2002")
    tmux_server.run("kill-pane", "-t", pane.pane_id)
    run, _ = restore(machine, before)
    assert run.commands
    after = look(machine)
    assert {pane.pane_id: pane.name for pane in after.panes() if pane.pane_id in names}.items() <= names.items()
    second = recover(machine, spec)
    assert (second.failed, second.commands) == (False, [])


def test_dead_panes_come_back_in_place(machine: Machine, tmux_server: TmuxServer) -> None:
    tmux_server.configure("set -g remain-on-exit on\n")
    _hand_made(tmux_server)
    before = look(machine)
    pid = next(pane.pid for pane in before.panes() if pane.pane_id == "%1")
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: tmux_server.run("display-message", "-p", "-t", "%1", "#{pane_dead}") == "1")
    assert missing(before, pair(before, look(machine))) == ["- pane one:first.1  /usr  sleep 1001 (dead)"]
    restore(machine, before)
    assert tmux_server.run("display-message", "-p", "-t", "%1", "#{pane_dead} #{pane_current_path}") == "0 /usr"


def test_a_pane_shows_its_old_text_and_becomes_a_shell(machine: Machine, tmux_server: TmuxServer) -> None:
    tmux_server.start("main", "sh", "-c", "seq 1 300; echo 'it'\\''s $HOME `id` %s \\n'; exec sleep 1000")
    tmux_server.run("split-window", "-t", "%0", "echo other; exec sleep 1000")
    wait_until(lambda: "300" in tmux_server.run("capture-pane", "-p", "-t", "%0"))
    wait_until(lambda: "other" in tmux_server.run("capture-pane", "-p", "-t", "%1"))
    before = look(machine)
    tmux_server.run("kill-server")
    wait_until(lambda: tmux_server.pid() is None)
    file = machine.home / "the text's.txt"
    text = str(file)
    made = restoration(before, look(machine), Choice(text_file=text))
    file.write_text(made.scrollback)
    assert not apply(machine, write_restoration(machine, made), ()).failed
    panes = tmux_server.run("list-panes", "-a", "-F", "#{pane_id}").splitlines()
    whole = ["capture-pane", "-p", "-J", "-S", "-", "-t"]
    wait_until(lambda: tmux_server.run(*whole, panes[0]).count("\n") > 299)
    assert [line.rstrip() for line in tmux_server.run(*whole, panes[0]).splitlines()][:301] == before_text(before, 0)
    wait_until(lambda: "other" in tmux_server.run(*whole, panes[1]))
    assert "300" not in tmux_server.run(*whole, panes[1])
    after = look(machine)
    assert [pane.command for pane in after.panes()] == ["", ""]
    tmux_server.run("send-keys", "-t", panes[0], "echo typed-$((40 + 2))", "Enter")
    wait_until(lambda: "typed-42" in tmux_server.run(*whole, panes[0]))


def before_text(before: Snapshot, place: int) -> list[str]:
    """The text of one pane of a snapshot, by lines."""
    return list(before.panes())[place].scrollback.splitlines()


@pytest.mark.parametrize(
    ("choice", "started"),
    [
        ({}, []),
        ({"commands": True}, ["tail -F '/nowhere/a b'"]),
        ({"commands": True, "allowed": frozenset({"sleep"})}, ["tail -F '/nowhere/a b'", "sleep 1001"]),
    ],
    ids=["none", "the list", "more"],
)
def test_commands_are_started_again_only_where_allowed(
    machine: Machine, tmux_server: TmuxServer, choice: dict[str, object], started: list[str]
) -> None:
    tmux_server.start("main", "exec tail -F '/nowhere/a b'")
    tmux_server.run("split-window", "-t", "%0", "exec sleep 1001")
    tmux_server.run("split-window", "-t", "%1", "exec tail -F x --pid 1 PASSWORD=abc")
    wait_until(lambda: [pane.command[:5] for pane in look(machine).panes()] == ["tail ", "sleep", "tail "])
    before = look(machine)
    tmux_server.run("kill-server")
    wait_until(lambda: tmux_server.pid() is None)
    _, made = restore(machine, before, **choice)
    wait_until(lambda: [pane.command for pane in look(machine).panes() if pane.command] == started)
    assert len(made.notes) == 3 - len(started)
    assert "abc" not in str(made)


def test_commands_of_managed_panes_are_started_again(machine: Machine, tmux_server: TmuxServer) -> None:
    assert not recover(machine, write_spec(machine.root, SPEC)).failed
    wait_until(lambda: sum(pane.command.startswith("sleep") for pane in look(machine).panes()) == 2)
    before = look(machine)
    tmux_server.run("kill-server")
    wait_until(lambda: tmux_server.pid() is None)
    restore(machine, before, commands=True)
    wait_until(lambda: sum(pane.command.startswith("sleep 424") for pane in look(machine).panes()) == 2)


def test_marks_of_a_fleet_that_changed_meanwhile_are_refused(machine: Machine, tmux_server: TmuxServer) -> None:
    _hand_made(tmux_server)
    before = look(machine)
    tmux_server.run("kill-pane", "-t", "%1")
    made = restoration(before, look(machine), Choice())
    tmux_server.run("kill-pane", "-t", "%0")
    wanted = named(tmux_server)
    assert any(mark.target == "%0" for mark in made.marks)
    assert apply(machine, write_restoration(machine, made), tuple(made.marks)).failed
    # The host failed before anything was done to it.
    assert named(tmux_server) == wanted


def named(tmux: TmuxServer) -> dict[str, str]:
    """The spec's name of each pane."""
    lines = tmux.run("list-panes", "-a", "-F", "#{pane_id} #{@miyabi_pane}").splitlines()
    return {line.partition(" ")[0]: line.partition(" ")[2] for line in lines}


def test_what_a_spec_cannot_hold_is_told(machine: Machine, tmux_server: TmuxServer) -> None:
    folder = machine.home / "a$HOME"
    folder.mkdir()
    tmux_server.start("$(touch pwned)", "sleep 1000")
    tmux_server.run("new-session", "-d", "-s", "good", "-c", str(folder), "sleep 1000")
    tmux_server.run("new-session", "-d", "-s", "twin", "-t", "=good")
    before = look(machine)
    tmux_server.run("kill-server")
    wait_until(lambda: tmux_server.pid() is None)
    made = restoration(before, look(machine), Choice())
    told = "\n".join(made.notes)
    assert "session $(touch pwned): its name cannot stand in a spec" in told
    assert "cannot stand in a spec; it begins in the session's" in told
    assert "session twin showed windows of another one" in told
    assert not apply(machine, write_restoration(machine, made), ()).failed
    assert missing(before, pair(before, look(machine))) == ["- session $(touch pwned) (1 window)"]
    assert not list(machine.root.rglob("pwned"))


def test_another_socket_is_remembered() -> None:
    snapshot = Snapshot("h", "t", socket_name="agents", config_file="~/x.conf")
    made = restoration(snapshot, replace(snapshot, server="1 2"), Choice())
    assert made.spec["tmux"] == {"socket_name": "agents", "config_file": "~/x.conf"}
    assert Path(made.spec["tmux"]["config_file"]).name == "x.conf"
