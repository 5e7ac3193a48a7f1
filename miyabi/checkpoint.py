"""What agents write down of their work: checkpoints and results, and what of it is believed. Pure.

A checkpoint is JSON that an agent, one of its hooks, or this program writes; docs/tasks.md has its form. What is wrong
with one is said and never believed, and what this program does not know in one stays in it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite
from typing import Any, Literal, NoReturn

from miyabi.conversation import is_session_id
from miyabi.state import Observed

VERSION = 1

# Bytes of a file that is read; more is no checkpoint.
LARGEST = 65_536

# Seconds that an agent's clock may be ahead of its host's.
_AHEAD = 300.0

Status = Literal["running", "done", "failed", "blocked"]
STATUSES: tuple[Status, ...] = ("running", "done", "failed", "blocked")

# empty, torn: nothing, or JSON that is cut off. shape: another form. large: over ``LARGEST``. foreign: others could
# have written it, or it is no file. version: of another form. agent, task: somebody else's, or about something else.
# future: written later than now.
TroubleKind = Literal["empty", "torn", "shape", "large", "foreign", "version", "agent", "task", "future"]

# What others call an outcome.
_OUTCOMES: dict[str, Status] = {
    "done": "done",
    "success": "done",
    "succeeded": "done",
    "completed": "done",
    "complete": "done",
    "failed": "failed",
    "failure": "failed",
    "error": "failed",
    "blocked": "blocked",
}
_PASSED = {"passed": True, "pass": True, "ok": True, "green": True, "failed": False, "fail": False, "red": False}


@dataclass(frozen=True, slots=True)
class Written(Observed):
    """A file of a host's register as it was found.

    + name: of the file
    + content: at most ``LARGEST`` bytes of it and one more; None when it is no file of its own, such as a link
    + is_own: whether it is the user's, and nobody else may write it
    + changed_at: seconds since the epoch on the host
    + digest: by which it is known again; "" when it is not told
    """

    name: str
    content: bytes | None
    is_own: bool = True
    changed_at: float = 0.0
    digest: str = ""


@dataclass(frozen=True, slots=True)
class Trouble(Observed):
    """Why a file is not believed: what kind of trouble, and in words for the user."""

    kind: TroubleKind
    reason: str


@dataclass(frozen=True, slots=True)
class Checkpoint(Observed):
    """How far an agent says that it is with its task.

    + agent: the name of its pane
    + session_id: of its conversation; "" when it does not say
    + updated_at: seconds since the epoch
    + more: what else stands in it
    """

    agent: str
    task: str
    status: Status
    updated_at: float
    session_id: str = ""
    completed_steps: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    next_actions: tuple[str, ...] = ()
    notes: str = ""
    more: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TaskResult(Observed):
    """What an agent says that came of a task.

    + tests: whether its tests passed; None when it does not say
    + pr: the pull request, as a number or an address; "" is none
    + changed_at: when it was written, seconds since the epoch on the host
    """

    task: str
    outcome: Status
    summary: str = ""
    tests: bool | None = None
    pr: str = ""
    changed_at: float = 0.0


def read_checkpoint(written: Written, *, agent: str, now: float, task: str | None = None) -> Checkpoint | Trouble:
    """What a checkpoint says, or why it is not believed.

    + agent: whose it must be
    + now: the host's clock, seconds since the epoch
    + task: which task it must be about; None is any
    """
    told = read_mapping(written)
    if isinstance(told, Trouble):
        return told
    version = told.get("version")
    if isinstance(version, bool) or version != VERSION:
        return Trouble(
            "version", f"{written.name} is of version {_short(version)}, and {VERSION} is what is known here"
        )
    try:
        found = _checkpoint(told)
    except (ValueError, OverflowError) as error:
        return Trouble("shape", f"{written.name}: {error}")
    return _of_others(written.name, found, agent, task, now) or found


def _of_others(name: str, found: Checkpoint, agent: str, task: str | None, now: float) -> Trouble | None:
    """Why a checkpoint that is right does not count here; None when it does."""
    if found.agent != agent:
        return Trouble("agent", f"{name} is of the agent {_short(found.agent)}, not of {_short(agent)}")
    if found.updated_at > now + _AHEAD:
        ahead = found.updated_at - now
        return Trouble("future", f"{name} says that it is from {ahead:.0f} s in the future: a clock is wrong")
    if task is not None and found.task != task:
        return Trouble("task", f"{name} is about the task {_short(found.task)}, not about {_short(task)}")
    return None


def read_result(written: Written) -> TaskResult | Trouble:
    """What a ``*_results.json`` says, or why it is not believed."""
    told = read_mapping(written)
    if isinstance(told, Trouble):
        return told
    try:
        outcome = _OUTCOMES.get(_text(told, "outcome").lower())
        if outcome is None:
            return Trouble(
                "shape", f"{written.name}: outcome is {_short(told['outcome'])}; allowed: done, failed, blocked"
            )
        pr = told.get("pr")
        return TaskResult(
            task=_text(told, "task"),
            outcome=outcome,
            summary=_text(told, "summary", ""),
            tests=_tests(told.get("tests")),
            pr=pr if isinstance(pr, str) else str(pr) if isinstance(pr, int) and not isinstance(pr, bool) else "",
            changed_at=written.changed_at,
        )
    except ValueError as error:
        return Trouble("shape", f"{written.name}: {error}")


def merged(written: Written | None, changes: Mapping[str, Any]) -> str:
    """The text of a checkpoint with some of its keys changed, and all that is not known here left in it.

    + written: the file as it is; None, or one that is not believed at all, begins anew
    """
    told = None if written is None else read_mapping(written)
    kept = {} if told is None or isinstance(told, Trouble) or told.get("version") != VERSION else told
    return json.dumps({**kept, **changes}, indent=1) + "\n"


def begun(checkpoint: Written | None, *, agent: str, task: str, session_id: str, now: float) -> str:
    """The text of the checkpoint of an agent that is given a task, or is given it back.

    What it has done of the same task stays; what it wrote of another task does not.
    """
    old = None if checkpoint is None else read_checkpoint(checkpoint, agent=agent, now=now, task=task)
    changes = {
        "version": VERSION,
        "agent": agent,
        "task": task,
        "session_id": session_id,
        "status": "running",
        "updated_at": now,
    }
    if isinstance(old, Checkpoint):
        return merged(checkpoint, changes)
    return merged(None, {**changes, "completed_steps": [], "files": [], "next_actions": [], "notes": ""})


def read_mapping(written: Written) -> dict[str, Any] | Trouble:
    """The mapping that a file holds, or why it is not believed."""
    name, content = written.name, written.content
    if content is None:
        return Trouble("foreign", f"{name} is no file of its own, such as a link or a folder")
    if not written.is_own:
        return Trouble("foreign", f"{name} is somebody else's, or others may write it: chmod 600 when it is right")
    if len(content) > LARGEST:
        return Trouble("large", f"{name} holds more than {LARGEST} bytes")
    if not content.strip(b" \t\r\n\0"):
        return Trouble("empty", f"{name} is empty")
    return _parsed(name, content)


def _parsed(name: str, content: bytes) -> dict[str, Any] | Trouble:
    try:
        told = json.loads(content.decode("utf-8-sig"), parse_constant=_no_number)
    except UnicodeDecodeError:
        return Trouble("torn", f"{name} is no text in UTF-8")
    except (ValueError, RecursionError) as error:
        return Trouble("torn", f"{name} is no whole JSON: {str(error)[:80]}")
    return told if isinstance(told, dict) else Trouble("shape", f"{name} holds no mapping")


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number")


def _checkpoint(told: Mapping[str, Any]) -> Checkpoint:
    status = _text(told, "status")
    if status not in STATUSES:
        raise ValueError(f"status is {_short(status)}; allowed: {', '.join(STATUSES)}")
    session_id = _text(told, "session_id", "")
    return Checkpoint(
        agent=_text(told, "agent"),
        task=_text(told, "task"),
        status=status,
        updated_at=_moment(told.get("updated_at")),
        session_id=session_id if is_session_id(session_id) else "",
        completed_steps=_texts(told, "completed_steps"),
        files=_texts(told, "files"),
        next_actions=_texts(told, "next_actions"),
        notes=_text(told, "notes", ""),
        more={name: value for name, value in told.items() if name not in _KNOWN},
    )


_KNOWN = frozenset({"version"} | set(Checkpoint.__dataclass_fields__) - {"more"})


def _text(told: Mapping[str, Any], key: str, default: str | None = None) -> str:
    value = told.get(key)
    if value is None and default is not None:
        return default
    if not isinstance(value, str) or (default is None and not value):
        raise ValueError(f"{key} is {_short(value)}; allowed: text")
    # A lone surrogate, which JSON can write, would break whoever prints it.
    return value.encode("utf-8", "replace").decode()


def _texts(told: Mapping[str, Any], key: str) -> tuple[str, ...]:
    value = told.get(key)
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise ValueError(f"{key} is {_short(value)}; allowed: a list of texts")
    return tuple(each.encode("utf-8", "replace").decode() for each in value)


def _moment(value: object) -> float:
    """A moment, written as seconds since the epoch or as in ISO 8601; one without a zone is UTC."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        if isfinite(value) and value >= 0:
            return float(value)
    elif isinstance(value, str):
        # A run that meets no such text does not pay for its import.
        from datetime import UTC, datetime  # noqa: PLC0415

        try:
            moment = datetime.fromisoformat(value)
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
        except (ValueError, OverflowError):
            pass
    raise ValueError(f"updated_at is {_short(value)}; allowed: seconds since the epoch, or 2026-01-31T23:59:59Z")


def _tests(value: object) -> bool | None:
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _PASSED.get(value.strip().lower())
    if isinstance(value, dict):
        failed, passed = value.get("failed"), value.get("passed")
        if isinstance(failed, int) and failed > 0:
            return False
        if isinstance(passed, bool):
            return passed
        return True if isinstance(failed, int) and isinstance(passed, int) and passed > 0 else None
    return None


def _short(value: object) -> str:
    text = ascii(value)
    return text if len(text) <= 60 else f"{text[:60]}..."
