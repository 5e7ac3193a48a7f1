"""The state of an orchestration's session as JSON: its parts, and the ways to what is in them. Pure.

A state is what other programs wrote: any part may be missing or of another type, and what is not known here stays.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any, Literal

State = dict[str, Any]

VERSION = "2.0.0"

PARTS = ("session", "organization", "execution", "communication", "observability", "persistence")

TaskStatus = Literal["pending", "assigned", "in_progress", "review", "completed", "blocked", "cancelled"]
Priority = Literal["critical", "high", "medium", "normal", "low"]

# The higher, the more important; a message says normal where a task says medium.
PRIORITIES: Mapping[str, int] = {"critical": 3, "high": 2, "medium": 1, "normal": 1, "low": 0}

# A task in one of these is not worked on any more, and one in the others is work that must not be lost.
ENDED = frozenset({"completed", "cancelled"})

# What an agent's status says when it does not live any more.
DEAD = frozenset({"failed", "crashed", "dead", "terminated"})

TASKS = ("execution", "tasks")
AGENTS = ("execution", "agents", "active")
QUEUES = ("communication", "message_queues")
CHANNELS = ("communication", "channels")
DEAD_LETTERS = ("communication", "channels", "dead_letter")
LOCKS = ("communication", "coordination", "locks")
GRAPH = ("communication", "coordination", "dependencies", "graph")
NODES = (*GRAPH, "nodes")
EDGES = (*GRAPH, "edges")
RECENT_EVENTS = ("observability", "events", "recent")
LAST_ACTIVITY = ("session", "lifecycle", "last_activity")

_STRUCTURE: State = {
    "session": {"lifecycle": {"status": "unknown"}, "user_context": {}},
    "organization": {"teams": {}, "projects": {}},
    "execution": {"agents": {"active": {}, "pool": {}}, "tasks": {}, "workflows": {"active_sprints": [], "epics": {}}},
    "communication": {
        "message_queues": {},
        "channels": {"broadcast": [], "emergency": [], "handoffs": [], "dead_letter": []},
        "coordination": {"locks": {}, "dependencies": {"graph": {"nodes": {}, "edges": []}, "blocks": []}},
    },
    "observability": {
        "metrics": {"performance": {}, "utilization": {}, "quality": {}},
        "events": {"recent": [], "event_stream_offset": 0},
        "health": {"system_status": "unknown", "checks": {}},
    },
    "persistence": {
        "checkpoint": {"sequence": 0, "size_bytes": 0},
        "event_log": {"current_offset": 0, "total_events": 0, "log_files": []},
    },
}


def structure() -> State:
    """A new copy of what each state has at least; the dead letters are the only part that an old one may lack."""
    return deepcopy(_STRUCTURE)


def at(state: object, path: tuple[str, ...]) -> Any:
    """What is at ``path`` of ``state``; None when something on the way is missing, or is no object."""
    for key in path:
        if not isinstance(state, dict) or key not in state:
            return None
        state = state[key]
    return state


def objects(state: object, path: tuple[str, ...]) -> dict[str, dict[str, Any]]:
    """The objects by name at ``path``, such as the tasks; what is there and is no object is left out."""
    found = at(state, path)
    return {key: value for key, value in found.items() if isinstance(value, dict)} if isinstance(found, dict) else {}


def items(state: object, path: tuple[str, ...]) -> list[dict[str, Any]]:
    """The objects in the list at ``path``, such as the edges; what is there and is no object is left out."""
    found = at(state, path)
    return [value for value in found if isinstance(value, dict)] if isinstance(found, list) else []


def ids(state: object) -> Iterator[tuple[str, str]]:
    """All that has a name in ``state`` and must not be lost, as (kind, id).

    Kinds: session, task, agent, pooled (an agent of the pool), message (in a queue, a channel or the dead letters),
    event, lock, node, team, project, epic.
    """
    own = at(state, ("session", "id"))
    if isinstance(own, str):
        yield "session", own
    for kind, path in _NAMED.items():
        found = at(state, path)
        if isinstance(found, dict):
            yield from ((kind, key) for key in found)
    queues = at(state, QUEUES)
    channels = at(state, CHANNELS)
    for group in (queues, channels):
        for each in group.values() if isinstance(group, dict) else ():
            yield from _with_ids("message", each)
    yield from _with_ids("event", at(state, RECENT_EVENTS))


def _with_ids(kind: str, found: object) -> Iterator[tuple[str, str]]:
    for each in found if isinstance(found, list) else ():
        if isinstance(each, dict) and isinstance(each.get("id"), str):
            yield kind, each["id"]


_NAMED: Mapping[str, tuple[str, ...]] = {
    "task": TASKS,
    "agent": AGENTS,
    "pooled": ("execution", "agents", "pool"),
    "lock": LOCKS,
    "node": NODES,
    "team": ("organization", "teams"),
    "project": ("organization", "projects"),
    "epic": ("execution", "workflows", "epics"),
}
