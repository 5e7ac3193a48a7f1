"""What a report says, before it is text. Pure.

Moments are seconds since the epoch, durations seconds, shares percent. None is that there is no data, which is not 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from miyabi.figures import (
    AgentTime,
    Availability,
    Budget,
    Deed,
    IncidentStory,
    Learned,
    LevelFigures,
    Measure,
    Series,
)
from miyabi.predicted import Predicted
from miyabi.reports.span import Span

Unit = Literal["percent", "seconds", "times"]
Way = Literal["up", "down", ""]


@dataclass(frozen=True, slots=True)
class Trend:
    """A figure beside that of the period before.

    + is_better: which way it should go; "" is neither
    """

    name: str
    unit: Unit
    now: float | None
    before: float | None
    is_better: Way = ""

    @property
    def difference(self) -> float | None:
        """How much more it is now; None when one of them is not known."""
        return None if self.now is None or self.before is None else self.now - self.before


@dataclass(frozen=True, slots=True)
class HostFigures:
    """How available a host was.

    + budget: its own error budget, over the time of the SLO until the end of the report
    """

    host: str
    seen: Availability
    before: Availability
    budget: Budget


@dataclass(frozen=True, slots=True)
class Stretch:
    """An hour of a day, or a day of a week or month.

    + repairs: tries; ``failed`` of them did not hold
    """

    name: str
    since: float
    seen: Availability
    repairs: int
    failed: int


@dataclass(frozen=True, slots=True)
class Capacity:
    """How full a disk, or a memory, was and is going to be.

    + series: in the period; None when nothing was measured
    + predicted: what was foretold last; None when nothing was
    """

    host: str
    measure: Measure
    series: Series | None
    predicted: Predicted | None = None


@dataclass(frozen=True, slots=True)
class InstanceCost:
    """What an EC2 instance has cost, as far as is known.

    + hours: in which it was reached
    + price: of an hour; None when none is named for its type
    """

    host: str
    instance_id: str
    instance_type: str
    hours: float
    price: float | None

    @property
    def cost(self) -> float | None:
        """None when it is not known."""
        return None if self.price is None else self.hours * self.price


@dataclass(frozen=True, slots=True)
class Commits:
    """The commits of the period.

    + by_repository: how many, by the folder's name
    + by_agent: how many each author has made or taken part in, by repository; a commit of two counts for both
    + total: each commit once
    """

    by_repository: Mapping[str, int]
    by_agent: Mapping[str, Mapping[str, int]]
    total: int


@dataclass(frozen=True, slots=True)
class Item:
    """An issue or a pull request."""

    number: int
    title: str
    author: str
    at: float


@dataclass(frozen=True, slots=True)
class RepositoryWork:
    """What was closed and merged in a repository of GitHub."""

    repository: str
    closed: tuple[Item, ...]
    merged: tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class Missing:
    """A source that could not be asked, so that the report does not know what it has."""

    source: str
    why: str


@dataclass(frozen=True, slots=True)
class Recommendation:
    """What a human might do.

    + weight: how much it matters: from 0 to 100
    + say: what is to be done
    + reason: which figures speak for it
    + change: the command, or the key in a file, by which it is done
    """

    weight: int
    about: str
    say: str
    reason: str
    change: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All of it.

    + at: when it was made
    + until: where it ends: before its span does when that is not over
    + looked: for how many seconds hosts were looked at, all together
    + before_looked: the same, of the period before
    + runs: how runs ended, by outcome; one without an end is ``cut short``
    + budget: of the fleet
    + held: what the gate held, and how often
    + commits, work: None is that no source is configured, or none could be asked
    """

    span: Span
    at: float
    until: float
    sentence: str
    looked: float
    before_looked: float
    runs: Mapping[str, int]
    fleet: Availability
    fleet_before: Availability
    budget: Budget
    hosts: tuple[HostFigures, ...]
    stretches: tuple[Stretch, ...]
    levels: tuple[LevelFigures, ...]
    causes: Mapping[str, int]
    incidents: tuple[IncidentStory, ...]
    held: tuple[tuple[Deed, int], ...]
    agents: tuple[AgentTime, ...]
    trends: tuple[Trend, ...]
    capacity: tuple[Capacity, ...]
    costs: tuple[InstanceCost, ...]
    currency: str
    commits: Commits | None
    work: tuple[RepositoryWork, ...] | None
    learned: tuple[Learned, ...]
    missing: tuple[Missing, ...]
    recommendations: tuple[Recommendation, ...] = field(default=())

    @property
    def is_so_far(self) -> bool:
        """Whether its span is not over."""
        return self.until < self.span.until
