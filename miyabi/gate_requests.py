"""What a level asks the gate, from the drift that it would remove. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from miyabi import state
from miyabi.drift import Drift, DriftKind, Target
from miyabi.gate import Does, Request
from miyabi.learning import Start
from miyabi.levels import Level
from miyabi.match import SessionMatch, WindowMatch

_DOES: Mapping[DriftKind, Does] = {"unmarked": "adopt", "agent-stalled": "interrupt"}


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What is known around the drift of one host.

    + causes: of each damaged target
    + drafts: what a human has half typed into a pane in which something would be typed
    + attempts: the highest level that acted on a target in this run
    + last_level: the last level that this host's recovery may use
    + settled_at: when the host, which just woke up or booted, may be judged; None is that it may
    + memory_left: the host's available memory in percent; None is that nobody knows
    + proofs: of agents that would be ended though they live: when what speaks against them was seen, and when their
      processes began; None is that nobody knows
    + starts: where the repair of a target begins by what was learned
    + now: seconds since the epoch
    """

    now: float
    memory_left: float | None = None
    proofs: Mapping[Target, tuple[float | None, float | None]] = field(default_factory=dict)
    last_level: Level = Level.L3
    causes: Mapping[Target, str] = field(default_factory=dict)
    drafts: Mapping[Target, str] = field(default_factory=dict)
    attempts: Mapping[Target, Level] = field(default_factory=dict)
    settled_at: float | None = None
    starts: Mapping[Target, Start] = field(default_factory=dict)


def requests_of(
    host: str, drifts: Iterable[Drift], matches: Sequence[SessionMatch], seen: state.Host, around: Circumstances
) -> tuple[Request, ...]:
    """What is asked for each drift, in their order."""
    clients = seen.tmux.clients if seen.tmux else ()
    return tuple(_request(host, drift, _window_of(drift.target, matches, seen), clients, around) for drift in drifts)


def _request(
    host: str, drift: Drift, window: str | None, clients: Iterable[state.Client], around: Circumstances
) -> Request:
    idle = min((client.idle for client in clients if client.window_id == window), default=None)
    start = around.starts.get(drift.target)
    evidence_at, born_at = around.proofs.get(drift.target, (None, None))
    return Request(
        host=host,
        target=str(drift.target),
        does=_DOES.get(drift.kind, "restore"),
        level=drift.level,
        last_level=around.last_level,
        cause=around.causes.get(drift.target, "unknown"),
        # What L1 and L2 could not hold is made anew beside what lives there; a session that is gone disturbs nobody.
        disturbs=(drift.level >= Level.L3 and drift.kind != "session-missing") or drift.kind == "agent-stalled",
        memory_left=around.memory_left,
        evidence_at=evidence_at,
        born_at=born_at,
        climbing=any(scope in around.attempts for scope in drift.target.scopes()),
        settled_at=around.settled_at,
        watched_at=None if idle is None else around.now - idle,
        draft=around.drafts.get(drift.target, ""),
        why=start.reason if start is not None and start.level == drift.level else "",
    )


def _window_of(target: Target, matches: Iterable[SessionMatch], seen: state.Host) -> str | None:
    """Tmux's id of the window that would be touched; None when there is none yet."""
    for match in _windows(target, matches):
        for pane in match.panes:
            if pane.seen is not None and str(Target(target.session, match.window.name, pane.pane.name)) == str(target):
                # Wherever a human has moved it.
                return _holding(pane.seen.pane_id, seen)
        if match.seen is not None:
            return match.seen.window_id
    return None


def _windows(target: Target, matches: Iterable[SessionMatch]) -> Iterator[WindowMatch]:
    for match in matches:
        if match.session.session_name == target.session:
            yield from (window for window in match.windows if window.window.name == target.window)


def _holding(pane_id: str, seen: state.Host) -> str | None:
    for session in seen.tmux.sessions if seen.tmux else ():
        for window in session.windows:
            if any(pane.pane_id == pane_id for pane in window.panes):
                return window.window_id
    return None
