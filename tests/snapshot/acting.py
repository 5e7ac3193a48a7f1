"""Snapshots of a machine, and specs made from them applied to it, in this process."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import yaml
from pyinfra.api import Config, Inventory, State
from pyinfra.api.connect import connect_all, disconnect_all
from pyinfra.api.exceptions import PyinfraError
from pyinfra.api.operation import add_op
from pyinfra.api.operations import run_ops
from pyinfra.api.state import StateStage

from facts.snapshot import HostSnapshot
from miyabi.adopt import Adopted
from miyabi.marks import Mark, marks_to_json
from miyabi.restore import Restoration
from miyabi.snapshot_model import Snapshot
from operations import converge, recovery, snapshot
from tests.fleet.machine import Finished, Machine
from tests.fleet.tmux import TmuxServer
from tests.recovery.playbook import SETTLE, Run, forget_runs, noting, on

REPOSITORY = Path(__file__).parents[2]
_PROGRAM = "from miyabi.cli import main; main(prog_name='miyabi')"


def miyabi(machine: Machine, *arguments: str | Path, cwd: Path = REPOSITORY) -> Finished:
    """Run the real ``miyabi ARGUMENTS`` on ``machine``, from the checkout."""
    machine.environment["PYTHONPATH"] = str(REPOSITORY)
    return machine.run("python3", "-c", _PROGRAM, *map(str, arguments), cwd=cwd)


def look(machine: Machine, shell: str = "sh") -> Snapshot:
    """What is on ``machine`` now."""
    fact = HostSnapshot()
    done = machine.run(*shell.split(), "-c", fact.command(socket_name=""))
    return fact.process(done.stdout.splitlines())


def apply(machine: Machine, spec: Path, marks: tuple[Mark, ...] | str) -> Run:
    """Do what deploys/restore.py does, with all commands noted."""
    named = machine.root / "marks.json"
    named.write_text(marks if isinstance(marks, str) else marks_to_json(marks))
    run = Run()
    forget_runs(machine)
    with on(machine), noting(run), pytest.MonkeyPatch.context() as patch:
        patch.setattr(converge, "SETTLE", SETTLE)
        patch.setattr(converge, "_POLL", 0.05)
        state = State(Inventory((["@local"], {"spec": str(spec)})), Config(), check_for_changes=False)
        connect_all(state)
        state.set_stage(StateStage.Prepare)
        add_op(state, recovery.assess)
        add_op(state, snapshot.mark, marks=str(named))
        for level in ("L1", "L2", "L3"):
            add_op(state, recovery.level, name_of_level=level, _ignore_errors=True)
        add_op(state, recovery.confirm)
        state.set_stage(StateStage.Execute)
        try:
            run_ops(state)
        except PyinfraError:
            run.failed = True
        run.failed = run.failed or bool(state.failed_hosts)
        disconnect_all(state)
    return run


def write_adopted(machine: Machine, adopted: Adopted) -> Path:
    """The spec of an adopted session, as a file."""
    path = machine.root / "adopted.yaml"
    path.write_text(adopted.text, encoding="utf-8")
    return path


def write_restoration(machine: Machine, made: Restoration) -> Path:
    """The spec of a restoration, as a file."""
    path = machine.root / "restore.yaml"
    path.write_text(yaml.safe_dump(made.spec, allow_unicode=True, sort_keys=False), encoding="utf-8")
    return path


def everything(tmux: TmuxServer) -> list[str]:
    """All that must stay: sessions, windows, panes with ids, pids, layouts, folders; but no names of tmux's own."""
    form = (
        "#{session_name}|#{window_id}|#{window_index}|#{?automatic-rename,,#{window_name}}|#{window_layout}|"
        "#{window_active}|#{pane_id}|#{pane_pid}|#{pane_active}|#{pane_current_path}|#{pane_dead}|#{window_zoomed_flag}"
    )
    return tmux.run("list-panes", "-a", "-F", form).splitlines()


def kept_folder(machine: Machine, host: str = "@local") -> Path:
    """Where the snapshots of a host are on the control machine ``machine``."""
    state = machine.environment.get("XDG_STATE_HOME") or machine.home / ".local" / "state"
    return Path(state) / "miyabi" / "snapshots" / "hosts" / host.replace("/", os.sep)
