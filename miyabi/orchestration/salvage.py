"""All that a session's file still holds, and what is known to be gone from it. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from miyabi.orchestration.findings import Archived, Severity
from miyabi.orchestration.known_places import MAPS, misspelled
from miyabi.orchestration.merging import things
from miyabi.orchestration.session_json import Read, Style, read_state, repair_text
from miyabi.orchestration.session_state import LAST_ACTIVITY, PARTS, State, at, ids
from miyabi.orchestration.values import dotted, moment, said, text as text_of
from miyabi.words import counted

# A larger file is not read loosely: its raw copy is kept, and what the strict reader cannot read a human must see.
LARGEST = 64_000_000

# Where a state begins: as many characters are looked for once more, for another state behind it.
_BEGINNING = 24
_STATES = 8

_LONGEST_PIECE = 4000
# Texts that are not further apart than that are of one piece.
_NEAR = 200
# How many texts are looked for in all others, as parts of them.
_LOOKS = 500
_BLANKS = " \t,:{}[]"
_QUOTED = re.compile(r'"((?:[^"\\\n]|\\.)*+)"')


@dataclass(frozen=True, slots=True)
class Salvaged:
    """What a file holds.

    + state: None when nothing of a state can be read
    + flaw: why it is no state as it stands; "" when it is one
    + style: in which it is written
    + archived: what was read and stands nowhere in ``state``
    + missing: what is gone, or may be, for the user, a line each
    """

    state: State | None
    flaw: str = ""
    style: Style = field(default_factory=Style)
    archived: tuple[Archived, ...] = ()
    missing: tuple[str, ...] = ()

    @property
    def session_id(self) -> str:
        """Whose it is; "" when that cannot be read."""
        own = text_of(at(self.state, ("session", "id")))
        return own or (_said_by_all(self.state) if self.state is not None and self.flaw else "")

    @property
    def severity(self) -> Severity:
        """How bad it is: whether nothing is missing, something, or nearly all."""
        if self.state is None or not any(part in self.state for part in PARTS):
            return "critical"
        return "major" if self.missing else "minor"


def _said_by_all(state: State) -> str:
    """The session that each agent and each event says it is of; "" when they say none, or several."""
    said_ids = {text_of(thing.value.get("session_id")) for thing in things(state) if isinstance(thing.value, dict)}
    return (said_ids - {""}).pop() if len(said_ids - {""}) == 1 else ""


def salvage(content: bytes) -> Salvaged:
    """All that can be read of a session's file; never raises."""
    read = read_state(content)
    if read.state is not None:
        flaw = "; ".join(_renamed(read.state)) if any(misspelled(read.state)) else ""
        return Salvaged(read.state, flaw, read.style, read.doubled)
    if len(content) > LARGEST:
        return Salvaged(None, read.flaw, read.style, missing=("all of it: the file is too large to be read in pieces",))
    return _by_pieces(content, read, repair_text(content))


def _renamed(state: State) -> Iterator[str]:
    """Give parts of a state, itself, their names back; what was wrong, for the user."""
    for path, key in list(misspelled(state)):
        above = at(state, path[:-1])
        if key in above:
            above[path[-1]] = above.pop(key)
            yield f"{dotted(path)} is called {said(key)}"


def _by_pieces(content: bytes, read: Read, repaired: Read | None) -> Salvaged:
    """What the loose reader and the library find, whichever finds more."""
    from miyabi.orchestration.json_repairing import decoded  # noqa: PLC0415 - only a broken file needs it

    text = decoded(content)
    archived: list[Archived] = []
    states, is_torn = _read_loosely(text, archived)
    best = max(states, key=_worth, default=None)
    if repaired is not None and repaired.state is not None:
        other = list(_put_right(repaired.state))
        if not _is_better(best, repaired):
            best, archived, is_torn = repaired.state, other, False
    if best is None:
        return Salvaged(None, read.flaw, read.style, tuple(archived), ("all of it: no state can be read from it",))
    for each in states:
        archived += _only_in(each, best) if each is not best else ()
    archived += _unread(text, best, archived)
    return Salvaged(best, read.flaw, read.style, tuple(archived), tuple(_missing(best, archived, is_torn=is_torn)))


def _read_loosely(text: str, archived: list[Archived]) -> tuple[list[State], bool]:
    """The states in a text, and whether the last of them is cut off.

    + archived: hears of what belongs to none of them
    """
    from miyabi.orchestration.loose_json import read_loose  # noqa: PLC0415 - only a broken file needs them
    from miyabi.orchestration.misplaced import add_nameless  # noqa: PLC0415

    states: list[State] = []
    is_torn = False
    for piece in _pieces(text):
        loose = read_loose(piece)
        for place, value in enumerate(loose.values):
            for path, thing in loose.nameless if place == 0 else ():
                if thing and not add_nameless(value, path, thing):
                    archived.append(Archived("piece", "", dotted(path), "what it belongs to is gone", thing))
            archived += _put_right(value)
        states += [value for value in loose.values if any(part in value for part in PARTS)]
        archived += [
            Archived("doubled", path[-1], dotted(path), "it stands there more than once", value)
            for path, value in loose.doubled
            if value not in ({}, [], None)
        ]
        is_torn = not loose.is_closed
    return states, is_torn


