"""The operations by themselves: other servers, odd names, bad input, and hosts that cannot be told."""

from __future__ import annotations

from pathlib import Path

import pytest

from miyabi.marks import Mark
from miyabi.snapshot_files import read_snapshot
from operations import snapshot
from tests.fleet.machine import Machine
from tests.fleet.tmux import TmuxServer
from tests.recovery.operating import operate
from tests.recovery.playbook import write_spec
from tests.snapshot.acting import apply, everything, kept_folder, look
from tests.snapshot.test_restore import named


@pytest.fixture
def spec(machine: Machine) -> Path:
    """A spec that the session ``work`` with its one window satisfies once it has its names."""
    return write_spec(machine.root, {"session_name": "work", "windows": [{"window_name": "w", "panes": [None]}]})


def _marks(machine: Machine, name: str = "work:w.1") -> tuple[Mark, ...]:
    [session] = look(machine).sessions
    [window] = session.windows
    [pane] = window.panes
    return (
        Mark("session", session.session_id, str(session.created), "work"),
        Mark("window", window.window_id, "", "w"),
        Mark("pane", pane.pane_id, str(pane.pid), name),
    )


def test_names_are_given_once_and_nothing_else_changes(machine: Machine, tmux_server: TmuxServer, spec: Path) -> None:
    tmux_server.start("other-name", "sleep 1000")
    there = everything(tmux_server)
    marks = _marks(machine)
    first, second = apply(machine, spec, marks), apply(machine, spec, marks)
    assert (first.failed, len(first.commands)) == (False, 1)
    assert (second.failed, second.commands) == (False, [])
    assert everything(tmux_server) == there


@pytest.mark.parametrize("name", ["$(touch pwned)", "'; touch pwned; '", "#(touch pwned)", "-t", "a;", "日本 \\", "\t"])
def test_a_hostile_name_arrives_as_it_is(machine: Machine, tmux_server: TmuxServer, spec: Path, name: str) -> None:
    tmux_server.start("work", "sleep 1000")
    apply(machine, spec, _marks(machine, name))
    assert named(tmux_server)["%0"] == name
    assert not list(machine.root.rglob("pwned"))


@pytest.mark.parametrize("stale", ["session", "window", "pane"])
def test_an_id_that_means_something_else_now_is_refused(
    machine: Machine, tmux_server: TmuxServer, spec: Path, stale: str
) -> None:
    tmux_server.start("work", "sleep 1000")
    marks = tuple(
        Mark(mark.kind, mark.target if mark.kind == "pane" else f"{mark.target}9", f"{mark.sign}1", mark.name)
        if mark.kind == stale
        else mark
        for mark in _marks(machine)
    )
    run = apply(machine, spec, marks)
    assert (run.failed, run.commands) == (True, [])
    assert set(named(tmux_server).values()) == {""}


@pytest.mark.parametrize("text", ["", "{", "[1]", '[{"kind": "pane"}]', "{}x"])
def test_a_file_of_marks_that_is_none_is_refused(
    machine: Machine, tmux_server: TmuxServer, spec: Path, text: str
) -> None:
    tmux_server.start("work", "sleep 1000")
    run = apply(machine, spec, text)
    assert (run.failed, run.commands) == (True, [])
    assert set(named(tmux_server).values()) == {""}


def test_marks_on_a_server_that_is_not_there_are_refused(machine: Machine, tmux_server: TmuxServer, spec: Path) -> None:
    tmux_server.start("work", "sleep 1000")
    marks = _marks(machine)
    tmux_server.stop()
    run = apply(machine, spec, marks)
    assert run.failed
    assert tmux_server.pid() is None


def test_another_server_is_asked_when_it_is_named(machine: Machine, tmux_server: TmuxServer) -> None:
    tmux_server.start("default", "sleep 1000")
    tmux_server.run("-L", "agents", "new-session", "-d", "-s", "named", "sleep 1000")
    try:
        run = operate(machine, snapshot.save, socket_name="agents")
        assert not run.failed, run.said
    finally:
        tmux_server.run("-L", "agents", "kill-server")
    [path] = kept_folder(machine).iterdir()
    kept = read_snapshot(path)
    assert ([session.session_name for session in kept.sessions], kept.socket_name) == (["named"], "agents")
    assert not operate(machine, snapshot.save, socket_name="nobody's").commands


def test_text_is_uploaded_for_the_user_alone_and_old_text_is_removed(machine: Machine, tmp_path: Path) -> None:
    source = tmp_path / "text"
    source.write_text("日本\n")
    folder = machine.home / "x'; touch pwned; $(touch pwned)"
    target = folder / "1.txt"
    for _ in range(2):
        assert not operate(machine, snapshot.upload_scrollback, source=str(source), target=str(target)).failed
    assert (target.read_text(), folder.stat().st_mode & 0o777) == ("日本\n", 0o700)
    assert not list(machine.root.rglob("pwned"))
