"""The ladder of deploys/recover.py on one machine, run by pyinfra's API in this process, with all commands noted."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from pyinfra.api import Config, Inventory, State
from pyinfra.api.connect import connect_all, disconnect_all
from pyinfra.api.exceptions import PyinfraError
from pyinfra.api.operation import add_op
from pyinfra.api.operations import run_ops
from pyinfra.api.state import StateStage
from pyinfra.connectors.local import LocalConnector

from facts.agents import agent_panes
from facts.host_spec import host_spec
from facts.probe import probe_script
from miyabi.climb import Climb
from miyabi.errors import SpecError
from miyabi.upkeep import Finding
from operations import agents, converge, recovery
from operations.climbing import climb_of
from operations.upkeep import findings
from tests.fleet.machine import Machine

# Long enough to see an agent that exits at once, short enough to try hundreds of damages.
SETTLE = 0.25

_PROBE = probe_script([])

# A spec's gate for tests that break the same thing again and again.
EAGER = {
    "backoff": {"first": 0.001, "longest": 0.001},
    "tries": 50,
    "restarts_per_hour": 50,
    "flapping": {"start": 100},
}


@dataclass(slots=True)
class Run:
    """One run of the ladder.

    + failed: whether the host failed
    + commands: every command that was executed on it, probes left out
    + probes: how often it was observed
    + findings: what was said of agents and upkeep, by subject
    """

    failed: bool = False
    commands: list[str] = field(default_factory=list)
    probes: int = 0
    climb: Climb = field(default_factory=Climb)
    findings: dict[str, Finding] = field(default_factory=dict)


def write_spec(folder: Path, spec: Mapping[str, Any]) -> Path:
    """Write a spec as a YAML file and return its path."""
    path = folder / "spec.yaml"
    path.write_text(yaml.safe_dump(dict(spec), allow_unicode=True, sort_keys=False), encoding="utf-8")
    return path


def forget_runs(machine: Machine) -> None:
    """Let no earlier run be remembered: what was repaired a moment ago may be repaired again."""
    for each in (machine.home / ".local" / "state" / "miyabi").glob("*"):
        if each.name.startswith(("history.db", "journal", "attention")):
            each.unlink()


def recover(machine: Machine, spec: Path, *, levels: str = "L1 L2 L3", remember: bool = False) -> Run:
    """Run the ladder on ``machine`` as deploys/recover.py does.

    + remember: whether what earlier runs have done counts
    """
    run = Run()
    if not remember:
        forget_runs(machine)
    with on(machine), noting(run), pytest.MonkeyPatch.context() as patch:
        patch.setattr(converge, "SETTLE", SETTLE)
        patch.setattr(converge, "_POLL", 0.05)
        state = State(Inventory((["@local"], {"spec": str(spec)})), Config(), check_for_changes=False)
        connect_all(state)
        state.set_stage(StateStage.Prepare)
        add_op(state, recovery.assess)
        for level in levels.split():
            add_op(state, recovery.level, name_of_level=level, _ignore_errors=True)
        [host] = state.inventory
        # A spec that is wrong is the operations' to refuse.
        with suppress(SpecError):
            if any(agent_panes(host_spec(host))):
                add_op(state, agents.attended, _ignore_errors=True)
        add_op(state, recovery.confirm)
        state.set_stage(StateStage.Execute)
        try:
            run_ops(state)
        except PyinfraError:
            run.failed = True
        run.failed = run.failed or bool(state.failed_hosts)
        run.climb, run.findings = climb_of(host), dict(findings(host))
        disconnect_all(state)
    return run


@contextmanager
def on(machine: Machine) -> Iterator[None]:
    """Let pyinfra's local connector work on ``machine``."""
    before, folder, temporary = dict(os.environ), Path.cwd(), tempfile.tempdir
    # Or the first to ask for it would make the machine's folder everybody's, for ever.
    tempfile.tempdir = None
    os.environ.clear()
    os.environ.update(machine.environment)
    os.chdir(machine.home)
    try:
        yield
    finally:
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(before)
        tempfile.tempdir = temporary


@contextmanager
def noting(run: Run) -> Iterator[None]:
    execute = LocalConnector.run_shell_command

    def noting(self: LocalConnector, command: Any, *args: Any, **kwargs: Any) -> Any:
        text = command.get_raw_value() if hasattr(command, "get_raw_value") else str(command)
        # What holds a lock acts, even if it looks first.
        if "##miyabi:begin" in text and "_lock=" not in text:
            run.probes += 1
        elif not text.endswith(" run-shell -b :"):
            # That one only makes a tmux that lost a SIGCHLD look: it belongs to observing.
            run.commands.append(text)
        return execute(self, command, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LocalConnector, "run_shell_command", noting)
        yield
