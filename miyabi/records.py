"""What is remembered: one record for each thing that a run saw, decided, did or told. Pure.

Each has ``event``, its own name for ever (a record that is written twice is one), ``run``, the run that it belongs to,
and ``at``, seconds since the epoch on the machine that wrote it. A record travels as one line of JSON (``to_line``,
``from_line``), and is a row of the table that its class names.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, Literal

Health = Literal["healthy", "drift", "unknown", "asleep", "unreachable"]
Outcome = Literal["restored", "failed"]
Severity = Literal["LOW", "MEDIUM", "HIGH", "CRITICAL"]

# Where an upkeep subject stands beside targets of the tmux fleet, a drift's level is this.
UPKEEP = "upkeep"


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What all records have."""

    TABLE: ClassVar[str] = ""

    event: str
    run: str
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStarted(Record):
    """A run has begun.

    + command: what was asked for, such as ``deploys/recover.py``
    + controller: the machine and the process that run it, such as ``mugen:4711``
    """

    TABLE: ClassVar[str] = "runs"

    command: str
    controller: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEnded(Record):
    """A run has come to its end; one without this was cut short.

    + outcome: ``clean`` (nothing had to be done), ``restored``, ``held`` (all that is wrong waits for the gate),
      ``failed``
    + seconds: how long it took
    + hosts: how many hosts it was about
    """

    TABLE: ClassVar[str] = "run_ends"

    outcome: Literal["clean", "restored", "held", "failed"]
    seconds: float
    hosts: int


