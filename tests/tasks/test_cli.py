"""``miyabi tasks`` in a clone, with real pyinfra and git on the control machine."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from miyabi.journal import append
from miyabi.records import Signalled
from tests.cli.acting import Clone
from tests.fleet.control import Fleet
from tests.tasks.ground import Ground

pytestmark = pytest.mark.slow

SPEC: dict[str, Any] = {
    "sessions": [
        {
            "session_name": "s",
            "windows": [
                {"panes": [{"name": "kaede", "shell_command": "claude", "agent": {"role": "CodeGen"}}]},
                {"panes": [{"name": "botan", "shell_command": "claude", "agent": {"role": "CodeGen"}}]},
            ],
        }
    ],
    "tasks": [
        {"id": "login", "prompt": "do", "agent": "kaede", "worktree": "~/work", "branch": "feature"},
        {"id": "docs", "prompt": "write", "role": "CodeGen", "needs": ["login"]},
    ],
    "workspaces": {"repositories": ["~/main"]},
}


@pytest.fixture
def clone(ssh_fleet: Fleet) -> Clone:
    """A clone whose own machine has tasks, a repository with work in it, and a register."""
    clone = Clone.of(ssh_fleet)
    clone.write_spec("control", SPEC)
    ground = Ground.build(ssh_fleet.control)
    ground.worktree()
    ground.worktree("old", "old")
    ground.sh("cd work && git commit -q --allow-empty -m more && echo x >new.txt")
    return clone


def register(clone: Clone) -> Path:
    folder = clone.fleet.control.home / ".local" / "state" / "miyabi" / "agents"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def write(clone: Clone, name: str, **told: Any) -> None:
    path = register(clone) / name
    path.write_text(json.dumps({"version": 1, **told}))
    path.chmod(0o600)


def assigned(clone: Clone, **more: Any) -> None:
    told = {"task": "login", "agent": "kaede", "since": 1.0, "at": 1.0, "mark": "", "tries": 1, "session_id": ""}
    write(clone, "kaede.task", **({**told, "worktree": "~/work", "strategy": "", "reason": ""} | more))


def test_who_does_what(clone: Clone) -> None:
    assigned(clone)
    write(
        clone,
        "kaede.json",
        agent="kaede",
        task="login",
        status="running",
        updated_at=time.time(),
        completed_steps=["the form"],
        next_actions=["its tests"],
    )
    (register(clone) / "botan.json").write_text("{")
    done = clone.miyabi("tasks", "--limit", "@local")
    assert done.code == 0, done.output
    lines = [line.split(None, 4) for line in done.stdout.splitlines()]
    assert lines[0] == ["HOST", "TASK", "STATE", "AGENT", "WHAT"]
    assert lines[1] == ["@local", "login", "running", "kaede", "next: its tests"]
    assert lines[2] == ["@local", "docs", "waiting", "for", "login"]
    assert "1 agent without a task: @local:botan" in done.stdout
    assert "not believed of botan: botan.json is no whole JSON" in done.stdout

    shown = clone.miyabi("tasks", "show", "login")
    assert shown.code == 0, shown.output
    for words in ("@local: task login: running", "~/work, branch feature", "1 commit not pushed", "the form"):
        assert words in shown.stdout
    told = clone.told("tasks", "show", "@local:login")
    assert told["work"]["signs"] == ["untracked", "unpushed"]
    assert told["choices"] == []


def test_what_a_human_has_to_look_at(clone: Clone) -> None:
    assigned(clone, tries=3, strategy="escalate", reason="it was handed over 3 times")
    done = clone.miyabi("tasks", "--limit", "@local")
    assert done.code == 2, done.output
    assert "escalated" in done.stdout
    assert "it was handed over 3 times; handed over 3 times" in done.stdout
    [host] = clone.told("tasks", code=2)["hosts"]
    assert host["tasks"][0]["assignment"]["strategy"] == "escalate"


def test_what_was_chosen_is_told(clone: Clone) -> None:
    assigned(clone)
    details = {"strategy": "reassign", "rule": "reassign", "reason": "kaede does not come back", "agent": "botan"}
    common: dict[str, Any] = {"event": "e1", "run": "r1", "at": time.time()}
    signal = Signalled(**common, signal="task_chosen", host="@local", target="task login", details=details)
    append(clone.fleet.control.home / ".local" / "state" / "miyabi", [signal])
    for words in (("tasks", "show", "login"), ("explain", "@local:task login")):
        done = clone.miyabi(*words)
        assert "reassign (botan): kaede does not come back" in done.stdout, done.output


def test_what_is_no_task(clone: Clone) -> None:
    done = clone.miyabi("tasks", "show", "logn")
    assert done.code == 1
    assert done.stderr.strip() == (
        "Error: logn: no such task; there are @local:login, @local:docs; did you mean login?"
    )


def test_a_fleet_without_tasks(ssh_fleet: Fleet) -> None:
    clone = Clone.of(ssh_fleet)
    done = clone.miyabi("tasks")
    assert (done.code, done.stdout) == (0, "no spec has tasks; docs/tasks.md says how they are written\n")
