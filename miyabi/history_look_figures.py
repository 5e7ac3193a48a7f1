"""What the looks of the runs come to: how measures went, for how long hosts were up and agents worked. Pure."""

from __future__ import annotations

import json
from array import array
from collections import defaultdict
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    Connection,
    Double,
    Integer,
    Select,
    Text,
    case,
    cast,
    func,
    literal_column,
    null,
    select,
)

from miyabi.availability import LONGEST_LOOK, Proof, proved_at
from miyabi.figures import MEASURES, AgentTime, Availability, Measure, Series
from miyabi.history_tables import TABLES
from miyabi.records import DriftSeen, Observation, Recovered

if TYPE_CHECKING:
    from miyabi.history import History

# Rows that are held at a time: 90 days of 50 hosts are more than a million.
_BATCH = 2000


def usage_series(
    history: History, since: float, until: float, step: float, hosts: Collection[str] | None = None
) -> dict[tuple[str, Measure], Series]:
    """How each measure of each host went, by host and measure; one that was never measured is left out.

    + since, until: seconds since the epoch; ``until`` itself is not meant
    + step: seconds of a stretch; stretches begin at its multiples since the epoch, the first maybe before ``since``
    + hosts: None is all
    """

    def asked(connection: Connection) -> dict[tuple[str, Measure], Series]:
        found: dict[tuple[str, Measure], _Lines] = {}
        for host, stretch, *values in _streamed(connection, _usage(connection, since, until, step, hosts)):
            for place, measure in enumerate(MEASURES):
                count, low, mean, high = values[4 * place : 4 * place + 4]
                if count:
                    lines = found.setdefault((host, measure), _Lines())
                    lines.add(stretch * step, low, mean, high, count)
        return {
            (host, measure): Series(host, measure, step, lines.at, lines.low, lines.mean, lines.high, lines.count)
            for (host, measure), lines in found.items()
        }

    return history.ask(asked)


class _Lines:
    """A series that grows: in arrays, which need a quarter of the memory of lists."""

    def __init__(self) -> None:
        self.at, self.low, self.mean, self.high = (array("d") for _ in range(4))
        self.count = array("q")

    def add(self, at: float, low: float, mean: float, high: float, count: int) -> None:
        self.at.append(at)
        self.low.append(low)
        self.mean.append(mean)
        self.high.append(high)
        self.count.append(count)


def _usage(
    connection: Connection, since: float, until: float, step: float, hosts: Collection[str] | None
) -> Select[Any]:
    seen = TABLES[Observation].c
    stretch = _whole(connection, seen.at / literal_column(repr(float(step)), Double)).label("stretch")
    measured = [made(seen[measure]) for measure in MEASURES for made in (func.count, func.min, func.avg, func.max)]
    chosen = [] if hosts is None else [seen.host.in_(list(hosts))]
    return (
        select(seen.host, stretch, *measured)
        .where(seen.at >= since, seen.at < until, *chosen)
        .group_by(seen.host, stretch)
        .order_by(seen.host, stretch)
    )


def _whole(connection: Connection, number: ColumnElement[Any]) -> ColumnElement[Any]:
    """A positive number without what is behind its point; SQLite need not have ``floor``, PostgreSQL's cast rounds."""
    return func.floor(number) if connection.dialect.name == "postgresql" else cast(number, Integer)


def availability_of_hosts(history: History, since: float, until: float) -> dict[str, Availability]:
    """For how long each host that a run has looked at was up and down, by host (``miyabi.availability``).

    + since, until: seconds since the epoch; what looks hold beyond them does not count
    """

    def asked(connection: Connection) -> dict[str, Availability]:
        up: dict[str, float] = defaultdict(float)
        down: dict[str, float] = defaultdict(float)
        hosts = set()
        proofs = _proofs(connection, since, until)
        wrong = _wrong(connection, since, until)
        for host, health, run, begin, end, seconds in _streamed(connection, _held(since, until)):
            hosts.add(host)
            if health == "healthy":
                up[host] += seconds
            elif health == "unreachable":
                down[host] += seconds
            elif health == "drift":
                proved = proved_at(wrong.get((run, host), ()), proofs.get((run, host), ()))
                well = 0.0 if proved is None else end - min(max(proved, begin), end)
                up[host] += well
                down[host] += seconds - well
        span = max(until - since, 0.0)
        return {host: Availability(up[host], down[host], max(span - up[host] - down[host], 0.0)) for host in hosts}

    return history.ask(asked)


