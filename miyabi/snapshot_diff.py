"""What of a snapshot is there in another one, and what differs. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

from miyabi.masking import shown
from miyabi.snapshot_model import PaneRecord, SessionRecord, Snapshot, WindowRecord
from miyabi.snapshot_names import explicit, living, spec_names

T = TypeVar("T")

_LEAF = re.compile(r"(\d+x\d+,\d+,\d+),\d+(?=[,\]}]|$)")


@dataclass(slots=True)
class Pairs:
    """For what one snapshot holds, by its tmux id, the same thing in another one; what is not there is left out."""

    sessions: dict[str, SessionRecord] = field(default_factory=dict)
    windows: dict[str, WindowRecord] = field(default_factory=dict)
    panes: dict[str, PaneRecord] = field(default_factory=dict)

    def lacks(self, window: WindowRecord) -> bool:
        """Whether a pane of ``window`` that something ran in is not there, or dead."""
        return any(pane.pane_id not in self.panes or self.panes[pane.pane_id].dead for pane in living(window))


def pair(before: Snapshot, now: Snapshot) -> Pairs:
    """Find in ``now`` what ``before`` holds.

    Ids tell as long as the server is the same one. After that the spec's names do, then what tmux calls a thing, then
    its place.
    """
    pairs = Pairs()
    names = spec_names(before)
    same = bool(before.server) and before.server == now.server
    _match(
        {each.session_id: each for each in before.sessions},
        {each.session_id: each for each in now.sessions},
        pairs.sessions,
        [
            lambda was, each: same and was.session_id == each.session_id,
            lambda was, each: each.name is not None and each.name == names.sessions[was.session_id],
            lambda was, each: was.session_name == each.session_name and each.name in {None, was.name},
        ],
    )
    session_of = {window.window_id: session.session_id for session, window in before.windows()}

    def is_near(was: WindowRecord, each: WindowRecord) -> bool:
        there = pairs.sessions.get(session_of[was.window_id])
        return there is not None and any(one.window_id == each.window_id for one in there.windows)

    # On the same server a thing whose id is gone is gone; what was made for it since carries its name.
    _match(
        {window.window_id: window for _, window in before.windows()},
        {window.window_id: window for _, window in now.windows()},
        pairs.windows,
        [
            lambda was, each: same and was.window_id == each.window_id,
            lambda was, each: is_near(was, each) and names.windows[was.window_id] == each.name,
            lambda was, each: (
                not same and is_near(was, each) and _alike(was, each) and was.window_index == each.window_index
            ),
            lambda was, each: not same and is_near(was, each) and _alike(was, each),
        ],
    )
    _pair_panes(before, now, pairs, names.panes, same=same)
    return pairs


def _alike(was: WindowRecord, each: WindowRecord) -> bool:
    if was.automatic and each.automatic:
        return was.window_index == each.window_index
    return was.window_name == each.window_name and each.name in {None, was.name}


def _pair_panes(before: Snapshot, now: Snapshot, pairs: Pairs, names: dict[str, str], *, same: bool) -> None:
    window_of = {pane.pane_id: window.window_id for _, window in before.windows() for pane in window.panes}

    def is_near(was: PaneRecord, each: PaneRecord) -> bool:
        there = pairs.windows.get(window_of[was.pane_id])
        return there is not None and any(one.pane_id == each.pane_id for one in there.panes)

    _match(
        {pane.pane_id: pane for _, window in before.windows() for pane in living(window)},
        {pane.pane_id: pane for pane in now.panes()},
        pairs.panes,
        [
            lambda was, each: same and was.pane_id == each.pane_id,
            lambda was, each: each.name is not None and each.name in _names_of(was, names[was.pane_id]),
            lambda was, each: not same and was.name is None and each.name is None and is_near(was, each),
        ],
    )


def _names_of(pane: PaneRecord, name: str) -> set[str | None]:
    """The names that a pane has, or gets when it is brought back."""
    return {pane.name, name, explicit(name)}


def _match(
    wanted: dict[str, T], there: dict[str, T], found: dict[str, T], signs: Iterable[Callable[[T, T], bool]]
) -> None:
    """Fill ``found``: the strongest sign first, each thing for one other only."""
    free = dict(there)
    for is_same in signs:
        for was_id, was in wanted.items():
            match = next((each_id for each_id, each in free.items() if is_same(was, each)), None)
            if was_id not in found and match is not None:
                found[was_id] = free.pop(match)


def layout_shape(layout: str) -> str:
    """A layout without what changes when the same panes are made again: the checksum and the panes' numbers."""
    return _LEAF.sub(r"\1", layout.partition(",")[2])