def _put_right(state: State) -> Iterator[Archived]:
    """Put what a damage has misnamed or misplaced where it belongs, in ``state`` itself; what has no place in it."""
    from miyabi.orchestration.misplaced import make_whole, put_back  # noqa: PLC0415 - only a broken file needs them

    for _ in _renamed(state):
        pass
    put_back(state)
    for path, broken in make_whole(state):
        yield Archived("piece", path[-1], dotted(path), "it stands where an object should", broken)


def _pieces(text: str) -> Iterator[str]:
    """The states in a text: another one may have been appended to the first, whole or not."""
    start, beginning = 0, text.lstrip()[:_BEGINNING]
    is_telling = len(beginning) == _BEGINNING and beginning.startswith("{")
    for _ in range(_STATES if is_telling else 0):
        following = text.find(beginning, start + 1)
        if following < 0:
            break
        yield text[start:following]
        start = following
    yield text[start:]


def _worth(state: State) -> tuple[int, float, int]:
    """The better, the greater: how much of a state it is, how new it is, and how much it holds."""
    parts = sum(part in state for part in PARTS)
    return parts, moment(at(state, LAST_ACTIVITY)) or 0.0, sum(1 for _ in ids(state))


def _is_better(best: State | None, repaired: Read) -> bool:
    """Whether the loose reader found something that the library did not."""
    if best is None or repaired.state is None:
        return best is not None
    mine, other = set(ids(best)), set(ids(repaired.state))
    return bool(mine - other) or (bool(repaired.lost) and mine >= other) or _worth(best)[0] > _worth(repaired.state)[0]


def _only_in(other: State, best: State) -> Iterator[Archived]:
    """What another state in the same file has, and the one that counts has not."""
    known = set(ids(best))
    for thing in things(other):
        if thing.key not in known:
            yield thing.archived("it stood in another state in the same file")


def _unread(text: str, state: State, archived: list[Archived]) -> Iterator[Archived]:
    """Pieces of the file with texts that are nowhere in what was read, as they stand there."""
    from miyabi.orchestration.loose_text import unescaped  # noqa: PLC0415 - only a broken file needs it

    known = set(_texts([state, *(each.value for each in archived)]))
    all_known = "\n".join(known)
    looks, start, end = 0, -1, -1
    for found in _QUOTED.finditer(text):
        word = unescaped(found[1])
        if word in known or not any(each.isalnum() for each in word):
            continue
        looks += 1
        if looks < _LOOKS and word.strip(_BLANKS) in all_known:
            continue
        if start >= 0 and found.start() > end + _NEAR:
            yield _piece(text, start, end)
            start = -1
        start = found.start() if start < 0 else start
        end = found.end()
    if start >= 0:
        yield _piece(text, start, end)


def _texts(values: list[object]) -> Iterator[str]:
    """All keys and texts in some values."""
    waiting = list(values)
    while waiting:
        value = waiting.pop()
        if isinstance(value, str):
            yield value
        elif isinstance(value, dict):
            yield from value
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)


def _piece(text: str, start: int, end: int) -> Archived:
    return Archived("text", "", "", "it could not be read as a part of a state", text[start:end][:_LONGEST_PIECE])


def _missing(state: State, archived: list[Archived], *, is_torn: bool) -> Iterator[str]:
    """What is gone, or may be."""
    parts = [part for part in PARTS if not isinstance(state.get(part), dict)]
    if parts:
        yield f"of its parts: {', '.join(parts)}"
    elif is_torn:
        yield "its end: it was cut off"
    unread = sum(each.kind in {"text", "piece"} for each in archived)
    if unread:
        yield f"{counted(unread, 'piece')} of its text, which could not be read; the archive has them"
    if any(each.kind == "doubled" for each in archived):
        yield "what stood between two things that run into each other"
    yield from _torn(state)


def _torn(state: State) -> Iterator[str]:
    """Things that lack what all others of their kind have."""
    for path in MAPS:
        held = at(state, path)
        values = [each for each in held.values() if isinstance(each, dict)] if isinstance(held, dict) else []
        if len(values) < 3:
            continue
        counts: dict[str, int] = {}
        for each in values:
            for key in each:
                counts[key] = counts.get(key, 0) + 1
        usual = {key for key, count in counts.items() if count == len(values) - 1}
        for name, each in held.items():
            lacking = sorted(usual - each.keys()) if isinstance(each, dict) else []
            if lacking:
                yield f"{', '.join(map(said, lacking[:5]))} of {said(dotted(path, name))}"
