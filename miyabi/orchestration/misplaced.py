"""Things of a state that a lost or doubled bracket has put where they do not belong, put back. Pure.

Only what was no JSON is looked at this way: in a file that can be read, things are where somebody put them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from miyabi.orchestration.known_places import (
    MAPS,
    PLACES,
    POOL,
    SECTIONS,
    Path,
    fields,
    is_event,
    is_message,
    is_near,
    is_plausible,
    is_section,
    looks_like,
)
from miyabi.orchestration.session_state import (
    AGENTS,
    CHANNELS,
    EDGES,
    LOCKS,
    NODES,
    QUEUES,
    RECENT_EVENTS,
    TASKS,
    State,
    at,
    objects,
)

_FIELDS = fields(TASKS) | fields(AGENTS)

# How often it is looked again: a thing that was put back may hold another one.
_ROUNDS = 12

# Deeper than a damage moves anything.
_DEEPEST = 8


def _sections(part: State, above: Path = ()) -> Iterator[tuple[str, Path]]:
    for key, value in part.items():
        if isinstance(value, dict | list):
            yield key, (*above, key)
        if isinstance(value, dict):
            yield from _sections(value, (*above, key))


def put_back(state: State) -> tuple[str, ...]:
    """Move what is misplaced to where it belongs, in ``state`` itself; the names of what was moved.

    Where the place is taken by another value, the thing stays where it is.
    """
    moved: list[str] = []
    for _ in range(_ROUNDS):
        found = [
            *_move_sections(state),
            *_move_things(state),
            *_move_fields(state),
            *_move_queues(state),
            *_move_items(state),
            *_rename_fields(state),
        ]
        if not found:
            break
        moved += found
    return tuple(dict.fromkeys(moved))


def make_whole(state: State) -> Iterator[tuple[Path, Any]]:
    """Let each task and each agent be an object with its name, in ``state`` itself; what was there instead."""
    for path in (TASKS, AGENTS, POOL):
        held = at(state, path)
        for key, value in list(held.items()) if isinstance(held, dict) else ():
            if not isinstance(value, dict) and key not in _FIELDS:
                held[key] = {"id": key}
                yield (*path, key), value


def add_nameless(state: State, path: Path, thing: Any) -> bool:
    """Put an object whose key or list is gone beside the one that it follows; whether there is such a place.

    + path: of what it follows
    """
    if not isinstance(thing, dict):
        return False
    before = at(state, path)
    if isinstance(before, list):
        before.append(thing)
        return True
    if _list_item(state, thing):
        return True
    name = thing.get("id")
    holder = at(state, path[:-1])
    if isinstance(name, str) and isinstance(holder, dict) and name not in holder:
        holder[name] = thing
        return True
    return False


def _list_item(state: State, item: dict[str, Any]) -> bool:
    """Put an event among the events, and a message into the queue of who is to have it; whether it is one."""
    to = item.get("to")
    path = RECENT_EVENTS if is_event(item) else (*QUEUES, to) if is_message(item) and isinstance(to, str) else None
    above = None if path is None else _holder(state, path[:-1])
    held = None if above is None or path is None else _made(above, path[-1], [])
    if not isinstance(held, list):
        return False
    held.append(item)
    return True


def _move_sections(state: State) -> Iterator[str]:
    """The parts of a state that stand in another one."""
    for path, holder in list(_objects(state)):
        for key in [key for key in holder if key in SECTIONS and SECTIONS[key] != (*path, key)]:
            value, goal = holder[key], SECTIONS[key]
            if is_section(goal, value) and ((path in PLACES and path not in MAPS) or is_plausible(goal, value)):
                there = _holder(state, goal[:-1])
                if there is not None and there is not holder and _join(there, key, value):
                    del holder[key]
                    yield ".".join(goal)


def _move_things(state: State) -> Iterator[str]:
    """Tasks, agents and so on that stand in one another, or beside the object that holds their kind."""
    for path, holder in list(_objects(state)):
        near = _near_map(path, holder)
        for key, value in list(holder.items()):
            if not isinstance(value, dict) or (path in PLACES and (*path, key) in PLACES):
                continue
            goal = _own_place(path, holder, value) or _goal(key, value, near(key), state)
            if goal is None or goal == path or (goal == AGENTS and path == POOL):
                continue
            there = _holder(state, goal)
            if there is not None and there is not value and _join(there, key, value):
                del holder[key]
                yield f"{'.'.join(goal)}.{key}"


def _own_place(path: Path, holder: dict[str, Any], value: object) -> Path | None:
    """Where a thing belongs that stands beside the object that holds its kind, or that is of no other kind."""
    like = looks_like(value)
    if like == LOCKS:
        return LOCKS
    if like is None or path != like[:-1]:
        return None
    return POOL if like == AGENTS and holder.get("active") and not holder.get("pool") else like


def _goal(key: str, value: dict[str, Any], near: Path | None, state: State) -> Path | None:
    """Where a thing belongs that stands near the things of a kind."""
    like = looks_like(value)
    if near is None:
        return like if value.get("id") == key else None
    if like == AGENTS and near == POOL:
        return POOL
    if like is not None and (like == near or value.get("id") == key):
        return like
    if value.get("id") == key:
        return near
    return near if near == NODES and key in objects(state, TASKS) else None


def _near_map(path: Path, holder: dict[str, Any]) -> Any:
    """Of each key the objects of whose kind it may be: those around it, or those that end before it."""
    around = next((each for each in MAPS if path[: len(each)] == each), None)
    if around is not None:
        return lambda _key: around
    before: dict[str, Path | None] = {}
    last: Path | None = None
    for key, value in holder.items():
        before[key] = last
        last = next((each for each in _maps_in((*path, key), value)), last)
    return before.get


def _maps_in(path: Path, value: object) -> Iterator[Path]:
    """The last of the named kinds of objects that stands in a part."""
    found = [each for each in MAPS if each[: len(path)] == path and isinstance(value, dict)]
    yield from found[-1:]


def _move_fields(state: State) -> Iterator[str]:
    """What is said of a thing and stands beside it, because its brace was closed too early."""
    for path in MAPS:
        held = at(state, path)
        if not isinstance(held, dict):
            continue
        last: str | None = None
        for key, value in list(held.items()):
            if isinstance(value, dict) and looks_like(value) is not None:
                last = key
            elif last is not None and key in fields(path) and isinstance(held[last], dict) and key not in held[last]:
                held[last][key] = held.pop(key)
                yield f"{'.'.join(path)}.{last}.{key}"
            elif isinstance(value, dict):
                last = key


def _move_items(state: State) -> Iterator[str]:
    """Messages and events that stand in a list of another kind, because all that was between is gone."""
    groups = (at(state, QUEUES), at(state, CHANNELS))
    lists = [each for group in groups if isinstance(group, dict) for each in group.values() if isinstance(each, list)]
    for held in lists:
        yield from _unfold(held)
    recent, edges = at(state, RECENT_EVENTS), at(state, EDGES)
    strange = [(held, is_event) for held in (*lists, edges)] + [(held, is_message) for held in (recent, edges)]
    for held, is_strange in strange:
        moved = (
            [each for each in held if is_strange(each) and _list_item(state, each)] if isinstance(held, list) else []
        )
        if moved:
            gone = {id(each) for each in moved}
            held[:] = [each for each in held if id(each) not in gone]
            yield from (str(each.get("id")) for each in moved)
    for key, value in list(state.items()):
        if (is_event(value) or is_message(value)) and _list_item(state, state[key]):
            del state[key]
            yield key


def _unfold(messages: list[Any]) -> Iterator[str]:
    """Put each message that stands in another one behind it."""
    unfolded: list[Any] = []
    for item in messages:
        inner = [key for key, each in item.items() if is_message(each)] if isinstance(item, dict) else []
        taken = [item.pop(key) for key in inner]
        unfolded += [item] if item or not taken else []
        unfolded += taken
        yield from inner
    messages[:] = unfolded


def _move_queues(state: State) -> Iterator[str]:
    """Queues that stand beside the object that holds them."""
    for holder in (state, at(state, QUEUES[:-1])):
        for key, value in list(holder.items()) if isinstance(holder, dict) else ():
            there = (
                _holder(state, QUEUES) if isinstance(value, list) and value and all(map(is_message, value)) else None
            )
            if there is not None and _join(there, key, value):
                del holder[key]
                yield f"{'.'.join(QUEUES)}.{key}"


def _rename_fields(state: State) -> Iterator[str]:
    """What is said of a thing under a damaged name, where all others of its kind say it under the same one."""
    groups = [at(state, path) for path in (QUEUES, CHANNELS)]
    kinds = [list(held.values()) for path in MAPS if isinstance(held := at(state, path), dict)]
    kinds += [each for group in groups if isinstance(group, dict) for each in group.values() if isinstance(each, list)]
    kinds += [each for path in (RECENT_EVENTS, EDGES) if isinstance(each := at(state, path), list)]
    for kind in kinds:
        same = [each for each in kind if isinstance(each, dict)]
        known = Counter(key for each in same for key in each)
        for each in same if len(same) > 1 else ():
            lacking = [key for key, count in known.items() if count >= len(same) - 1 and key not in each]
            strange = [key for key in each if known[key] == 1 and key not in lacking]
            if len(lacking) == len(strange) == 1 and is_near(strange[0], lacking[0]):
                renamed = {lacking[0] if key == strange[0] else key: value for key, value in each.items()}
                each.clear()
                each.update(renamed)
                yield lacking[0]


def _objects(state: State) -> Iterator[tuple[Path, dict[str, Any]]]:
    """All objects of a state that are not too deep, those further out first."""
    waiting: list[tuple[Path, dict[str, Any]]] = [((), state)]
    for path, holder in waiting:
        yield path, holder
        if len(path) < _DEEPEST or path[: len(TASKS)] == TASKS:
            waiting.extend(((*path, key), value) for key, value in holder.items() if isinstance(value, dict))


def _holder(state: State, path: Path) -> dict[str, Any] | None:
    """The object at a place, made where there is none; None when something else is there."""
    here = state
    for key in path:
        here = _made(here, key, {})
        if not isinstance(here, dict):
            return None
    return here


def _made(holder: dict[str, Any], key: str, value: Any) -> Any:
    """What is at ``key``: ``value`` where nothing is, or a value was to come that is lost."""
    if holder.get(key) is None:
        holder[key] = value
    return holder[key]


def _join(there: dict[str, Any], key: str, value: Any) -> bool:
    """Put a value to a key, or to what is there already; whether nothing is lost by it."""
    known = there.get(key)
    if key not in there or known in ({}, [], None):
        there[key] = value
        return True
    if known == value:
        return True
    if isinstance(known, dict) and isinstance(value, dict):
        if any(each in known and known[each] != value[each] for each in value):
            return False
        known.update(value)
        return True
    return False
