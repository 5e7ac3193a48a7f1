"""The state of an orchestration on the sandbox's hosts, and what can be wrong with it."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from miyabi.orchestration.session_state import VERSION, at, structure
from miyabi.orchestration.workspace import EVENTS_FOLDER, STATE_FOLDER
from miyabi.sandbox.fleet import Sandbox, SandboxHost

WORKSPACE = "repos/miyabi"

_SESSION = "session-sandbox.json"
_TASKS = ("task-1", "task-2", "task-3")
_GONE = "agent-gone"


def write_state(host: SandboxHost) -> None:
    """Give a host's workspace a session with three tasks, and the log of what happened in it."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    state = structure() | {"version": VERSION}
    state["session"] |= {"id": "sandbox", "created_at": now, "mode": "development"}
    state["session"]["lifecycle"] = {"status": "active", "last_activity": now}
    state["execution"]["agents"]["active"] = {
        name: {"agent_type": "CodeGen", "spawned_at": now, "status": "idle"} for name in ("kaede", "tsubaki")
    }
    state["execution"]["tasks"] = {
        name: {"id": name, "type": "code", "title": f"The {name}", "status": "pending", "priority": priority}
        for name, priority in zip(_TASKS, ("high", "medium", "low"), strict=True)
    }
    state["communication"]["coordination"]["dependencies"]["graph"]["nodes"] = {name: {} for name in _TASKS}
    began = {"id": "event-1", "sequence": 1, "timestamp": now, "type": "session_created", "session_id": "sandbox"}
    folder = host.home / WORKSPACE / EVENTS_FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "sandbox.jsonl").write_text(json.dumps(began | {"data": {"state": state}}) + "\n")
    _write(host, state)


def tear(_: Sandbox, host: SandboxHost) -> str:
    """Cut the session's state off in the middle, as a full disk or a lost machine does."""
    file = _file(host)
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])
    return f"~/{WORKSPACE}/{STATE_FOLDER}/{_SESSION} is cut off"


def is_torn(_: Sandbox, host: SandboxHost) -> bool:
    """Whether the session's state cannot be read, or has lost a task."""
    return not set(_TASKS) <= set(at(_read(host), ("execution", "tasks")) or ())


def lose_agent(_: Sandbox, host: SandboxHost) -> str:
    """Leave behind an agent whose process is gone, with its task and its locks."""
    state = _read(host)
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        gone.wait()
    state["execution"]["agents"]["active"][_GONE] = {
        "agent_type": "CodeGen", "status": "busy", "pid": gone.pid, "current_task": _TASKS[0],
    }  # fmt: skip
    state["execution"]["tasks"][_TASKS[0]] |= {"status": "in_progress", "assignee": _GONE}
    state["communication"]["coordination"]["locks"]["src/main.py"] = {"locked_by": _GONE}
    _write(host, state)
    _lock(host).write_text(json.dumps({"pid": gone.pid, "holder": _GONE}))
    return f"{_GONE} is gone, and left {_TASKS[0]} and its locks behind"


def agent_is_lost(_: Sandbox, host: SandboxHost) -> bool:
    """Whether somebody who is gone still has a task or a lock."""
    state = _read(host)
    task = at(state, ("execution", "tasks", _TASKS[0])) or {}
    locks = at(state, ("communication", "coordination", "locks")) or {}
    return task.get("assignee") == _GONE or bool(locks) or _lock(host).exists()


def knot(_: Sandbox, host: SandboxHost) -> str:
    """Let each of three tasks wait for the next."""
    state = _read(host)
    graph = state["communication"]["coordination"]["dependencies"]["graph"]
    following = (*_TASKS[1:], _TASKS[0])
    graph["edges"] = [{"from": one, "to": other} for one, other in zip(_TASKS, following, strict=True)]
    for one, other in zip(_TASKS, following, strict=True):
        state["execution"]["tasks"][other]["dependencies"] = [one]
    _write(host, state)
    return f"{', '.join(_TASKS)} wait for each other"


def is_knotted(_: Sandbox, host: SandboxHost) -> bool:
    """Whether no task can begin, because each waits for another."""
    tasks = at(_read(host), ("execution", "tasks")) or {}
    return all(tasks.get(name, {}).get("dependencies") for name in _TASKS)


def _file(host: SandboxHost) -> Path:
    return host.home / WORKSPACE / STATE_FOLDER / _SESSION


def _lock(host: SandboxHost) -> Path:
    file = _file(host)
    return file.with_name(f"{file.name}.lock")


def _read(host: SandboxHost) -> dict[str, Any]:
    """The session's state; empty when it cannot be read."""
    try:
        found = json.loads(_file(host).read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _write(host: SandboxHost, state: dict[str, Any]) -> None:
    _file(host).write_text(json.dumps(state, indent=2) + "\n")
