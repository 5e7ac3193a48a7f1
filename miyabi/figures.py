"""What the history comes to in numbers: what the page, the metrics and the reports are made of. Pure.

Moments are seconds since the epoch, durations seconds, shares of disk and memory percent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from miyabi.records import Severity

Measure = Literal["disk_used", "memory_available"]
MEASURES: tuple[Measure, ...] = ("disk_used", "memory_available")


@dataclass(frozen=True, slots=True)
class Series:
    """How one measure of one host went, in stretches of equal length; those without a look are left out.

    + at: when each stretch begins
    + low, mean, high: within it
    + count: how many looks there were in it
    """

    host: str
    measure: Measure
    step: float
    at: Sequence[float]
    low: Sequence[float]
    mean: Sequence[float]
    high: Sequence[float]
    count: Sequence[int]


@dataclass(frozen=True, slots=True)
class Availability:
    """For how long a host, or all of them together, was up and down (``miyabi.availability`` defines both).

    + uncounted: seconds that count for neither: nobody looked, nobody could tell, or it slept and may
    + asleep: of them those in which it slept and may
    """

    up: float = 0.0
    down: float = 0.0
    uncounted: float = 0.0
    asleep: float = 0.0

    @property
    def percent(self) -> float | None:
        """The share of what counts; None when nothing does."""
        counted = self.up + self.down
        return None if counted <= 0 else 100 * self.up / counted


@dataclass(frozen=True, slots=True)
class Budget:
    """An SLO's error budget.

    + objective: the promise, in percent of any ``over`` seconds
    + allowed: seconds that may be down in what was counted
    + spent: seconds that were
    + is_enough: whether enough was counted to say what is left
    """

    objective: float
    over: float
    allowed: float
    spent: float
    is_enough: bool = True

    @property
    def left(self) -> float | None:
        """The percentage that is left, below 0 when it is overdrawn; None when too little was counted yet."""
        return 100 * (1 - self.spent / self.allowed) if self.is_enough and self.allowed > 0 else None


@dataclass(frozen=True, slots=True)
class LevelFigures:
    """How the recoveries of one level went (``upkeep`` is one, too).

    + budget: seconds it may take; None for upkeep
    + restored, failed: of the tries
    + first_try: restored by the first try of their incident
    + within: restored within the budget
    + median, slowest_tenth, longest: seconds of what was restored; ``slowest_tenth`` is the 90th percentile; None when
      nothing was
    """

    level: str
    budget: float | None
    tries: int
    restored: int
    failed: int
    first_try: int
    within: int
    median: float | None
    slowest_tenth: float | None
    longest: float | None


@dataclass(frozen=True, slots=True)
class Learned:
    """What came of one level's tries against one kind of damage with one cause.

    + median: seconds of those that held; None when none did
    """

    kind: str
    cause: str
    level: str
    tries: int
    restored: int
    median: float | None = None


@dataclass(frozen=True, slots=True)
class AgentTime:
    """For how long an agent was in each condition, in seconds, as far as runs have looked."""

    host: str
    target: str
    seconds: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class IncidentStory:
    """One incident from its beginning to its end, with what was done.

    + closed_at: None while it is open
    + done: what was tried and held meanwhile, oldest first
    """

    incident: str
    host: str
    target: str
    kind: str
    severity: Severity
    summary: str
    cause: str
    opened_at: float
    closed_at: float | None = None
    done: tuple[Deed, ...] = ()


@dataclass(frozen=True, slots=True)
class Deed:
    """Something that was done about a target, or held back.

    + what: such as ``L2`` and ``restored``, ``failed``, or ``held``
    + why: what did not hold, or what the gate said
    + seconds: how long it took; None for what was held
    """

    at: float
    host: str
    target: str
    level: str
    what: Literal["restored", "failed", "held"]
    why: str = ""
    cause: str = "unknown"
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class CardDrift:
    """One thing that is not as it should be, on a host's card.

    + gate: what the gate said last: "" is nothing yet, ``allowed``, or why it is held
    + again_at: when it looks again
    """

    target: str
    level: str
    reason: str
    cause: str
    since: float
    gate: str = ""
    again_at: float | None = None


@dataclass(frozen=True, slots=True)
class HostCard:
    """How a host stands by the last look of a run, and since when.

    + health: as in ``Observation``; what a run has repaired since its look counts as repaired
    + level: the highest that is needed or was tried now; "" when nothing is wrong
    + seen_at: when that look was; 0 is that no run has looked at it yet
    + is_stale: whether the last look is so long ago that nobody can tell
    + agents: the condition of each supervised pane, by its target
    """

    host: str
    health: str
    since: float
    seen_at: float
    reason: str = ""
    level: str = ""
    is_stale: bool = False
    drifts: tuple[CardDrift, ...] = ()
    incidents: int = 0
    agents: Mapping[str, str] = field(default_factory=dict)
    sessions: int | None = None
    windows: int | None = None
    panes: int | None = None
    disk_used: float | None = None
    memory_available: float | None = None
    load: float | None = None
    uptime: float | None = None
    availability: float | None = None


@dataclass(frozen=True, slots=True)
class Chart:
    """A measure of a host over time, with what is foretold of it.

    + points: ``(at, mean, high)``, for what shrinks ``(at, mean, low)``
    + limit: the value that must not be reached; None when nothing is foretold
    + forecast: ``(at, value, low, high)``; () when there is no trend
    + words: what the forecast says, with its own error
    """

    host: str
    measure: Measure
    points: Sequence[tuple[float, float, float]]
    limit: float | None = None
    forecast: Sequence[tuple[float, float, float, float]] = ()
    crosses_at: float | None = None
    words: str = ""


@dataclass(frozen=True, slots=True)
class LastRun:
    """The run that began last; ``outcome`` is "" while it goes on, or when it was cut short."""

    command: str
    at: float
    outcome: str
    seconds: float | None


@dataclass(frozen=True, slots=True)
class Overview:
    """What the page, ``miyabi top`` and the metrics show of a fleet at one moment.

    + at: when that is; ``sequence`` grows with each change
    + by_health: how many hosts stand how
    + days: of how many days ``levels``, ``causes``, ``timeline`` and ``charts`` are
    + trouble: why the history, or a part of it, cannot be asked now, so that what is told may be older than ``at``, or
      not be there yet; "" is none
    """

    at: float
    sequence: int
    hosts: tuple[HostCard, ...]
    by_health: Mapping[str, int]
    run: LastRun | None
    open_incidents: tuple[IncidentStory, ...]
    timeline: tuple[IncidentStory, ...]
    deeds: tuple[Deed, ...]
    levels: tuple[LevelFigures, ...]
    causes: Mapping[str, int]
    charts: tuple[Chart, ...]
    availability: Mapping[str, Availability]
    fleet_availability: Availability
    budget: Budget
    days: float
    trouble: str = ""
