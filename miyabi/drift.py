"""The difference between the spec and the state of a host, each with the lowest level that can remove it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from typing_extensions import override

from miyabi import spec, state
from miyabi.layout import refuse_layout
from miyabi.levels import Level
from miyabi.match import PaneMatch, SessionMatch, WindowMatch
from miyabi.processes import death, is_idle_shell

DriftKind = Literal[
    "session-missing", "window-missing", "pane-missing", "pane-dead", "agent-exited", "agent-stalled", "unmarked"
]


@dataclass(frozen=True, slots=True, order=True)
class Target:
    """What a drift or an action is about: a session, a window in it, or a pane in that.

    As text it is ``session``, ``session:window`` or ``session:window.pane``.
    """

    session: str
    window: str = ""
    pane: str = ""

    @override
    def __str__(self) -> str:
        pane = self.pane.removeprefix(f"{self.session}:{self.window}.")
        return self.session + (f":{self.window}" if self.window else "") + (f".{pane}" if pane else "")

    def scopes(self) -> tuple[Target, ...]:
        """The target itself, its window and its session."""
        return (self, Target(self.session, self.window), Target(self.session))


@dataclass(frozen=True, slots=True)
class Drift:
    """One difference between what is wanted and what is there.

    + kind: what is wrong
    + target: with what
    + level: the lowest level that can repair it
    + reason: the evidence, in words for the user
    """

    kind: DriftKind
    target: Target
    level: Level
    reason: str


def reason_to_refuse(wanted: spec.Spec, seen: state.Host) -> str | None:
    """Why nothing may be done to the tmux fleet of a host; None when all that is needed is known, and can be done."""
    if not wanted.sessions:
        return None
    if seen.tmux is None:
        return _unknown(seen.unknown.get("tmux", "tmux was not observed"))
    layouts = {window.layout for session in wanted.sessions for window in session.windows if window.layout}
    for layout in sorted(layouts):
        if reason := refuse_layout(layout, seen.tmux.version):
            return f"nothing is changed: {reason}"
    supervised = any(
        pane.supervised for session in wanted.sessions for window in session.windows for pane in window.panes
    )
    if supervised and seen.processes is None:
        return _unknown(f"processes: {seen.unknown.get('processes', 'not observed')}")
    return None


def _unknown(reason: str) -> str:
    return f"the tmux fleet is unknown, nothing is changed: {reason}"


def find_drift(matches: Iterable[SessionMatch], seen: state.Host) -> tuple[Drift, ...]:
    """Every difference between the spec and a host whose state is known, in the order of the spec."""
    processes = seen.processes or ()
    running = seen.tmux is not None and seen.tmux.running
    return tuple(drift for match in matches for drift in _session_drift(match, processes, running=running))


def _session_drift(match: SessionMatch, processes: tuple[state.Process, ...], *, running: bool) -> Iterator[Drift]:
    target = Target(match.session.session_name)
    if match.seen is None:
        yield Drift("session-missing", target, Level.L3, "not there" if running else "no tmux server runs")
        return
    if not match.marked:
        yield Drift("unmarked", target, Level.L1, "found by its name, not yet managed")
    for window in match.windows:
        yield from _window_drift(target, window, processes)


def _window_drift(session: Target, match: WindowMatch, processes: tuple[state.Process, ...]) -> Iterator[Drift]:
    target = Target(session.session, match.window.name)
    if match.seen is None:
        # A window whose panes a human moved elsewhere is not missing.
        if any(pane.seen is None for pane in match.panes):
            yield Drift("window-missing", target, Level.L2, "not there")
            return
    elif not match.marked:
        yield Drift("unmarked", target, Level.L1, "found by its name, not yet managed")
    found = [drift for pane in match.panes if (drift := _pane_drift(target, pane, processes))]
    damaged = [drift for drift in found if drift.kind != "unmarked"]
    if len(damaged) > 1 and len(damaged) * 2 > len(match.panes):
        share = f"{len(damaged)} of {len(match.panes)} panes are damaged"
        found = [
            drift if drift.kind == "unmarked" else replace(drift, level=Level.L2, reason=f"{drift.reason}; {share}")
            for drift in found
        ]
    yield from found


def _pane_drift(window: Target, match: PaneMatch, processes: tuple[state.Process, ...]) -> Drift | None:
    target = Target(window.session, window.window, match.pane.name)
    if match.seen is None:
        return Drift("pane-missing", target, Level.L1, "not there")
    if match.seen.dead:
        reason = death(match.seen)
        if _may_stay_dead(match.pane, match.seen):
            return None
        return Drift("pane-dead", target, Level.L1, reason)
    if not match.marked:
        return Drift("unmarked", target, Level.L1, "found by what runs in it, not yet managed")
    if match.pane.supervised and match.pane.restart != "never" and is_idle_shell(match.seen, processes):
        return Drift("agent-exited", target, Level.L1, "only an idle shell is left in it")
    return None


def _may_stay_dead(wanted: spec.Pane, seen: state.Pane) -> bool:
    if not wanted.supervised or wanted.restart == "always":
        return False
    return wanted.restart == "never" or (seen.dead_status == 0 and not seen.dead_signal)


def escalate(drifts: Iterable[Drift], attempts: Mapping[Target, Level]) -> tuple[Drift, ...]:
    """The drifts with the levels that they have climbed to.

    + attempts: the highest level that already acted on each target in this recovery. What is still wrong with it, or
      with something inside it, did not hold and needs the next level.
    """
    return tuple(_escalated(drift, attempts) for drift in drifts)


def _escalated(drift: Drift, attempts: Mapping[Target, Level]) -> Drift:
    tried = max((attempts[scope] for scope in drift.target.scopes() if scope in attempts), default=None)
    # A stalled agent lives: what a higher level would close is not its to close.
    if tried is None or tried < drift.level or drift.kind in {"unmarked", "agent-stalled"}:
        return drift
    level = tried.next or Level.L4
    return replace(drift, level=level, reason=f"{drift.reason}; {tried.name} did not hold")