# The states of agents that are not there, or do nothing.
AGENT_IS_DOWN = frozenset({"dead", "exited", "missing", "stalled"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation(Record):
    """What one run saw of one host at its first look.

    + health: what it came to; ``asleep`` and ``unreachable`` hosts were not looked at
    + reason: why it is not healthy
    + fleet, upkeep: whether its tmux fleet was judged, and what that stands on
    + boot_id, uptime: which boot, and seconds since then
    + disk_used, memory_available: in percent
    + load: over one minute
    + agents: the state of each supervised pane by its target: ``dead``, ``exited``, ``missing``, the condition of an
      agent that lives, such as ``working``, or ``running`` where that is not known

    None is unknown.
    """

    TABLE: ClassVar[str] = "observations"

    host: str
    health: Health
    reason: str = ""
    fleet: bool = False
    upkeep: bool = False
    boot_id: str | None = None
    uptime: float | None = None
    disk_used: float | None = None
    memory_available: float | None = None
    load: float | None = None
    sessions: int | None = None
    windows: int | None = None
    panes: int | None = None
    agents: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftSeen(Record):
    """Something that was not as it should be when a run first looked.

    + target: as ``miyabi.drift.Target`` is written, or an upkeep subject such as ``server mcp``
    + kind: a drift's kind, or ``upkeep``
    + level: ``L1`` to ``L4``, or ``upkeep``
    + reason: in words
    + cause: what ``miyabi.cause`` makes of the evidence
    + evidence: the lines that decided
    """

    TABLE: ClassVar[str] = "drifts"

    host: str
    target: str
    kind: str
    level: str
    reason: str
    cause: str = "unknown"
    evidence: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided(Record):
    """What the gate said to one request; an allowed one is written before anything is done, and counts as a try.

    + does: as in ``miyabi.gate.Request``
    + rule: the rule that holds it, "" when it is allowed
    + reason: why it is held; of an allowed one why just this was done, where there is more to it than the damage
    + again_at: when to look again, for one that is held
    + climbing: whether a lower level acted on the target in the same run
    """

    TABLE: ClassVar[str] = "decisions"

    host: str
    target: str
    does: str
    level: str
    allowed: bool
    rule: str = ""
    reason: str = ""
    again_at: float | None = None
    climbing: bool = False
    cause: str = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovered(Record):
    """What came of one try on one target, as it was proved.

    + first_try: whether it was the first of its incident
    + seconds: from the first command to the proof
    + reason: what did not hold
    """

    TABLE: ClassVar[str] = "recoveries"

    host: str
    target: str
    level: str
    does: str
    outcome: Outcome
    seconds: float
    first_try: bool = True
    cause: str = "unknown"
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentChanged(Record):
    """An incident was opened, told of again, or closed; the last record of an incident is how it stands.

    + incident: its name for ever
    + host, target: what it is about; a target of "" is the whole host, a host of "" the whole fleet
    + kind: such as ``not-restored``, ``held``, ``unreachable``, ``storm``, ``threshold``, ``channel``,
      ``emergency-stop``
    + opened_at, told_at: seconds since the epoch; one whose ``told_at`` is its ``at`` is told, the others are silent
    + told_severity: the highest that was told since the last reminder; None is ``severity``
    + healthy_since: since when all is well again, while it is still open
    """

    TABLE: ClassVar[str] = "incidents"

    incident: str
    change: Literal["opened", "changed", "still-open", "closed"]
    host: str
    target: str
    kind: str
    severity: Severity
    summary: str
    cause: str = "unknown"
    opened_at: float
    told_at: float
    healthy_since: float | None = None
    covers: tuple[str, ...] = ()
    told_severity: Severity | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertSent(Record):
    """A text that went to the channels.

    + channels: what became of it by channel: ``sent``, or why not
    """

    TABLE: ClassVar[str] = "alerts"

    incident: str
    change: str
    severity: Severity
    text: str
    channels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Signalled(Record):
    """A signal for others, or from them.

    + signal: ``RECOVERY_COMPLETE``, ``RECOVERY_AGENTS_READY``, ``RECOVERY_REPORT``, ``HEALTH_OK``, ``recovery_status``,
      ``session_snapshot``, or an incoming one such as ``agent-unresponsive``
    + details: what it says
    """

    TABLE: ClassVar[str] = "signals"

    signal: str
    host: str = ""
    target: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerChanged(Record):
    """How a circuit breaker stands; the last record of a subject counts.

    + subject: such as ``host mugen``, ``channel webhook``, ``service ec2``
    + failures: in a row
    + opened_at: when it opened; None when it is closed
    """

    TABLE: ClassVar[str] = "breakers"

    subject: str
    failures: int
    opened_at: float | None = None


# What runs write.
RECORDS: dict[str, type[Record]] = {
    kind.TABLE: kind
    for kind in (
        RunStarted,
        RunEnded,
        Observation,
        DriftSeen,
        Decided,
        Recovered,
        IncidentChanged,
        AlertSent,
        Signalled,
        BreakerChanged,
    )
}


def record_kinds() -> dict[str, type[Record]]:
    """Each kind of record by its table, those that no run writes among them."""
    from miyabi.predicted import Predicted  # noqa: PLC0415 - runs do not pay for it

    return {**RECORDS, Predicted.TABLE: Predicted}


def to_line(record: Record) -> str:
    """A record as one line of JSON, without its newline; what JSON does not know is written as text."""
    told = {"table": record.TABLE, **{each.name: getattr(record, each.name) for each in fields(record)}}
    try:
        return json.dumps(told, separators=(",", ":"), default=_plain)
    except (ValueError, TypeError, RecursionError):
        # A mapping that holds itself, or whose keys are none of JSON's: no reason to lose the rest.
        plain = {name: value if isinstance(value, _SIMPLE) else str(value) for name, value in told.items()}
        return json.dumps(plain, separators=(",", ":"))


_SIMPLE = (str, int, float, type(None))


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    return list(value) if isinstance(value, set | frozenset) else str(value)


def from_line(line: str) -> Record | None:
    """The record of a line; None for one that is torn, or of a kind that this version does not know."""
    try:
        told = json.loads(line)
        table = told.pop("table")
        kind = RECORDS.get(table) or record_kinds()[table]
        known = {each.name for each in fields(kind)}
        values: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in told.items() if name in known
        }
        return kind(**values)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
