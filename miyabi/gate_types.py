"""What the gate is asked, what it must know to answer, and what it says. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from miyabi.gate_rules import FleetRules
from miyabi.levels import Level

# tell: a message. adopt: gives things their names. tidy: logs, temporary files, backups, what nobody notices. restore:
# brings back what is gone. interrupt: ends or restarts something that lives. nudge: types into an agent's pane what
# makes it go on. The others are L4's remedies.
Does = Literal[
    "tell", "adopt", "tidy", "restore", "interrupt", "nudge", "run-command", "start", "reboot", "stop-start", "replace"
]

# What ends or starts something: it is counted, and held back by what was before.
ACTING: frozenset[Does] = frozenset(
    {"restore", "interrupt", "nudge", "run-command", "start", "reboot", "stop-start", "replace"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What an operation wants to do to one target.

    + target: as ``miyabi.drift.Target`` is written, or an upkeep subject such as ``server mcp``; "" is the whole host
    + covers: the targets that are damaged and that this repairs, when those are others than the target itself
    + level: None is upkeep
    + last_level: the last level that this recovery may use; None is ``level``
    + cause: of the damage, as ``miyabi.cause`` names it
    + disturbs: whether something that lives on the host is disturbed by it
    + service: the service without which it cannot be done, as its breaker is called, such as ``ec2``; "" is none
    + memory_left: the host's available memory in percent, for what ended for want of it; None is that nobody knows
    + unknown: why the state of the target is not known; None when it is
    + climbing: whether a lower level has just acted on it in this run, and did not hold
    + evidence_at: when what speaks against the target was seen; None is just now
    + born_at: when the process began that would be ended; None is that there is none, or nobody knows
    + settled_at: when the host, which just woke up or booted, may be judged; None is that it may
    + watched_at: the last key of a human who looks at its window; None is that nobody looks
    + draft: what a human has half typed into it; "" is nothing
    + why: what speaks for doing just this, to be remembered with the decision
    """

    host: str
    target: str
    does: Does
    level: Level | None = None
    last_level: Level | None = None
    covers: tuple[str, ...] = ()
    cause: str = "unknown"
    disturbs: bool = False
    service: str = ""
    memory_left: float | None = None
    unknown: str | None = None
    climbing: bool = False
    evidence_at: float | None = None
    born_at: float | None = None
    settled_at: float | None = None
    watched_at: float | None = None
    draft: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True)
class Try:
    """One earlier try on a target.

    + restored: None when nobody knows what came of it
    + does: as in ``Request``
    """

    at: float
    level: Level | None = None
    restored: bool | None = None
    does: str = "restore"


@dataclass(frozen=True, slots=True)
class TargetHistory:
    """What is remembered of one target, in the order in which it was written, oldest first.

    The order tells what the times cannot, when a clock was set back. No sightings at all is that nobody remembers.

    + sightings: when it was looked at, and whether it was damaged at the first look of that run, this run's the last
    + tries: what was done to bring it back
    + resumed_at: when a human last let it through; what is older holds it no more
    """

    sightings: tuple[tuple[float, bool], ...] = ()
    tries: tuple[Try, ...] = ()
    resumed_at: float | None = None


@dataclass(frozen=True, slots=True)
class Pause:
    """Somebody wants to be left alone.

    + host: "" is the whole fleet
    + target: "" is the whole host, ``miyabi`` a session with all in it, ``miyabi:codegen.kaede`` a pane, or a subject
    + until: seconds since the epoch
    """

    host: str
    target: str
    until: float
    reason: str = ""
    since: float = 0.0


@dataclass(frozen=True, slots=True)
class Storm:
    """Too much damage at once.

    + cause: the one cause, or "" for too many hosts
    + targets: ``(host, target)`` of what is damaged by it
    + since: when it began
    + canary: the one target that was tried after the cool-down, and when; None while none was
    + canary_holds: whether that one is healthy now
    """

    cause: str
    targets: frozenset[tuple[str, str]]
    since: float
    canary: tuple[str, str, float] | None = None
    canary_holds: bool = False


@dataclass(frozen=True, slots=True)
class Fleet:
    """What is known of the fleet at this moment.

    + hosts: how many there are
    + disturbed: hosts that something disturbs right now, or did and is not proved to be over
    + leases: who else recovers which host, and until when
    + breakers: by ``host NAME`` or ``service NAME``: failures in a row, and when it opened (None is closed); by
      ``overload NAME``: how often it was found overloaded, and when last
    + stopped_until: an emergency stop of everything
    """

    hosts: int = 1
    disturbed: frozenset[str] = frozenset()
    leases: Mapping[str, tuple[str, float]] = field(default_factory=dict)
    pauses: tuple[Pause, ...] = ()
    storms: tuple[Storm, ...] = ()
    breakers: Mapping[str, tuple[int, float | None]] = field(default_factory=dict)
    stopped_until: float | None = None
    rules: FleetRules = field(default_factory=FleetRules)


@dataclass(frozen=True, slots=True)
class Decision:
    """What the gate says.

    + rule: the rule that holds; "" when it is allowed
    + reason: in words for the user; "" when it is allowed
    + again_at: when to look again, later than now; None when it is allowed
    """

    allowed: bool
    rule: str = ""
    reason: str = ""
    again_at: float | None = None


ALLOWED = Decision(allowed=True)