def differences(before: Snapshot, now: Snapshot) -> list[str]:
    """What changed from ``before`` to ``now``, a line each: ``-`` is gone, ``+`` is new, ``~`` is different."""
    pairs = pair(before, now)
    return [*missing(before, pairs), *_changed(before, pairs), *_new(now, pairs)]


def missing(before: Snapshot, pairs: Pairs) -> list[str]:
    """What of ``before`` is not there, a line each; what is inside of something that is gone is not named again."""
    lines = []
    shared = set()
    for session, window in before.windows():
        where = shown(session.session_name)
        if not living(window):
            continue
        if session.session_id not in pairs.sessions:
            if session.session_id not in shared:
                shared.add(session.session_id)
                count = _count(len(session.windows), "window")
                lines.append(f"- session {where} ({count})")
            continue
        where = f"{where}:{shown(window.window_name)}"
        gone = [pane for pane in living(window) if pane.pane_id not in pairs.panes]
        if window.window_id not in pairs.windows and len(gone) == len(living(window)):
            lines.append(f"- window {where} ({_count(len(gone), 'pane')})")
            continue
        lines += [f"- pane {where}.{pane.pane_index}{_what(pane)}" for pane in gone]
        dead = [pane for pane in living(window) if pane.pane_id in pairs.panes and pairs.panes[pane.pane_id].dead]
        lines += [f"- pane {where}.{pane.pane_index}{_what(pane)} (dead)" for pane in dead]
    return lines


def _changed(before: Snapshot, pairs: Pairs) -> Iterator[str]:
    for session in before.sessions:
        there = pairs.sessions.get(session.session_id)
        if there is not None and there.session_name != session.session_name:
            yield f"~ session {shown(session.session_name)}: now called {shown(there.session_name)}"
    for session, window in before.windows():
        if (now := pairs.windows.get(window.window_id)) is not None:
            where = f"{shown(session.session_name)}:{shown(window.window_name)}"
            if not (window.automatic and now.automatic) and window.window_name != now.window_name:
                yield f"~ window {where}: now called {shown(now.window_name)}"
            # With other panes it must be another one; a single pane has none.
            same_panes = len(window.panes) == len(now.panes) > 1
            if same_panes and layout_shape(window.layout) != layout_shape(now.layout):
                yield f"~ window {where}: another layout"
            for pane in living(window):
                if pane.pane_id in pairs.panes:
                    yield from _changed_pane(f"{where}.{pane.pane_index}", pane, pairs.panes[pane.pane_id])


def _changed_pane(where: str, was: PaneRecord, now: PaneRecord) -> Iterator[str]:
    if was.path != now.path and not now.dead:
        yield f"~ pane {where}: folder {shown(was.path) or 'unknown'}, now {shown(now.path) or 'unknown'}"
    if was.command != now.command and not now.dead:
        yield f"~ pane {where}: {shown(was.command) or 'a shell'}, now {shown(now.command) or 'a shell'}"


def _new(now: Snapshot, pairs: Pairs) -> Iterator[str]:
    sessions = {each.session_id for each in pairs.sessions.values()}
    windows = {each.window_id for each in pairs.windows.values()}
    panes = {each.pane_id for each in pairs.panes.values()}
    told = set()
    for session, window in now.windows():
        where = shown(session.session_name)
        if session.session_id not in sessions:
            if session.session_id not in told:
                told.add(session.session_id)
                yield f"+ session {where} ({_count(len(session.windows), 'window')})"
            continue
        where = f"{where}:{shown(window.window_name)}"
        if window.window_id not in windows:
            yield f"+ window {where} ({_count(len(window.panes), 'pane')})"
            continue
        for pane in living(window):
            if pane.pane_id not in panes:
                yield f"+ pane {where}.{pane.pane_index}{_what(pane)}"


def _what(pane: PaneRecord) -> str:
    return f"  {shown(pane.path)}  {shown(pane.command) or 'a shell'}"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)}"
