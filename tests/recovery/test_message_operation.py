"""Messages into panes: they arrive as they are, or it is told that they did not."""

from __future__ import annotations

import pytest

from operations import tmux as operations
from tests.fleet.machine import Machine
from tests.fleet.tmux import TmuxServer
from tests.fleet.waiting import wait_until
from tests.recovery.operating import all_pids, operate

HOSTILE = "-x '\"$(touch pwned)`touch pwned`;#{pid}#(touch pwned);- ~ \\ 日本 %1;"


def _reader(machine: Machine, tmux: TmuxServer, before: str = "") -> str:
    """A pane in which `cat` writes what it is told into a file; the value is the pane's id."""
    tmux.start("main", "sh", "-c", f"{before} touch ready; exec cat >said.txt")
    wait_until((machine.home / "ready").exists)
    return next(iter(all_pids(tmux)))


def said(machine: Machine) -> str:
    return (machine.home / "said.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("text", [HOSTILE, "word", ";", "-", "Enter", "two  spaces", "x" * 300])
def test_a_message_arrives_as_it_is(machine: Machine, tmux_server: TmuxServer, text: str) -> None:
    pane = _reader(machine, tmux_server)
    run = operate(machine, operations.message, text=text, pane_name=pane, pause=0.05)
    assert not run.failed, run
    wait_until(lambda: said(machine) == f"{text}\n", what=f"{said(machine)!r} is {text!r}")
    assert not list(machine.root.rglob("pwned"))


def test_a_message_reaches_a_pane_in_copy_mode(machine: Machine, tmux_server: TmuxServer) -> None:
    pane = _reader(machine, tmux_server)
    tmux_server.run("copy-mode", "-t", pane)
    assert not operate(machine, operations.message, text="wake up", pane_name=pane, pause=0.05).failed
    wait_until(lambda: said(machine) == "wake up\n")


def test_a_message_to_nobody_is_refused(machine: Machine, tmux_server: TmuxServer) -> None:
    run = operate(machine, operations.message, text="hello", pane_name="kaede")
    assert (run.failed, run.commands) == (True, [])
    tmux_server.configure("set -g remain-on-exit on\n")
    tmux_server.start("main", "sh -c 'exit 3'")
    wait_until(lambda: not all_pids(tmux_server))
    run = operate(machine, operations.message, text="hello", pane_name="%0")
    assert (run.failed, run.commands) == (True, [])
    assert any("is dead" in line for line in run.said)


@pytest.mark.parametrize("text", ["one\ntwo", "one\rtwo", "\x1b[A", " ", "bell\x07", "\x7f"])
def test_a_message_with_control_characters_is_refused(machine: Machine, tmux_server: TmuxServer, text: str) -> None:
    pane = _reader(machine, tmux_server)
    run = operate(machine, operations.message, text=text, pane_name=pane)
    assert (run.failed, run.commands) == (True, [])
    assert not said(machine)


@pytest.mark.parametrize(
    ("terminal", "reason"), [("igncr", "did not take the Enter"), ("-echo", "does not show what was typed")]
)
def test_a_pane_that_swallows_a_message_is_told(
    machine: Machine, tmux_server: TmuxServer, terminal: str, reason: str
) -> None:
    pane = _reader(machine, tmux_server, f"stty {terminal};")
    run = operate(machine, operations.message, text="hello there", pane_name=pane, pause=0.05)
    assert run.failed
    assert any(reason in line for line in run.said), run.said
