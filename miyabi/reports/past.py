"""What is told of a period and of the one before, and how they differ. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from miyabi import history_figures as figures
from miyabi.availability import fleet_availability
from miyabi.figures import AgentTime, Availability, IncidentStory, LevelFigures
from miyabi.reports.closed_work import between
from miyabi.reports.commits import Commit, count_commits
from miyabi.reports.pieces import Pieces
from miyabi.reports.recommending import waiting
from miyabi.reports.report import Commits, Missing, RepositoryWork, Trend, Unit, Way

if TYPE_CHECKING:
    from miyabi.history import History


@dataclass(frozen=True, slots=True)
class Asked:
    """What other sources than the history have said.

    + commits: by repository, from the beginning of the period before on; None is that none is configured
    + work: the same of GitHub
    + instances: the id and the type of each host that is an EC2 instance; "" is a type that is not known
    + hosts: of the inventory
    """

    commits: Mapping[str, tuple[Commit, ...]] | None = None
    work: tuple[RepositoryWork, ...] | None = None
    instances: Mapping[str, tuple[str, str]] | None = None
    hosts: Collection[str] = ()
    missing: tuple[Missing, ...] = ()


@dataclass(frozen=True, slots=True)
class Past:
    """What is told of one period.

    + seconds: how long it is
    """

    seconds: float
    availability: Mapping[str, Availability]
    levels: tuple[LevelFigures, ...]
    causes: Mapping[str, int]
    incidents: tuple[IncidentStory, ...]
    agents: tuple[AgentTime, ...]
    commits: Commits | None
    work: tuple[RepositoryWork, ...] | None

    @property
    def fleet(self) -> Availability:
        """That of all hosts together."""
        return fleet_availability(self.availability.values())

    def of(self, host: str) -> Availability:
        """A host that nobody looked at counts for neither."""
        return self.availability.get(host, Availability(uncounted=self.seconds))


def past_of(history: History, asked: Asked, pieces: Pieces, since: float, until: float) -> Past:
    """What is told of the time from ``since`` until before ``until``, two of the moments of the pieces."""
    work = asked.work
    return Past(
        seconds=until - since,
        availability=pieces.between(since, until),
        levels=figures.level_figures(history, since, until),
        causes=history.shares_by_cause(since, until),
        incidents=figures.incident_stories(history, since, until),
        agents=figures.agent_times(history, since, until),
        commits=None if asked.commits is None else count_commits(asked.commits, since, until),
        work=None if work is None else tuple(between(each, since, until) for each in work),
    )


# Each figure: its name, its unit, and which way it should go.
_TRENDS: tuple[tuple[str, Unit, Way], ...] = (
    ("availability", "percent", "up"),
    ("time down", "seconds", "down"),
    ("incidents", "times", "down"),
    ("failures", "times", "down"),
    ("repairs", "times", "down"),
    ("repairs that held", "percent", "up"),
    ("held at the first try", "percent", "up"),
    ("agents working", "seconds", "up"),
    ("agents waiting for a human", "seconds", "down"),
    ("commits", "times", ""),
    ("issues closed", "times", ""),
    ("pull requests merged", "times", ""),
)


def trends_of(this: Past, that: Past, since: float, before_since: float) -> tuple[Trend, ...]:
    """Each figure beside that of the period before; one whose source is not configured is left out."""
    now, earlier = _figures(this, since), _figures(that, before_since)
    return tuple(Trend(name, unit, now[name], earlier[name], better) for name, unit, better in _TRENDS if name in now)


def _figures(past: Past, since: float) -> dict[str, float | None]:
    tries = sum(each.tries for each in past.levels)
    restored = sum(each.restored for each in past.levels)
    first = sum(each.first_try for each in past.levels)
    seen: dict[str, float] = {
        "time down": past.fleet.down,
        "incidents": sum(each.opened_at >= since for each in past.incidents),
        "failures": sum(past.causes.values()),
        "repairs": tries,
        "agents working": sum(each.seconds.get("working", 0.0) for each in past.agents),
        "agents waiting for a human": sum(waiting(each) for each in past.agents),
    }
    # Where nobody looked, that nothing was found says nothing.
    is_known = bool(past.availability)
    found: dict[str, float | None] = {name: value if is_known else None for name, value in seen.items()}
    found |= {
        "availability": past.fleet.percent,
        "repairs that held": 100 * restored / tries if tries else None,
        "held at the first try": 100 * first / tries if tries else None,
    }
    if past.commits is not None:
        found["commits"] = past.commits.total
    if past.work is not None:
        found["issues closed"] = sum(len(each.closed) for each in past.work)
        found["pull requests merged"] = sum(len(each.merged) for each in past.work)
    return found
