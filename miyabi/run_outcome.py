"""What a run came to on each host, by what it has written down. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from miyabi.gate_pauses import is_within
from miyabi.records import Decided, DriftSeen, Health, Observation, Recovered
from miyabi.words import iso

Ended = Literal["healthy", "restored", "held", "failed", "unknown", "unreachable", "asleep", "not-looked-at"]

_ABSENT: dict[Health, Ended] = {"asleep": "asleep", "unreachable": "unreachable"}

# What stands for a run that did not come to a good end.
_BAD = frozenset({"failed", "unknown", "unreachable", "not-looked-at"})


@dataclass(frozen=True, slots=True)
class Ran:
    """What a run has written down, each kind in the order of writing."""

    observations: Sequence[Observation] = ()
    drifts: Sequence[DriftSeen] = ()
    decisions: Sequence[Decided] = ()
    recoveries: Sequence[Recovered] = ()


@dataclass(frozen=True, slots=True)
class HostOutcome:
    """What a run came to on one host.

    + reason: why it was not looked at, or what could not be told
    + repaired: what was brought back, each by its last recovery
    + failed: what was tried and did not hold
    + held: what the gate holds
    + left: what is wrong, and was not tried
    """

    host: str
    ended: Ended
    reason: str = ""
    repaired: tuple[Recovered, ...] = ()
    failed: tuple[Recovered, ...] = ()
    held: tuple[Decided, ...] = ()
    left: tuple[DriftSeen, ...] = ()


def outcome_of(host: str, ran: Ran) -> HostOutcome:
    """What a run came to on ``host``."""
    seen = [each for each in ran.observations if each.host == host]
    recovered = {each.target: each for each in ran.recoveries if each.host == host}
    held = {each.target: each for each in ran.decisions if each.host == host}
    repaired = tuple(each for each in recovered.values() if each.outcome == "restored")
    failed = tuple(each for each in recovered.values() if each.outcome != "restored")
    # What was let through later, or came back together with what it is in, waits for nothing.
    waits = tuple(
        each for each in held.values() if not each.allowed and not _came_back(each.target, repaired) and each.rule
    )
    known = {*recovered, *(each.target for each in waits)}
    drifts = {each.target: each for each in ran.drifts if each.host == host}
    left = tuple(each for each in drifts.values() if each.target not in known and not _came_back(each.target, repaired))
    if not seen:
        return HostOutcome(host, "not-looked-at", "the run ended before it was looked at")
    first = seen[0]
    if first.health in _ABSENT:
        # Only L4 may have found or tried something on a host that is not reached.
        absent = "held" if waits and not failed else _ABSENT[first.health]
        return HostOutcome(host, absent, first.reason, (), failed, waits, left)
    ended: Ended = "restored" if repaired else "healthy"
    if waits:
        ended = "held"
    if failed or left:
        ended = "failed"
    if first.health == "unknown":
        ended = "unknown"
    return HostOutcome(host, ended, first.reason if ended == "unknown" else "", repaired, failed, waits, left)


def _came_back(target: str, repaired: Iterable[Recovered]) -> bool:
    return any(is_within(target, each.target) for each in repaired)


def exit_code(outcomes: Iterable[HostOutcome], code: int) -> int:
    """0 when all is as it should be, 2 when what is left is held, 1 when something failed or could not be told.

    + code: pyinfra's own exit code
    """
    ended = {each.ended for each in outcomes}
    if ended & _BAD:
        return 1
    if "held" in ended:
        return 2
    return 1 if code else 0


def unfinished(ran: Ran) -> tuple[Decided, ...]:
    """What was let through and begun, and of which nobody knows what came of it."""
    done = {(each.host, each.target, each.level) for each in ran.recoveries}
    begun = {(each.host, each.target, each.level): each for each in ran.decisions if each.allowed}
    return tuple(each for key, each in begun.items() if key not in done and each.does not in {"tell", "adopt", "tidy"})


def outcome_json(outcome: HostOutcome) -> dict[str, Any]:
    """A host's outcome as ``--json`` tells it."""
    return {
        "host": outcome.host,
        "outcome": outcome.ended,
        "reason": outcome.reason,
        "repaired": [_recovery_json(each) for each in outcome.repaired],
        "failed": [_recovery_json(each) for each in outcome.failed],
        "held": [
            {
                "target": each.target,
                "level": each.level,
                "rule": each.rule,
                "reason": each.reason,
                "again_at": iso(each.again_at),
            }
            for each in outcome.held
        ],
        "left": [{"target": each.target, "level": each.level, "reason": each.reason} for each in outcome.left],
    }


def _recovery_json(recovery: Recovered) -> dict[str, Any]:
    return {
        "target": recovery.target,
        "level": recovery.level,
        "seconds": round(recovery.seconds, 2),
        "first_try": recovery.first_try,
        "cause": recovery.cause,
        "reason": recovery.reason,
    }
