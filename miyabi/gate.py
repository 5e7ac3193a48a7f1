"""The gate: may this be done now? One function that every action of every deploy asks. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from miyabi import gate_fleet_holds as around, gate_holds as holds
from miyabi.gate_holds import Case, Hold
from miyabi.gate_past import Past, read_past
from miyabi.gate_rules import Rules
from miyabi.gate_types import (
    ACTING,
    ALLOWED,
    Decision,
    Does,
    Fleet,
    Pause,
    Request,
    Storm,
    TargetHistory,
    Try,
)
from miyabi.levels import Level

__all__ = [
    "ACTING",
    "ALLOWED",
    "RULES",
    "Decision",
    "Does",
    "Fleet",
    "Pause",
    "Request",
    "Rule",
    "Storm",
    "TargetHistory",
    "Try",
    "decide",
    "exhausted_level",
    "incident_tries",
]

_QUIET: frozenset[Does] = frozenset({"adopt", "tidy"})
_ALL = _QUIET | ACTING


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of the gate.

    + name: as decisions and records call it
    + does: the kinds of requests that it is about; a message ("tell") is none
    + holds: why and until when it holds a case
    """

    name: str
    does: frozenset[Does]
    holds: Callable[[Case], Hold]


# The first that holds is the answer: what people and safety ask for stands before what only counts.
RULES = (
    Rule("emergency-stop", _ALL, holds.emergency_stop),
    Rule("pause", _ALL, holds.pause),
    Rule("unknown", _ALL, holds.unknown),
    Rule("evidence", ACTING, holds.evidence),
    Rule("settling", ACTING, holds.settling),
    Rule("confirm", ACTING, holds.confirm),
    Rule("presence", ACTING, holds.presence),
    Rule("draft", ACTING, holds.draft),
    Rule("lease", ACTING, holds.lease),
    Rule("breaker", ACTING, holds.breaker),
    Rule("memory", frozenset({"restore", "interrupt"}), around.memory),
    Rule("overloaded", frozenset({"nudge"}), around.overloaded),
    Rule("flapping", ACTING, holds.flapping),
    Rule("limit", ACTING, holds.limit),
    Rule("tries", ACTING, holds.tries),
    Rule("backoff", ACTING, holds.backoff),
    Rule("storm", ACTING, around.storm),
    Rule("max-unavailable", ACTING, around.max_unavailable),
)


def decide(request: Request, history: TargetHistory, fleet: Fleet, rules: Rules, now: float) -> Decision:
    """Whether ``request`` may be carried out now, or why not and when to look again.

    + history: of the request's target
    + fleet: what is known of all hosts at this moment
    + rules: of the request's host
    + now: seconds since the epoch
    """
    case = Case(request, read_past(history, rules, now), fleet, rules, now)
    for rule in RULES:
        if request.does in rule.does and (hold := rule.holds(case)):
            reason, again_at = hold
            return Decision(allowed=False, rule=rule.name, reason=reason, again_at=again_at)
    return ALLOWED


def exhausted_level(history: TargetHistory, rules: Rules, now: float) -> Level | None:
    """The highest level that has used up its tries in the incident that a target is in; None when none has.

    A recovery starts at the next one, as far as its last level.
    """
    return holds.exhausted(read_past(history, rules, now).incident, rules)


def incident_tries(history: TargetHistory, rules: Rules, now: float) -> tuple[Try, ...]:
    """The tries of the incident that a target is in, oldest first; none yet makes the next one its first."""
    past: Past = read_past(history, rules, now)
    return past.incident
