"""That an agent has a task: what a host's register keeps of it, beside the agents' own checkpoints. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from miyabi.checkpoint import VERSION, Trouble, Written, read_mapping
from miyabi.state import Observed

# What an assignment says that is none any more, until its agent has heard of it.
WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class Assignment(Observed):
    """That an agent has a task, as the host's register says.

    + since: when it was first given to anybody, seconds since the epoch on the host
    + at: when it was last handed to the agent
    + mark: the very process that it was handed to, as ``mark_of`` writes it; "" is that it was not handed to it yet
    + tries: how often it was handed to somebody
    + session_id: of the conversation in which it was handed over; "" is not known
    + worktree: the folder in which it is done, as the spec wrote it when it was given; "" is the home
    + strategy: what was chosen for it last, "" the first time; ``WITHDRAWN`` is that another agent has it now
    + reason: in words
    """

    task: str
    agent: str
    since: float = 0.0
    at: float = 0.0
    mark: str = ""
    tries: int = 0
    session_id: str = ""
    worktree: str = ""
    strategy: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Register(Observed):
    """The register of a host as it was found.

    + checkpoints, assignments: by the agent's name
    + results: each with the folder in which it lies, as the spec writes it; "" is the register itself
    + now: the host's clock, seconds since the epoch
    """

    checkpoints: Mapping[str, Written] = field(default_factory=dict)
    assignments: Mapping[str, Written] = field(default_factory=dict)
    results: tuple[tuple[str, Written], ...] = ()
    now: float = 0.0


def assignment_text(assignment: Assignment) -> str:
    """What the register's file of an assignment holds; ``read_assignment`` reads it."""
    return json.dumps({"version": VERSION, **asdict(assignment)}, separators=(",", ":")) + "\n"


def read_assignment(written: Written, agent: str) -> Assignment | Trouble:
    """What a file of an assignment says, or why it is not believed."""
    told = read_mapping(written)
    if isinstance(told, Trouble):
        return told
    kinds: dict[str, type] = {"since": float, "at": float, "tries": int}
    values: dict[str, Any] = {}
    for name in Assignment.__dataclass_fields__:
        value = told.get(name)
        kind = kinds.get(name, str)
        value = float(value) if kind is float and isinstance(value, int) else value
        if not isinstance(value, kind) or isinstance(value, bool):
            return Trouble("shape", f"{written.name}: {name} is {ascii(value)[:60]}")
        values[name] = value
    found = Assignment(**values)
    if told.get("version") != VERSION:
        return Trouble("version", f"{written.name} is of another version")
    return found if found.agent == agent else Trouble("agent", f"{written.name} is of the agent {found.agent!a}")


def mark_of(boot_id: str, pane_id: str, pid: int) -> str:
    """What tells the very process that a task was handed to from any later one."""
    return f"{boot_id[:8]}:{pane_id}:{pid}"
