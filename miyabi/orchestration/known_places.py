"""What stands where in a session's state, and by what a thing of each kind is known where its place is lost. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from miyabi.orchestration.session_state import AGENTS, CHANNELS, LOCKS, NODES, QUEUES, TASKS, State, at, structure

Path = tuple[str, ...]

POOL = ("execution", "agents", "pool")
_TEAMS = ("organization", "teams")
_PROJECTS = ("organization", "projects")
_EPICS = ("execution", "workflows", "epics")

# What is said of a thing of each kind; three of these words make one, and of a lock one.
_TASK = """
    assignee dependencies blocking retry_count priority title status created_at updated_at completed_at description
    estimated_effort actual_effort
"""
_AGENT = """
    agent_type current_task spawned_at context capabilities session_id last_seen status retry_count failed_at
"""
_LOCK = "locked_by locked_at expires_at waiting"
_MESSAGE = "from to priority payload timestamp recipient sender content attempts delivered_at"
_EVENT = "timestamp type session_id data correlation_id sequence"
_SIGNS: Mapping[Path, frozenset[str]] = {
    TASKS: frozenset(_TASK.split()),
    AGENTS: frozenset(_AGENT.split()),
    LOCKS: frozenset(_LOCK.split()),
}
_ENOUGH: Mapping[Path, int] = {TASKS: 3, AGENTS: 3, LOCKS: 1}
_MESSAGE_SIGNS = frozenset(_MESSAGE.split())
_EVENT_SIGNS = frozenset(_EVENT.split())
_SESSION_SIGNS = frozenset({"id", "created_at", "mode", "user_context", "lifecycle", "version"})
_COMMON = frozenset({"id", "type", "metadata"})

# Objects by name: what stands in one directly is a thing of its kind.
MAPS: tuple[Path, ...] = (TASKS, AGENTS, POOL, LOCKS, NODES, _TEAMS, _PROJECTS, _EPICS)


def _sections(part: State, above: Path = ()) -> Iterator[tuple[str, Path]]:
    for key, value in part.items():
        if isinstance(value, dict | list):
            yield key, (*above, key)
        if isinstance(value, dict):
            yield from _sections(value, (*above, key))


_STRUCTURE = structure()
# Where each part of a state stands: no two have the same name.
SECTIONS: Mapping[str, Path] = dict(_sections(_STRUCTURE))
PLACES = frozenset({(), *SECTIONS.values()})


def misspelled(state: State) -> Iterator[tuple[Path, str]]:
    """Parts of a state that are missing, each with the name under which what must be it stands in their place.

    A flipped bit in its name makes a part another, unknown one, and all that is in it with it.
    """
    for path in SECTIONS.values():
        above = at(state, path[:-1])
        if not isinstance(above, dict) or path[-1] in above:
            continue
        strange = [key for key, value in above.items() if (*path[:-1], key) not in PLACES and is_section(path, value)]
        near = [key for key in strange if above[key] and is_near(key, path[-1])]
        if len(near) == 1:
            yield path, near[0]


def is_near(key: str, name: str) -> bool:
    """Whether ``key`` is ``name`` but for one character, or for something in the midst of it."""
    begin = next((place for place, (one, two) in enumerate(zip(key, name, strict=False)) if one != two), None)
    begin = min(len(key), len(name)) if begin is None else begin
    end = 0
    while end < min(len(key), len(name)) - begin and key[-1 - end] == name[-1 - end]:
        end += 1
    return begin + end >= (len(name) if len(name) < 4 else len(name) - 1)


def is_section(path: Path, value: object) -> bool:
    """Whether ``value`` may be the part of a state that stands at ``path``."""
    return isinstance(value, type(at(_STRUCTURE, path)))


def looks_like(value: object) -> Path | None:
    """In which of the state's objects a thing belongs, by what is said of it; None when that is not certain."""
    if not isinstance(value, dict):
        return None
    counts = {path: len(signs & value.keys()) for path, signs in _SIGNS.items()}
    best = max(counts, key=lambda path: counts[path] / _ENOUGH[path])
    return None if counts[best] < _ENOUGH[best] or is_message(value) else best


def is_message(value: object) -> bool:
    """Whether an object says what a message says."""
    return isinstance(value, dict) and len(_MESSAGE_SIGNS & value.keys()) >= 4 and "locked_by" not in value


def is_event(value: object) -> bool:
    """Whether an object says what an event says, and not what a message says."""
    return isinstance(value, dict) and len(_EVENT_SIGNS & value.keys()) >= 4 and not is_message(value)


def fields(path: Path) -> frozenset[str]:
    """What may be said of the things that stand at ``path``, or of the session; none when they are not known."""
    if path == ("session",):
        return _SESSION_SIGNS
    return _SIGNS.get(AGENTS if path == POOL else path, frozenset()) | _COMMON if path in MAPS else frozenset()


def item_fields() -> frozenset[str]:
    """What may be said of messages and events."""
    return _MESSAGE_SIGNS | _EVENT_SIGNS | _COMMON


def is_plausible(path: Path, value: object) -> bool:
    """Whether what stands in a thing is the state's own part, and not something of the thing's with the same name."""
    wanted = at(_STRUCTURE, path)
    if isinstance(value, list):
        items = [each for each in value if isinstance(each, dict)]
        return bool(items) and len(items) == len(value) and all(_is_item(path, each) for each in items)
    if not isinstance(value, dict):
        return False
    if wanted:
        return 2 * len(wanted.keys() & value.keys()) >= len(wanted)
    if path == QUEUES:
        return bool(value) and all(isinstance(each, list) and all(map(is_message, each)) for each in value.values())
    signs = AGENTS if path == POOL else path
    return bool(value) and path in MAPS and all(looks_like(each) == signs for each in value.values())


def _is_item(path: Path, item: dict[str, Any]) -> bool:
    if path[: len(CHANNELS)] == CHANNELS:
        return is_message(item)
    if path[-1] == "recent":
        return len(_EVENT_SIGNS & item.keys()) >= 3
    return path[-1] == "edges" and {"from", "to"} <= item.keys()
