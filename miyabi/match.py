"""Which observed session, window and pane is the one that the spec means. Pure.

The spec's names live in tmux options, so a thing that was once recognised is found again whatever happened to its
index, its title or its place. What carries no name yet is adopted by what it is; a pane that a human made beside
managed ones is never adopted.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from miyabi import spec, state
from miyabi.processes import descendants

# Words that may stand in front of the agent's own name on a command line.
_LAUNCHERS = frozenset({"exec", "command", "nice", "nohup", "env", "time", "node", "npx", "bunx", "python", "python3"})


@dataclass(frozen=True, slots=True)
class PaneMatch:
    """A pane of the spec, and the one observed for it.

    + seen: None when there is none
    + marked: whether ``seen`` already carries the spec's name
    """

    pane: spec.Pane
    seen: state.Pane | None = None
    marked: bool = False


@dataclass(frozen=True, slots=True)
class WindowMatch:
    """A window of the spec, the one observed for it, and its panes, wherever these are now."""

    window: spec.Window
    seen: state.Window | None
    marked: bool
    panes: tuple[PaneMatch, ...]


@dataclass(frozen=True, slots=True)
class SessionMatch:
    """A session of the spec, the one observed for it, and its windows."""

    session: spec.Session
    seen: state.Session | None
    marked: bool
    windows: tuple[WindowMatch, ...]


@dataclass(frozen=True, slots=True)
class _Surroundings:
    """What the search for every window and pane needs: all panes with a name, and what is known of those without."""

    named_panes: dict[str, state.Pane]
    processes: tuple[state.Process, ...]
    adopt_panes: bool


def match_sessions(
    wanted: spec.Spec, tmux: state.Tmux, processes: tuple[state.Process, ...] | None, *, adopt_panes: bool = True
) -> tuple[SessionMatch, ...]:
    """Find for each session, window and pane of the spec the observed one.

    + processes: the host's processes, by which an agent in a pane without a name is recognised; None when unknown,
      then no agent is
    + adopt_panes: whether panes without a name may be matched at all
    """
    taken = {session.name for session in tmux.sessions if session.name}
    around = _Surroundings(_named_panes(tmux), processes or (), adopt_panes)
    matches = []
    for session in wanted.sessions:
        seen = next((each for each in tmux.sessions if each.name == session.session_name), None)
        marked = seen is not None
        if seen is None and session.session_name not in taken:
            unmarked = (each for each in tmux.sessions if each.name is None)
            seen = next((each for each in unmarked if each.session_name == session.session_name), None)
        # A window that the spec does not name has no other sign than its place, as long as nothing is managed yet.
        windows = tuple(_match_windows(session, seen, around, by_place=not marked))
        matches.append(SessionMatch(session, seen, marked, windows))
    return tuple(matches)


def _named_panes(tmux: state.Tmux) -> dict[str, state.Pane]:
    """Every pane that carries a name; of two with the same one, the living."""
    found: dict[str, state.Pane] = {}
    for session in tmux.sessions:
        for window in session.windows:
            for pane in window.panes:
                if pane.name and (pane.name not in found or found[pane.name].dead):
                    found[pane.name] = pane
    return found


def _match_windows(
    session: spec.Session, seen: state.Session | None, around: _Surroundings, *, by_place: bool
) -> Iterator[WindowMatch]:
    there = seen.windows if seen else ()
    free = [window for window in there if window.name is None]
    for window in session.windows:
        found = next((each for each in there if each.name == window.name), None)
        marked = found is not None
        if found is None:
            found = _adoptable(window, free, by_place=by_place)
            if found is not None:
                free.remove(found)
        adopted = found if around.adopt_panes and not marked else None
        yield WindowMatch(window, found, marked, _match_panes(window, adopted, around))


def _adoptable(window: spec.Window, free: list[state.Window], *, by_place: bool) -> state.Window | None:
    if window.window_name is not None:
        return next((each for each in free if each.window_name == window.window_name), None)
    return free[0] if by_place and free else None


def _match_panes(window: spec.Window, adopted: state.Window | None, around: _Surroundings) -> tuple[PaneMatch, ...]:
    """The panes of one window; only a window that is adopted just now gives its panes without a name away."""
    free = [pane for pane in (adopted.panes if adopted else ()) if pane.name is None]
    found: dict[str, PaneMatch] = {}
    for pane in window.panes:
        if pane.name in around.named_panes:
            found[pane.name] = PaneMatch(pane, around.named_panes[pane.name], marked=True)
    # Agents first: they are recognised by what runs, a plain pane takes any place that is left.
    for pane in sorted(window.panes, key=lambda each: not each.supervised):
        if pane.name in found:
            continue
        seen = next((each for each in free if not pane.supervised or runs(pane, each, around.processes)), None)
        if seen is not None:
            free.remove(seen)
            found[pane.name] = PaneMatch(pane, seen)
    return tuple(found.get(pane.name, PaneMatch(pane)) for pane in window.panes)


def runs(wanted: spec.Pane, pane: state.Pane, processes: Iterable[state.Process]) -> bool:
    """Whether the program of ``wanted`` is among the processes of ``pane``, told by their command lines."""
    program = program_name(wanted)
    if program is None or pane.dead or pane.pid is None:
        return False
    for process in descendants(tuple(processes), pane.pid):
        words = process.arguments.split()[:3]
        if any(word.rsplit("/", 1)[-1] == program for word in words):
            return True
    return False


def program_name(pane: spec.Pane) -> str | None:
    """The program that a supervised pane is about, such as ``claude``: the first word of its last command."""
    if not pane.commands:
        return None
    try:
        words = shlex.split(pane.commands[-1].text)
    except ValueError:
        words = pane.commands[-1].text.split()
    return program_of(words)


def program_of(words: Iterable[str]) -> str | None:
    """The program that a command line's words are about: not the launcher in front of it, such as ``node``."""
    for word in words:
        name = word.rsplit("/", 1)[-1]
        if name not in _LAUNCHERS and "=" not in word and not word.startswith("-"):
            return name
    return None
