"""One recovery of one host: the climb from level to level, and what came of it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from miyabi import state
from miyabi.drift import Drift, Target
from miyabi.levels import Level
from miyabi.match import SessionMatch
from miyabi.plan import Action
from miyabi.processes import descendants
from miyabi.upkeep import Finding
from miyabi.words import clock_time

if TYPE_CHECKING:
    from miyabi.cause import Cause
    from miyabi.gate_types import Decision
    from miyabi.learning import Start

# Seconds that a supervised process must live before its start counts as a recovery. An agent that exits at once is gone
# by then.
SETTLE = 2.0

# What is missing takes all that was in it along.
_GONE = frozenset({"session-missing", "window-missing"})


@dataclass(slots=True)
class Climb:
    """What happened on one host in this run.

    + attempts: the highest level that acted on each target
    + steps: each level that acted, in order
    + drifts: what the last look at the host found
    + seen: the host, as it was then
    + left: that in words; None when it is as its spec wants it, but for what is paused
    + unknown: why nothing could be told; None when it could
    + paused: what is wrong and left alone because somebody wants that, in words
    + held: what the gate holds, and why
    + causes: of what is wrong, as far as the evidence tells
    + used_up: the highest level that earlier runs have tried on a target as often as they may; None is none
    + starts: where the repair of a target begins by what was learned; None is at its own level
    """

    attempts: dict[Target, Level] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)
    drifts: tuple[Drift, ...] = ()
    seen: state.Host | None = None
    left: str | None = "not looked at"
    unknown: str | None = None
    paused: str | None = None
    held: dict[Target, Decision] = field(default_factory=dict)
    causes: dict[Target, Cause] = field(default_factory=dict)
    used_up: dict[Target, Level | None] = field(default_factory=dict)
    starts: dict[Target, Start | None] = field(default_factory=dict)

    def looked(self, drifts: Sequence[Drift], now: float) -> None:
        """Remember what a look at the host has found."""
        self.drifts = tuple(drifts)
        held = {target: held_in_words(decision, now) for target, decision in self.held.items()}
        paused = [drift for drift in drifts if is_wish(self.held.get(drift.target))]
        self.paused = in_words(paused, held)
        self.left = in_words((drift for drift in drifts if drift not in paused), held)

    def begin(self, level: Level, actions: Sequence[Action], drifts: Sequence[Drift]) -> Step:
        """Remember that ``level`` is about to act on what ``actions`` are about."""
        targets = {action.target for action in actions}
        wrong = {drift.target for drift in drifts}
        # A window in which some panes are made anew was not tried itself: what the gate holds in it has not climbed.
        self.attempts |= {action.target: level for action in actions if not action.adopts and action.target in wrong}
        self.attempts |= {
            drift.target: level
            for drift in drifts
            if drift.level == level and drift.kind != "unmarked" and targets & set(drift.target.scopes())
        }
        step = Step(level, tuple(actions), tuple(drifts))
        self.steps.append(step)
        return step


@dataclass(slots=True)
class Step:
    """One level's turn in a climb.

    + drifts: what it is to remove
    + seconds: from its first command to the last look
    + failure: what did not hold; None when everything did
    """

    level: Level
    actions: tuple[Action, ...]
    drifts: tuple[Drift, ...] = ()
    seconds: float = 0.0
    failure: str | None = "it was cut short"


def outstanding(actions: Iterable[Action], drifts: Iterable[Drift], held: Collection[Target] = ()) -> tuple[Drift, ...]:
    """The drifts that are left on what ``actions`` were about, inside of it, or on what it was in.

    + held: what the gate holds, so that it was not tried
    """
    targets = {action.target for action in actions}
    around = {scope for target in targets for scope in target.scopes()}
    return tuple(
        drift
        for drift in drifts
        if drift.target not in held
        and (targets & set(drift.target.scopes()) or (drift.kind in _GONE and drift.target in around))
    )


def started_processes(
    actions: Iterable[Action], matches: Iterable[SessionMatch], seen: state.Host, before: frozenset[int]
) -> dict[str, frozenset[int]]:
    """The processes that ``actions`` brought up, by the name of the supervised pane that they are in.

    + before: the processes that were there already
    """
    targets = {action.target for action in actions}
    started: dict[str, frozenset[int]] = {}
    for session in matches:
        for window in session.windows:
            for pane in window.panes:
                target = Target(session.session.session_name, window.window.name, pane.pane.name)
                if pane.pane.supervised and pane.seen is not None and targets & set(target.scopes()):
                    new = _tree(pane.seen, seen.processes or ()) - before
                    if new:
                        started[pane.pane.name] = new
    return started


def _tree(pane: state.Pane, processes: tuple[state.Process, ...]) -> frozenset[int]:
    if pane.dead or pane.pid is None:
        return frozenset()
    return frozenset({pane.pid}) | {process.pid for process in descendants(processes, pane.pid)}


def still_run(earlier: dict[str, frozenset[int]], now: dict[str, frozenset[int]]) -> bool:
    """Whether in every pane something of what was started earlier still runs; agents come and go with children."""
    return earlier.keys() == now.keys() and all(pids & now[name] for name, pids in earlier.items())


def in_words(drifts: Iterable[Drift], held: Mapping[Target, str] | None = None) -> str | None:
    """What is wrong, and the level that it needs, or why it must wait; None when nothing is wrong.

    + held: why, by target
    """
    waits = held or {}
    return (
        "; ".join(
            f"{drift.target} {drift.reason}, {waits.get(drift.target, f'needs {drift.level.name}')}" for drift in drifts
        )
        or None
    )


def held_in_words(decision: Decision, now: float) -> str:
    """That the gate holds something, why, and until when."""
    return f"held: {decision.reason} (looked at again at {clock_time(decision.again_at or now, now)})"


def is_wish(decision: Decision | None) -> bool:
    """Whether something is left alone because a human wants that: then the host does not fail for it."""
    return decision is not None and decision.rule == "pause"


def summary(climb: Climb, findings: Mapping[str, Finding] | None = None) -> str:
    """One line about a host's run: the level reached, what was affected, whether it was restored, and the seconds.

    + findings: what upkeep had to say, by subject
    """
    left = climb.left
    actions = [action for step in climb.steps for action in step.actions]
    repaired = [action for action in actions if not action.adopts]
    parts: list[str] = []
    if repaired:
        level = max(action.level for action in repaired)
        seconds = sum(step.seconds for step in climb.steps)
        affected = ", ".join(dict.fromkeys(str(action.target) for action in repaired))
        parts.append(f"{level.title} {'restored' if left is None else 'NOT restored'} in {seconds:.1f} s: {affected}")
    if len(actions) > len(repaired):
        parts.append(f"{len(actions) - len(repaired)} found running and adopted")
    if left is not None:
        parts.append(left)
    paused = [f"paused: {climb.paused}"] if climb.paused else []
    said = list((findings or {}).values())
    restored = [f"{each.subject} ({each.reason})" for each in said if each.verdict in {"repaired", "tidied"}]
    if restored:
        parts.append(f"upkeep: {', '.join(restored)}")
    parts += [f"{each.subject}: {each.reason}" for each in said if each.verdict == "failed"]
    warnings = [f"warning: {each.subject}: {each.reason}" for each in said if each.verdict == "warning"]
    return "; ".join([*(parts or ([] if paused else ["healthy, nothing to do"])), *paused, *warnings])
