"""Two states of one session made one: what the better one lacks is put in from the other. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from miyabi.orchestration.findings import Archived, Change
from miyabi.orchestration.known_places import MAPS, Path
from miyabi.orchestration.session_state import CHANNELS, EDGES, QUEUES, RECENT_EVENTS, State, at
from miyabi.orchestration.values import dotted, is_same, said

_KINDS: dict[Path, str] = dict(
    zip(MAPS, ("task", "agent", "pooled", "lock", "node", "team", "project", "epic"), strict=True)
)


@dataclass(frozen=True, slots=True)
class Thing:
    """Something in a state that has a name and must not be lost.

    + kind, id: as ``session_state.ids`` tells them
    + path: of what holds it: an object by name, or a list
    """

    kind: str
    id: str
    path: Path
    value: Any

    @property
    def key(self) -> tuple[str, str]:
        """By which it is known in another state."""
        return self.kind, self.id

    def archived(self, reason: str) -> Archived:
        """What goes into the archive when it is in no state any more."""
        return Archived(self.kind, self.id, dotted(self.path, self.id), reason, self.value)


@dataclass(slots=True)
class Merged:
    """What came of a merge.

    + state: the better state, with what it lacked
    + changes: what was put in
    + archived: what both had, and had otherwise
    """

    state: State
    changes: list[Change] = field(default_factory=list)
    archived: list[Archived] = field(default_factory=list)


def things(state: State) -> Iterator[Thing]:
    """All that has a name in a state, with what it is."""
    for path in MAPS:
        found = at(state, path)
        for key, value in found.items() if isinstance(found, dict) else ():
            yield Thing(_KINDS[path], key, path, value)
    for group in (QUEUES, CHANNELS):
        lists = at(state, group)
        for key, value in lists.items() if isinstance(lists, dict) else ():
            yield from _listed("message", (*group, key), value)
    yield from _listed("event", RECENT_EVENTS, at(state, RECENT_EVENTS))


def _listed(kind: str, path: Path, found: object) -> Iterator[Thing]:
    for each in found if isinstance(found, list) else ():
        if isinstance(each, dict) and isinstance(each.get("id"), str):
            yield Thing(kind, each["id"], path, each)


def merged(better: State, other: State, why: str, *, is_newer: bool) -> Merged:
    """``better`` with all that it lacks and ``other`` has; neither is changed.

    + why: what ``other`` is, such as "the broken file"
    + is_newer: whether ``other`` was written later: then what both have is as it says, where it says as much
    """
    made = Merged(deepcopy(better))
    known = {each.key: each for each in things(made.state)}
    for thing in things(other):
        mine = known.get(thing.key)
        if mine is None:
            _put_in(made, thing, why)
        elif not is_same(mine.value, thing.value):
            _choose(made, mine, thing, why, is_newer=is_newer)
    _add_edges(made.state, other)
    _fill(made.state, other, ())
    return made


def _put_in(made: Merged, thing: Thing, why: str) -> None:
    holder = _holder(made.state, thing)
    if isinstance(holder, dict):
        holder[thing.id] = deepcopy(thing.value)
    elif isinstance(holder, list):
        holder.append(deepcopy(thing.value))
    else:
        made.archived.append(thing.archived(f"there is no place for it; it was in {why}"))
        return
    found = f"{thing.kind} {said(thing.id)} is only in {why}"
    made.changes.append(Change("SESSION_CORRUPTED", dotted(thing.path, thing.id), found, "kept"))


def _holder(state: State, thing: Thing) -> Any:
    """What holds a thing, made where there is none."""
    here: Any = state
    for key in thing.path[:-1]:
        here = here.setdefault(key, {})
        if not isinstance(here, dict):
            return None
    return here.setdefault(thing.path[-1], {} if thing.path in MAPS else [])


def _choose(made: Merged, mine: Thing, other: Thing, why: str, *, is_newer: bool) -> None:
    """Keep one of two that say otherwise of the same thing, and archive the other."""
    one, two = mine.value, other.value
    says_more = isinstance(one, dict) and isinstance(two, dict) and one.keys() <= two.keys()
    if (is_newer and says_more) or not isinstance(one, dict):
        holder = at(made.state, mine.path)
        place = mine.id if isinstance(holder, dict) else next((n for n, each in enumerate(holder) if each is one), None)
        if place is not None:
            holder[place] = deepcopy(two)
            made.archived.append(mine.archived(f"{why} says otherwise, and is newer"))
            return
    made.archived.append(other.archived(f"{why} said otherwise"))


def _add_edges(state: State, other: State) -> None:
    """The edges that only the other has, and that lead from a task to a task that there is."""
    mine, more = at(state, EDGES), at(other, EDGES)
    if not isinstance(mine, list) or not isinstance(more, list):
        return
    known = {_ends(each) for each in mine}
    for each in more:
        if isinstance(each, dict) and _ends(each) not in known:
            known.add(_ends(each))
            mine.append(deepcopy(each))


def _ends(edge: object) -> tuple[str, str]:
    return (repr(edge.get("from")), repr(edge.get("to"))) if isinstance(edge, dict) else ("", repr(edge))


def _fill(mine: dict[str, Any], other: dict[str, Any], path: Path) -> None:
    """Put in what is missing elsewhere, down to where the named things begin."""
    for key, value in other.items():
        here = (*path, key)
        if key not in mine:
            mine[key] = deepcopy(value)
        elif here not in MAPS and isinstance(mine[key], dict) and isinstance(value, dict):
            _fill(mine[key], value, here)