def _looks(since: float, until: float, *more: ColumnElement[Any]) -> CTE:
    """Every look that may hold within a time, with the moment of the next one at the same host."""
    seen = TABLES[Observation].c
    following = func.lead(seen.at).over(partition_by=seen.host, order_by=(seen.at, seen.id)).label("following")
    return (
        select(seen.id, seen.host, seen.run, seen.health, seen.at, *more, following)
        .where(seen.at > since - LONGEST_LOOK, seen.at < until)
        .cte("looks")
    )


def _bounds(looks: CTE, since: float, until: float) -> tuple[ColumnElement[float], ColumnElement[float]]:
    """When each look begins to hold, and when it ends."""
    begin = case((looks.c.at < since, since), else_=looks.c.at)
    longest = looks.c.at + LONGEST_LOOK
    last = case((longest > until, until), else_=longest)
    return begin, case((looks.c.following < last, looks.c.following), else_=last)


def _held(since: float, until: float) -> Select[Any]:
    """For how long looks held: those that found drift one by one, the others by host and health."""
    looks = _looks(since, until)
    begin, end = _bounds(looks, since, until)
    bounded = select(looks, begin.label("begins"), end.label("ends")).cte("bounded").c
    alone = case((bounded.health == "drift", bounded.id), else_=null()).label("alone")
    held = (
        select(bounded.host, bounded.health, bounded.run, bounded.begins, bounded.ends, alone)
        .where(bounded.ends > bounded.begins)
        .cte("held")
        .c
    )
    return select(
        held.host,
        held.health,
        func.min(held.run),
        func.min(held.begins),
        func.max(held.ends),
        func.sum(held.ends - held.begins),
    ).group_by(held.host, held.health, held.alone)


def _proofs(connection: Connection, since: float, until: float) -> dict[tuple[str, str], list[Proof]]:
    """What came of the tries of each run on each host, oldest first."""
    came = TABLES[Recovered].c
    query = (
        select(came.run, came.host, came.target, came.outcome, came.at)
        .where(*_about(came.at, since, until))
        .order_by(came.id)
    )
    found: dict[tuple[str, str], list[Proof]] = {}
    for run, host, target, outcome, at in _streamed(connection, query):
        found.setdefault((run, host), []).append(Proof(target, outcome == "restored", at))
    return found


def _wrong(connection: Connection, since: float, until: float) -> dict[tuple[str, str], list[str]]:
    """What was wrong on each host that a run has tried to bring back, by run and host."""
    drifts, came = TABLES[DriftSeen].c, TABLES[Recovered].c
    tried = select(came.run).where(*_about(came.at, since, until))
    query = select(drifts.run, drifts.host, drifts.target).where(drifts.run.in_(tried))
    found: dict[tuple[str, str], list[str]] = {}
    for run, host, target in _streamed(connection, query):
        found.setdefault((run, host), []).append(target)
    return found


def _about(at: ColumnElement[float], since: float, until: float) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """That something may be the outcome of a look that holds within a time."""
    return at > since - LONGEST_LOOK, at < until + LONGEST_LOOK


def agent_times(history: History, since: float, until: float) -> tuple[AgentTime, ...]:
    """For how long each agent was in each condition, by host and target; each look holds as it does for availability.

    + since, until: seconds since the epoch
    """

    def asked(connection: Connection) -> tuple[AgentTime, ...]:
        found: dict[tuple[str, str], dict[str, float]] = {}
        for host, agents, seconds in _streamed(connection, _agents(since, until)):
            for target, condition in json.loads(agents).items():
                conditions = found.setdefault((host, target), {})
                conditions[condition] = conditions.get(condition, 0.0) + seconds
        return tuple(AgentTime(host, target, seconds) for (host, target), seconds in sorted(found.items()))

    return history.ask(asked)


def _agents(since: float, until: float) -> Select[Any]:
    """For how long the agents of a host were in the same conditions."""
    looks = _looks(since, until, cast(TABLES[Observation].c.agents, Text).label("agents"))
    begin, end = _bounds(looks, since, until)
    bounded = select(looks, begin.label("begins"), end.label("ends")).cte("bounded").c
    return (
        select(bounded.host, bounded.agents, func.sum(bounded.ends - bounded.begins))
        .where(bounded.ends > bounded.begins, bounded.agents != "{}")
        .group_by(bounded.host, bounded.agents)
    )


def _streamed(connection: Connection, query: Select[Any]) -> Iterator[Any]:
    """The rows of a question, some at a time."""
    yield from connection.execute(query, execution_options={"yield_per": _BATCH})
