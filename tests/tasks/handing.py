"""Runs of the ladder with tasks, on a machine whose panes run fake agents."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from pyinfra.api import Config, Inventory, State
from pyinfra.api.connect import connect_all, disconnect_all
from pyinfra.api.exceptions import PyinfraError
from pyinfra.api.operation import add_op
from pyinfra.api.operations import run_ops
from pyinfra.api.state import StateStage
from pyinfra.context import ctx_host, ctx_state

from facts.host import host_sections
from facts.host_spec import host_spec
from facts.observation import expect
from facts.tasks import register_section
from miyabi.upkeep import Finding
from operations import converge, recovery, tasks
from operations.climbing import climb_of
from operations.upkeep import findings
from tests.agents.player import Agents, install
from tests.fleet.machine import Machine
from tests.fleet.tmux import TmuxServer
from tests.fleet.waiting import wait_until
from tests.recovery.operating import kill
from tests.recovery.playbook import EAGER, SETTLE, Run, noting, on, write_spec


@dataclass(slots=True)
class TaskRun(Run):
    """A run; ``found`` is what it had to say by subject."""

    found: dict[str, Finding] = field(default_factory=dict)

    @property
    def said(self) -> dict[str, str]:
        """What was told of each task."""
        return {name: f"{each.verdict}: {each.reason}" for name, each in self.found.items()}


@dataclass(frozen=True, slots=True)
class Crew:
    """A machine with a crew of fake agents, and the spec of their tasks."""

    machine: Machine
    tmux: TmuxServer
    agents: Agents
    spec: Path

    @classmethod
    def build(
        cls,
        machine: Machine,
        tmux: TmuxServer,
        wanted: Mapping[str, Mapping[str, Any] | str],
        todo: list[dict[str, Any]],
        **more: Any,
    ) -> Crew:
        """Have a spec with an agent for each of ``wanted`` (its role, or all of it) and the tasks ``todo``."""
        agents = install(machine)
        windows = [
            {
                "window_name": name,
                "panes": [
                    {
                        "name": name,
                        "shell_command": "claude",
                        "agent": {"role": told} if isinstance(told, str) else told,
                    }
                ],
            }
            for name, told in wanted.items()
        ]
        spec = {
            "sessions": [{"session_name": "s", "start_directory": str(machine.home), "windows": windows}],
            "gate": EAGER | {"presence": 0},
            "tasks": todo,
            **more,
        }
        for name in wanted:
            agents.steer(name, "idle")
        return cls(machine, tmux, agents, write_spec(machine.home, spec))

    def run(self, *, levels: str = "L1 L2 L3") -> TaskRun:
        """Run the ladder and what comes of tasks after it."""
        run = TaskRun()
        with on(self.machine), noting(run), pytest.MonkeyPatch.context() as patch:
            patch.setattr(converge, "SETTLE", SETTLE)
            patch.setattr(converge, "_POLL", 0.05)
            state = State(Inventory((["@local"], {"spec": str(self.spec)})), Config(), check_for_changes=False)
            connect_all(state)
            state.set_stage(StateStage.Prepare)
            add_op(state, recovery.assess)
            for level in levels.split():
                add_op(state, recovery.level, name_of_level=level, _ignore_errors=True)
            add_op(state, tasks.assigned, _ignore_errors=True)
            add_op(state, recovery.confirm)
            state.set_stage(StateStage.Execute)
            [host] = state.inventory
            with ctx_state.use(state), ctx_host.use(host):
                wanted = host_spec(host)
                expect(host, [*host_sections(host, wanted, marks=True), register_section(wanted)])
            try:
                run_ops(state)
            except PyinfraError:
                run.failed = True
            run.failed = run.failed or bool(state.failed_hosts)
            run.climb = climb_of(host)
            run.found = dict(findings(host))
            disconnect_all(state)
        return run

    def turns(self, name: str, count: int) -> list[str]:
        """What an agent was told, once that is ``count`` lines."""
        wait_until(lambda: len(self.agents.turns(name)) >= count, what=f"{name} is told")
        return self.agents.turns(name)

    def kill(self, name: str) -> None:
        """End an agent hard."""
        kill(self.tmux, name)

    def file(self, name: str) -> Path:
        """A file of the register."""
        return self.machine.home / ".local" / "state" / "miyabi" / "agents" / name

    def assignment(self, name: str) -> dict[str, Any]:
        """What the register says that an agent has; nothing when that is nothing."""
        path = self.file(f"{name}.task")
        return json.loads(path.read_text()) if path.exists() else {}

    def checkpoint(self, name: str, **told: Any) -> None:
        """Have an agent write its checkpoint, as the real ones do, over what is there."""
        path = self.file(f"{name}.json")
        known = json.loads(path.read_text()) if path.exists() else {}
        aside = path.with_suffix(".new")
        aside.write_text(json.dumps(known | told))
        aside.chmod(0o600)
        aside.replace(path)
