"""One operation on one machine, run by pyinfra's API in this process; and what is there afterwards."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from pyinfra import logger
from pyinfra.api import Config, Inventory, State
from pyinfra.api.connect import connect_all, disconnect_all
from pyinfra.api.exceptions import PyinfraError
from pyinfra.api.operation import add_op
from pyinfra.api.operations import run_ops
from pyinfra.api.state import StateStage
from typing_extensions import override

from miyabi.tmux_listing import version_key
from operations import converge
from operations.upkeep import findings
from tests.fleet.machine import Machine
from tests.fleet.tmux import TmuxServer
from tests.fleet.waiting import wait_until
from tests.recovery.playbook import SETTLE, Run, forget_runs, noting, on


@dataclass(slots=True)
class Operated(Run):
    """A run of one operation; ``said`` is what pyinfra logged, refusals among it."""

    said: list[str] = field(default_factory=list)


class _Notes(logging.Handler):
    """Keeps what is logged."""

    def __init__(self, said: list[str]) -> None:
        super().__init__()
        self.said = said

    @override
    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(record.getMessage())


def operate(machine: Machine, operation: Callable[..., Any], **arguments: Any) -> Operated:
    """Run ``operation`` on ``machine`` as a deploy would."""
    run = Operated()
    forget_runs(machine)
    notes = _Notes(run.said)
    level = logger.level
    logger.addHandler(notes)
    logger.setLevel(logging.INFO)
    with on(machine), noting(run), pytest.MonkeyPatch.context() as patch:
        patch.setattr(converge, "SETTLE", SETTLE)
        patch.setattr(converge, "_POLL", 0.05)
        state = State(Inventory((["@local"], {})), Config(), check_for_changes=False)
        connect_all(state)
        state.set_stage(StateStage.Prepare)
        add_op(state, operation, **arguments)
        state.set_stage(StateStage.Execute)
        try:
            run_ops(state)
        except PyinfraError:
            run.failed = True
        run.failed = run.failed or bool(state.failed_hosts)
        [host] = state.inventory
        run.findings = dict(findings(host))
        disconnect_all(state)
    logger.setLevel(level)
    logger.removeHandler(notes)
    return run


def named_panes(tmux: TmuxServer) -> dict[str, tuple[str, int]]:
    """(tmux's id, pid) of each living managed pane by the spec's name."""
    lines = tmux.run(
        "list-panes", "-a", "-f", "#{==:#{pane_dead},0}", "-F", "P #{pane_id} #{pane_pid} #{@miyabi_pane}", check=False
    ).splitlines()
    fields = [line.split(" ", 3)[1:] for line in lines if line.startswith("P ")]
    return {name: (pane, int(pid)) for pane, pid, name in fields if name}


def all_pids(tmux: TmuxServer) -> dict[str, int]:
    """The pid of each living pane by tmux's id."""
    lines = tmux.run(
        "list-panes", "-a", "-f", "#{==:#{pane_dead},0}", "-F", "P #{pane_id} #{pane_pid}", check=False
    ).splitlines()
    return {pane: int(pid) for mark, pane, pid in (line.split(" ") for line in lines if line.startswith("P ")) if mark}


def kill(tmux: TmuxServer, pane: str) -> None:
    """Kill the process of a managed pane, and wait until tmux knows."""
    os.kill(named_panes(tmux)[pane][1], signal.SIGKILL)
    wait_until(lambda: pane not in named_panes(tmux), what="the pane's death")
    wait_until(lambda: _is_told(tmux, pane), what="tmux's word of how it died")


def _is_told(tmux: TmuxServer, pane: str) -> bool:
    """Whether tmux tells how a pane died; Debian's may notice it only when another child of its ends."""
    if (version_key(tmux.run("-V").removeprefix("tmux ")) or (9,)) < (3, 3):
        return True
    tmux.run("run-shell", "-b", ":")
    ends = ("-F", "P #{@miyabi_pane} #{pane_dead_signal}#{pane_dead_status}")
    dead = tmux.run("list-panes", "-a", "-f", "#{pane_dead}", *ends, check=False).splitlines()
    return f"P {pane} " not in [f"{line.rstrip()} " for line in dead]


def layout_of(tmux: TmuxServer, window: str = "=main:0") -> str:
    """A window's layout string."""
    return tmux.run("display-message", "-p", "-t", window, "#{window_layout}")


def screen(tmux: TmuxServer, pane: str) -> str:
    """What a pane shows."""
    return tmux.run("capture-pane", "-p", "-J", "-t", pane)
