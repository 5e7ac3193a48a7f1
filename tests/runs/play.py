"""One machine under a scheduler: runs of the ladder by pyinfra's API, one after the other, on a clock of their own."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar

import pytest
import yaml
from pyinfra import logger
from pyinfra.api import Config, Inventory, State
from pyinfra.api.connect import connect_all, disconnect_all
from pyinfra.api.exceptions import PyinfraError
from pyinfra.api.operation import add_op
from pyinfra.api.operations import run_ops
from pyinfra.api.state import StateStage
from typing_extensions import override

from miyabi.gate import Pause
from miyabi.gate_pauses import emergency_stop
from miyabi.history import History, open_history
from miyabi.journal import attention
from miyabi.pauses import add_pause, clear_pauses
from miyabi.records import AlertSent, Decided, IncidentChanged
from operations import converge, memory as run_memory, recovery
from operations.climbing import climb_of
from operations.memory import memory_of
from operations.record import will_keep_up
from tests.fleet.machine import Machine
from tests.fleet.tmux import TmuxServer
from tests.fleet.waiting import wait_until
from tests.recovery.operating import named_panes
from tests.recovery.playbook import SETTLE, Run, noting, on, write_spec

T = TypeVar("T")

# A plain moment, so that what the tests print can be read.
START = 1_800_000_000.0

HOST = "@local"

# What the scheduled runs are told of alerts: files alone, so that nothing leaves the machine.
QUIET = {"channels": {"file": None}, "thresholds": {}}


@dataclass(slots=True)
class Played(Run):
    """One run.

    + said: what pyinfra logged
    + opened: whether it opened the history
    """

    said: list[str] = field(default_factory=list)
    opened: bool = False

    @property
    def output(self) -> str:
        """All that was logged."""
        return "\n".join(self.said)

    @property
    def summary(self) -> str:
        """The host's line in the summary at the end."""
        return self.said[self.said.index("--> Recovery summary:") + 1]


class _Notes(logging.Handler):
    def __init__(self, said: list[str]) -> None:
        super().__init__()
        self.said = said

    @override
    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(record.getMessage())


