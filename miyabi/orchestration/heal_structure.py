"""The parts that a state must have: missing ones added, and what is something else put into the archive. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from miyabi.orchestration.findings import Archived, Change, Evidence
from miyabi.orchestration.rules import Orchestration
from miyabi.orchestration.session_state import (
    AGENTS,
    CHANNELS,
    DEAD_LETTERS,
    LOCKS,
    NODES,
    QUEUES,
    TASKS,
    State,
    at,
    structure,
)
from miyabi.orchestration.values import dotted, kind_of, number, placed, said

MISSING = "SESSION_CORRUPTED"
WRONG = "STATE_VALIDATION_FAILED"
INCONSISTENT = "STATE_CONSISTENCY_FAILED"
NO_CHANNEL = "CHANNEL_UNAVAILABLE"

Step = Iterator[Change | Archived]

# Objects by name that some programs write as lists.
_BY_ID = frozenset(
    {
        TASKS,
        AGENTS,
        LOCKS,
        NODES,
        ("execution", "agents", "pool"),
        ("organization", "teams"),
        ("organization", "projects"),
        ("execution", "workflows", "epics"),
    }
)
# Those of them in which the name alone says something.
_BY_NAME = _BY_ID - {TASKS, AGENTS, LOCKS}

# Counts and places, which cannot be below zero.
_COUNTS = (
    ("observability", "events", "event_stream_offset"),
    ("persistence", "checkpoint", "sequence"),
    ("persistence", "checkpoint", "size_bytes"),
    ("persistence", "event_log", "current_offset"),
    ("persistence", "event_log", "total_events"),
)


def parts(state: State, _evidence: Evidence, _rules: Orchestration) -> Step:
    """Missing parts are added; a known one that is something else is made what it should be, or archived."""
    yield from _merged(state, structure(), ())


def _merged(found: dict[str, Any], wanted: Mapping[str, Any], above: tuple[str, ...]) -> Step:
    for key, value in wanted.items():
        path = (*above, key)
        have = found.get(key)
        if have is None:
            if path != DEAD_LETTERS:
                found[key] = value
                yield Change(_code(path, MISSING), dotted(path), f"{placed(path)} is missing", "added, empty")
        elif isinstance(value, dict) and isinstance(have, dict):
            yield from _merged(have, value, path)
        elif not _is_like(have, value):
            yield from _replaced(found, key, value, path)


def _is_like(have: object, wanted: object) -> bool:
    if isinstance(wanted, int):
        return isinstance(have, int | float) and not isinstance(have, bool)
    return isinstance(have, type(wanted))


def _replaced(holder: dict[str, Any], key: str, wanted: Any, path: tuple[str, ...]) -> Step:
    """What is another kind of value becomes the wanted one, with all that it says, or goes into the archive."""
    have = holder[key]
    found = f"{placed(path)} is {kind_of(have)}, and should be {kind_of(wanted)}"
    converted = wanted if have is None else _converted(have, wanted, path)
    holder[key] = wanted if converted is None else converted
    if converted is not None:
        yield Change(_code(path, WRONG), dotted(path), found, f"made {kind_of(wanted)}; nothing of it is lost")
        return
    yield Archived("malformed", "", dotted(path), found, have)
    yield Change(_code(path, WRONG), dotted(path), found, "archived, and begun anew")


def _converted(have: object, wanted: object, path: tuple[str, ...]) -> dict[str, Any] | list[Any] | None:
    if isinstance(wanted, dict) and isinstance(have, list) and path in _BY_ID:
        return _by_name(have, may_be_names=path in _BY_NAME)
    if isinstance(wanted, list) and isinstance(have, dict):
        return _listed(have)
    return None


def _by_name(have: list[Any], *, may_be_names: bool) -> dict[str, Any] | None:
    """A list of objects that say their ids, as an object; None when one says none, or two say the same."""
    named: dict[str, Any] = {}
    for each in have:
        name = each.get("id") if isinstance(each, dict) else each if may_be_names else None
        if not isinstance(name, str) or name in named:
            return None
        named[name] = each if isinstance(each, dict) else {}
    return named


def _listed(have: dict[str, Any]) -> list[Any] | None:
    """An object of objects as a list in which each says its name; None when one says another."""
    if not all(isinstance(each, dict) and each.get("id", name) == name for name, each in have.items()):
        return None
    return [{"id": name} | each for name, each in have.items()]


def _code(path: tuple[str, ...], otherwise: str) -> str:
    return NO_CHANNEL if path[:2] == CHANNELS else otherwise


def entries(state: State, _evidence: Evidence, _rules: Orchestration) -> Step:
    """Tasks and agents that are no objects, and queues that are no lists."""
    for kind, path in (("task", TASKS), ("agent", AGENTS)):
        there = at(state, path)
        for name in [name for name, each in there.items() if not isinstance(each, dict)]:
            found = f"{kind} {said(name)} is {kind_of(there[name])}, and no object"
            yield Archived(kind, name, dotted(path, name), found, there.pop(name))
            yield Change(WRONG, dotted(path, name), found, "archived")
    queues = at(state, QUEUES)
    for name in [name for name, each in queues.items() if not isinstance(each, list)]:
        yield from _replaced(queues, name, [], (*QUEUES, name))
    channels = at(state, CHANNELS)
    if not isinstance(channels.get("dead_letter", []), list):
        yield from _replaced(channels, "dead_letter", [], DEAD_LETTERS)


def numbers(state: State, _evidence: Evidence, _rules: Orchestration) -> Step:
    """Counts that say what cannot be: less than nothing."""
    for path in _COUNTS:
        holder = at(state, path[:-1])
        have = holder[path[-1]]
        counted = number(have)
        if counted is not None and counted < 0:
            found = f"{placed(path)} is {said(have)}, which no count can be"
            holder[path[-1]] = 0
            yield Archived("malformed", "", dotted(path), found, have)
            yield Change(INCONSISTENT, dotted(path), found, "set to 0")
