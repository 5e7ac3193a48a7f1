"""What the looks of the runs come to: how measures went, for how long hosts were up and agents worked. Pure."""

from __future__ import annotations

import json
from array import array
from collections import defaultdict
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Double,
    Integer,
    Select,
    Text,
    cast,
    func,
    literal_column,
    select,
)

from miyabi.availability import LONGEST_LOOK, Proof, proved_at
from miyabi.figures import MEASURES, AgentTime, Availability, Measure, Series
from miyabi.history_queries import MISSING
from miyabi.history_tables import TABLES
from miyabi.records import DriftSeen, Observation, Recovered

if TYPE_CHECKING:
    from miyabi.history import History

# Seconds from a look to what its run did last, or to its clock that was set back meanwhile.
_LONGEST_RUN = 3600.0
# Seconds of looks that are put together by one question: PostgreSQL gives none more than 10 seconds.
_PORTION = 7 * 86400.0
# Rows that are held at a time.
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
        for begin, end in _portions(connection, since, until, step):
            for host, stretch, *values in streamed(connection, _usage(connection, begin, end, step, hosts)):
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


def _portions(connection: Connection, since: float, until: float, step: float) -> Iterator[tuple[float, float]]:
    """The weeks of a time in which there are looks, as whole stretches: each is a question that is quickly answered."""
    at = TABLES[Observation].c.at
    within = (at >= since, at < until)
    first = connection.execute(select(func.min(at)).where(*within)).scalar()
    last = connection.execute(select(func.max(at)).where(*within)).scalar()
    if first is None or last is None:
        return
    span = step * max(_PORTION // step, 1)
    begin = since
    for number in range(int(first // span), int(last // span) + 1):
        end = min((number + 1) * span, until)
        yield begin, end
        begin = end


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

    That of two times that follow one another is the sum of theirs.

    + since, until: seconds since the epoch; what looks hold beyond them does not count
    """

    def asked(connection: Connection) -> dict[str, Availability]:
        up, down, asleep = (defaultdict[str, float](float) for _ in range(3))
        hosts = set()
        seen = TABLES[Observation].c
        proofs, wrong = _proofs(connection, since, until), _wrong(connection, since, until)
        new = _new(connection, since, until)
        for (host, _, health, run), begin, end in _held(connection, since, until, seen.health, seen.run):
            hosts.add(host)
            if health == "healthy":
                up[host] += end - begin
            elif health == "unreachable":
                down[host] += end - begin
            elif health == "asleep":
                asleep[host] += end - begin
            elif health == "drift":
                proved = proved_at(wrong.get((run, host), ()), proofs.get((run, host), ()))
                well_at = end if proved is None else min(max(proved, begin), end)
                if (run, host) not in new:
                    down[host] += well_at - begin
                up[host] += end - well_at
        span = until - since
        return {
            host: Availability(up[host], down[host], max(span - up[host] - down[host], 0.0), asleep[host])
            for host in hosts
        }

    return history.ask(asked)


def _held(
    connection: Connection, since: float, until: float, *columns: ColumnElement[Any]
) -> Iterator[tuple[Any, float, float]]:
    """Every look that held for some of a time: its host, its moment and its columns; and from when to when.

    They are gone through as they were taken, by the index of that: to sort them by host takes longer than that.
    """
    seen = TABLES[Observation].c
    query = (
        select(seen.host, seen.at, *columns)
        .where(seen.at > since - LONGEST_LOOK, seen.at < until)
        .order_by(seen.at, seen.id)
    )
    last: dict[str, Any] = {}
    for row in streamed(connection, query):
        host, at = row[0], row[1]
        before = last.get(host)
        if before is not None:
            begin, end = max(before[1], since), min(at, before[1] + LONGEST_LOOK)
            if end > begin:
                yield before, begin, end
        last[host] = row
    for row in last.values():
        begin, end = max(row[1], since), min(until, row[1] + LONGEST_LOOK)
        if end > begin:
            yield row, begin, end


def _proofs(connection: Connection, since: float, until: float) -> dict[tuple[str, str], list[Proof]]:
    """What came of the tries of each run on each host, oldest first."""
    came = TABLES[Recovered].c
    query = (
        select(came.run, came.host, came.target, came.outcome, came.at)
        # That typing into an agent's pane did not help says nothing of what is damaged.
        .where(*_about(came.at, since, until), came.does != "nudge")
        .order_by(came.id)
    )
    found: dict[tuple[str, str], list[Proof]] = {}
    for run, host, target, outcome, at in streamed(connection, query):
        found.setdefault((run, host), []).append(Proof(target, outcome == "restored", at))
    return found


def _wrong(connection: Connection, since: float, until: float) -> dict[tuple[str, str], list[str]]:
    """What was wrong on each host that a run has tried to bring back, by run and host."""
    drifts, came = TABLES[DriftSeen].c, TABLES[Recovered].c
    tried = select(came.run, came.host).where(*_about(came.at, since, until)).distinct().subquery().c
    query = select(drifts.run, drifts.host, drifts.target).where(drifts.run == tried.run, drifts.host == tried.host)
    found: dict[tuple[str, str], list[str]] = {}
    for run, host, target in streamed(connection, query):
        found.setdefault((run, host), []).append(target)
    return found


def _new(connection: Connection, since: float, until: float) -> set[tuple[str, str]]:
    """The looks at which nothing was wrong but that a host had never got it, by run and host: that was never up."""
    drifts = TABLES[DriftSeen].c
    query = (
        select(drifts.run, drifts.host)
        .where(drifts.at > since - LONGEST_LOOK - _LONGEST_RUN, drifts.at < until)
        .group_by(drifts.run, drifts.host)
        .having(func.min(drifts.cause) == MISSING, func.max(drifts.cause) == MISSING)
    )
    return {(run, host) for run, host in connection.execute(query)}


def _about(at: ColumnElement[float], since: float, until: float) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """That something may be the outcome of a look that holds within a time."""
    return at > since - LONGEST_LOOK - _LONGEST_RUN, at < until + _LONGEST_RUN


def agent_times(history: History, since: float, until: float) -> tuple[AgentTime, ...]:
    """For how long each agent was in each condition, by host and target; each look holds as it does for availability.

    + since, until: seconds since the epoch
    """

    def asked(connection: Connection) -> tuple[AgentTime, ...]:
        times = _AgentTimes()
        # As text: conditions that stay as they are need not be read again for each look.
        agents = cast(TABLES[Observation].c.agents, Text)
        for (host, _, told), begin, end in _held(connection, since, until, agents):
            times.add(host, told, end - begin)
        return times.made()

    return history.ask(asked)


class _AgentTimes:
    """The times of agents as they add up."""

    def __init__(self) -> None:
        self._lasting: dict[str, tuple[str, float]] = {}
        self._seconds: dict[tuple[str, str], dict[str, float]] = {}

    def add(self, host: str, told: str, seconds: float) -> None:
        """Add for how long a host's agents were as told."""
        before, so_far = self._lasting.get(host, (told, 0.0))
        if before == told:
            self._lasting[host] = told, so_far + seconds
        else:
            self._count(host, before, so_far)
            self._lasting[host] = told, seconds

    def made(self) -> tuple[AgentTime, ...]:
        """The times of each agent."""
        for host, (told, seconds) in self._lasting.items():
            self._count(host, told, seconds)
        self._lasting.clear()
        return tuple(AgentTime(*named, seconds) for named, seconds in sorted(self._seconds.items()))

    def _count(self, host: str, told: str, seconds: float) -> None:
        for target, condition in dict(json.loads(told)).items():
            conditions = self._seconds.setdefault((host, target), {})
            conditions[str(condition)] = conditions.get(str(condition), 0.0) + seconds


def streamed(connection: Connection, query: Select[Any]) -> Iterator[Any]:
    """The rows of a question, some at a time: 90 days of 50 hosts are more than a million."""
    yield from connection.execute(query, execution_options={"yield_per": _BATCH})
