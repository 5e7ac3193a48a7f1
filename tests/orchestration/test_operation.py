"""Sessions that are sick on a real machine, healed by the operation as a run does it, and seen from outside."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from miyabi.orchestration.rules import Orchestration
from miyabi.orchestration.session_state import ids
from operations import state
from tests.fleet.machine import Machine
from tests.orchestration.states import a_full_session, a_session, a_task, an_agent, an_edge, as_content
from tests.recovery.operating import Operated, operate

NAME = "session-a.json"


@pytest.fixture
def workspace(machine: Machine) -> Path:
    """A workspace with one valid session that is among its backups."""
    folder = machine.home / "work space"
    (folder / ".claude/state/events").mkdir(parents=True)
    write(folder, a_full_session_of_the_living())
    assert not heal(folder, machine).failed
    return folder


@pytest.fixture
def living() -> Iterator[subprocess.Popen[bytes]]:
    """A process that lives as long as the test."""
    with subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE) as process:
        yield process


def a_full_session_of_the_living() -> dict[str, Any]:
    """A valid state whose agents name no process, as of now."""
    found = a_full_session()
    for agent in found["execution"]["agents"]["active"].values():
        del agent["pid"]
    return found


def heal(folder: Path, machine: Machine, **rules: Any) -> Operated:
    return operate(machine, state.healed, rules=Orchestration(str(folder), **{"backup_every": 0.0, **rules}))


def write(folder: Path, found: dict[str, Any], name: str = NAME) -> Path:
    path = folder / ".claude/state" / name
    path.write_bytes(as_content(found))
    return path


def read(folder: Path, name: str = NAME) -> dict[str, Any]:
    found = json.loads((folder / ".claude/state" / name).read_bytes())
    assert isinstance(found, dict)
    return found


def kept(folder: Path) -> list[Path]:
    return sorted((folder / ".claude/recovery/backups" / NAME).glob("*.json"))


def test_a_valid_session_is_kept_once_and_left_alone(workspace: Path, machine: Machine) -> None:
    before = (workspace / ".claude/state" / NAME).read_bytes()
    again = heal(workspace, machine)
    assert (again.failed, again.commands, again.findings, again.probes) == (False, [], {}, 1)
    assert [each.read_bytes() for each in kept(workspace)] == [before]
    assert (workspace / ".claude/state" / NAME).read_bytes() == before


def test_what_has_changed_is_kept_when_it_is_due(workspace: Path, machine: Machine) -> None:
    changed = a_full_session_of_the_living()
    changed["session"]["mode"] = "leadership"
    write(workspace, changed)
    [older] = kept(workspace)
    os.utime(older, (older.stat().st_mtime - 60,) * 2)
    assert not heal(workspace, machine, backup_every=3600.0).commands
    run = heal(workspace, machine)
    assert [found.verdict for found in run.findings.values()] == ["tidied"]
    assert len(kept(workspace)) == 2


def test_one_that_was_cut_off_comes_back_and_loses_nothing(workspace: Path, machine: Machine) -> None:
    path = workspace / ".claude/state" / NAME
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    run = heal(workspace, machine)
    assert not run.failed, run.said
    assert set(ids(json.loads(whole))) <= set(ids(read(workspace)))
    assert [found.verdict for found in run.findings.values()] == ["repaired"]
    assert whole[: len(whole) // 2] in [each.read_bytes() for each in kept(workspace)], "what was found is kept"
    again = heal(workspace, machine)
    assert (again.commands, again.findings) == ([], {})


def test_a_dead_agent_loses_its_task_and_a_living_one_does_not(
    workspace: Path, machine: Machine, living: subprocess.Popen[bytes]
) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        gone.wait()
    tasks = [a_task(name, "in_progress", assignee=agent) for name, agent in (("T1", "A1"), ("T2", "A2"))]
    path = write(
        workspace, a_session(tasks=tasks, agents=[an_agent("A1", pid=gone.pid), an_agent("A2", pid=living.pid)])
    )
    # A state that names a process is not older than that.
    os.utime(path, (path.stat().st_mtime + 60,) * 2)
    assert not heal(workspace, machine).failed
    execution = read(workspace)["execution"]
    assert (
        execution["tasks"]["T1"] | {"status": "pending", "assignee": None, "retry_count": 1} == execution["tasks"]["T1"]
    )
    assert (execution["tasks"]["T2"]["status"], execution["tasks"]["T2"]["assignee"]) == ("in_progress", "A2")
    assert set(execution["agents"]["active"]) == {"A2"}
    assert living.poll() is None
    assert not heal(workspace, machine).commands


@pytest.mark.parametrize("end", [False, True])
def test_the_living_child_of_a_dead_agent_is_ended_only_where_the_spec_says_so(
    workspace: Path, machine: Machine, living: subprocess.Popen[bytes], *, end: bool
) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        gone.wait()
    agents = [an_agent("A1", pid=gone.pid, children=["A2"]), an_agent("A2", pid=living.pid)]
    path = write(workspace, a_session(agents=agents))
    os.utime(path, (path.stat().st_mtime + 60,) * 2)
    assert not heal(workspace, machine, end_children=end).failed
    assert set(read(workspace)["execution"]["agents"]["active"]) == {"A2"}
    assert (living.poll() is not None) == end


def test_a_lock_of_a_living_program_is_respected(
    workspace: Path, machine: Machine, living: subprocess.Popen[bytes]
) -> None:
    knot = a_session(tasks=[a_task("T1"), a_task("T2")], edges=[an_edge("T1", "T2"), an_edge("T2", "T1")])
    path = write(workspace, knot)
    before = path.read_bytes()
    lock = path.with_name(f"{NAME}.lock")
    lock.write_text(json.dumps({"pid": living.pid}))
    run = heal(workspace, machine)
    assert (run.failed, run.commands, path.read_bytes()) == (False, [], before)
    assert [found.verdict for found in run.findings.values()] == ["warning"]
    assert "a running program holds it" in "".join(found.reason for found in run.findings.values())
    lock.unlink()
    assert not heal(workspace, machine).failed
    assert len(read(workspace)["communication"]["coordination"]["dependencies"]["graph"]["edges"]) == 1


def test_only_told_where_the_spec_says_so(workspace: Path, machine: Machine) -> None:
    path = write(
        workspace, a_session(tasks=[a_task("T1"), a_task("T2")], edges=[an_edge("T1", "T2"), an_edge("T2", "T1")])
    )
    before = path.read_bytes()
    run = heal(workspace, machine, heal="report")
    assert (run.failed, path.read_bytes()) == (False, before)
    assert [found.verdict for found in run.findings.values()] == ["warning"]
    assert "T1" in "".join(found.reason for found in run.findings.values())


def test_a_workspace_that_is_not_there_fails_and_says_so(machine: Machine) -> None:
    run = heal(machine.home / "nowhere", machine)
    assert run.failed
    assert any("nowhere" in line for line in run.said), run.said


def test_what_holds_nothing_at_all_is_put_aside_and_told(machine: Machine) -> None:
    folder = machine.home / "w"
    (folder / ".claude/state").mkdir(parents=True)
    path = folder / ".claude/state" / NAME
    path.write_bytes(b"\0" * 4096)
    run = heal(folder, machine)
    assert run.failed
    assert not path.exists()
    assert [each.read_bytes() for each in (folder / ".claude/recovery/quarantine").glob(f"{NAME}.*")] == [b"\0" * 4096]


def test_what_a_human_asks_for(workspace: Path, machine: Machine) -> None:
    rules = Orchestration(str(workspace))
    first = read(workspace)
    assert not operate(machine, state.backed_up, workspace=rules.workspace, label="mine").failed
    assert json.loads((workspace / f".claude/recovery/backup-mine/state/{NAME}").read_bytes()) == first
    write(workspace, a_session(tasks=[a_task("T-new")]))
    assert not operate(machine, state.settled, rules=rules, action="restore", backup="backup-mine").failed
    assert read(workspace) == first
    assert not operate(machine, state.settled, rules=rules, action="reset").failed
    assert not (workspace / ".claude/state" / NAME).exists()
    assert list((workspace / ".claude/recovery/quarantine").iterdir())


def test_a_session_too_large_for_a_probe_is_asked_for_once(workspace: Path, machine: Machine) -> None:
    large = a_full_session_of_the_living()
    large["notes"] = "x" * 9_000_000
    write(workspace, large)
    [older] = kept(workspace)
    os.utime(older, (older.stat().st_mtime - 60,) * 2)
    first = heal(workspace, machine)
    assert (first.failed, first.probes) == (False, 2)
    again = heal(workspace, machine)
    assert (again.failed, again.probes, again.commands) == (False, 1, [])