@dataclass
class Play:
    """A machine, its spec and its memory, under a scheduler.

    + now: the time by which all is judged
    + upkeep: adds the operations that come before the levels
    """

    machine: Machine
    tmux: TmuxServer
    now: float = START
    spec: Path = Path()
    upkeep: Callable[[State], None] | None = None

    @property
    def folder(self) -> Path:
        """Where what is remembered is; not where a host keeps what it needs for itself."""
        return self.machine.root / "memory"

    @property
    def fleet(self) -> Path:
        """The fleet's file, with alerts.yaml beside it."""
        return self.machine.root / "fleet.yaml"

    def wants(self, spec: Mapping[str, Any]) -> None:
        """From now on this is the spec."""
        self.spec = write_spec(self.machine.root, spec)

    def rules(self, fleet: Mapping[str, Any] | None = None, alerts: Mapping[str, Any] | None = None) -> None:
        """From now on this is what the fleet's file and alerts.yaml say; both keep their defaults otherwise."""
        self.fleet.write_text(yaml.safe_dump({"state": str(self.folder), **(fleet or {})}))
        self.fleet.with_name("alerts.yaml").write_text(yaml.safe_dump({**QUIET, **(alerts or {})}))

    def run(self, seconds: float = 60.0, *, settle: float = SETTLE) -> Played:
        """Let ``seconds`` pass, then run deploys/recover.py's ladder.

        + settle: seconds for which an agent must live
        """
        self.now += seconds
        played = Played()
        with ExitStack() as stack:
            stack.enter_context(on(self.machine))
            stack.enter_context(noting(played))
            stack.enter_context(_noted(played.said))
            stack.enter_context(self.clock())
            patch = stack.enter_context(pytest.MonkeyPatch.context())
            patch.setattr(converge, "SETTLE", settle)
            patch.setattr(converge, "_POLL", 0.05)
            data = {"spec": str(self.spec), "fleet": str(self.fleet)}
            self._play(State(Inventory(([HOST], data)), Config(), check_for_changes=False), played)
        journal = self.folder / "journal.jsonl"
        with suppress(OSError):
            # By this clock, too, the run was just now.
            os.utime(journal, (self.now, self.now))
        return played

    def _play(self, state: State, played: Played) -> None:
        connect_all(state)
        state.add_callback_handler(recovery._Summary())
        state.set_stage(StateStage.Prepare)
        if self.upkeep is not None:
            for each in state.inventory:
                will_keep_up(each)
            self.upkeep(state)
        add_op(state, recovery.assess)
        for level in ("L1", "L2", "L3"):
            add_op(state, recovery.level, name_of_level=level, _ignore_errors=True)
        add_op(state, recovery.confirm)
        state.set_stage(StateStage.Execute)
        [host] = state.inventory
        try:
            run_ops(state)
        except PyinfraError:
            played.failed = True
        played.failed = played.failed or bool(state.failed_hosts)
        played.climb = climb_of(host)
        disconnect_all(state)
        played.opened = memory_of(state).is_opened

    @contextmanager
    def clock(self) -> Iterator[None]:
        """Let all that is judged be judged by this clock; a moment passes with each look at it."""

        def told() -> float:
            self.now += 0.001
            return self.now

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(run_memory, "time", SimpleNamespace(time=told))
            yield

    def asked(self, question: Callable[[History], T]) -> T:
        """What the history answers between two runs."""
        with open_history(self.folder, now=self.now) as history:
            return question(history)

    def decisions(self, target: str | None = None) -> list[Decided]:
        """What the gate said so far, oldest first, but for what only gives things their names."""
        found = self.asked(lambda history: history.records(Decided, target=target))
        return [each for each in reversed(found) if each.does != "adopt"]

    def tries(self, target: str | None = None) -> list[Decided]:
        """What was allowed so far, oldest first; what was made for the first time is none."""
        repairs = [each for each in self.decisions(target) if each.does not in {"tidy", "tell"}]
        return [each for each in repairs if each.allowed and each.cause != "missing"]

    def incidents(self) -> list[IncidentChanged]:
        """What has become of incidents, oldest first."""
        return self.asked(lambda history: list(reversed(history.records(IncidentChanged))))

    def alerts(self) -> list[AlertSent]:
        """What was told, oldest first."""
        return self.asked(lambda history: list(reversed(history.records(AlertSent))))

    def attention(self) -> bool:
        """Whether the next run has to open the history."""
        return attention(self.folder)

    def pause(self, target: str = "", seconds: float = 3600.0, host: str = HOST) -> None:
        """Pause something as `miyabi pause` does."""
        add_pause(self.folder, Pause(host, target, self.now + seconds, "by hand", self.now))

    def stop(self, why: str, seconds: float = 1800.0) -> None:
        """Stop everything, as too many critical incidents do."""
        add_pause(self.folder, emergency_stop(self.now + seconds, why, self.now))

    def unpause(self, target: str = "", host: str = HOST) -> None:
        """Take a pause back."""
        clear_pauses(self.folder, host, target)

    def pids(self) -> dict[str, int]:
        """The pid of each living managed pane."""
        return {name: pid for name, (_, pid) in named_panes(self.tmux).items()}

    def panes(self) -> dict[str, str]:
        """Tmux's id of each managed pane, living or not."""
        lines = self.tmux.run("list-panes", "-a", "-F", "P #{pane_id} #{@miyabi_pane}", check=False).splitlines()
        fields = [line.split(" ", 2)[1:] for line in lines if line.startswith("P ")]
        return {name: pane for pane, name in fields if name}

    def dead(self, *names: str) -> None:
        """Wait until these panes have died."""
        wait_until(lambda: not set(names) & set(self.pids()), what=f"the end of {names}")

    def signals(self) -> list[dict[str, Any]]:
        """What the subscriber got: signals.jsonl in the machine's home."""
        path = self.machine.home / "signals.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


@contextmanager
def _noted(said: list[str]) -> Iterator[None]:
    notes = _Notes(said)
    level = logger.level
    logger.addHandler(notes)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.setLevel(level)
        logger.removeHandler(notes)
