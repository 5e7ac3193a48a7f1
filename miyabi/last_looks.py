"""The last look at each host, and since when it stands so: read once, then kept up with what is new. Pure.

Looks of a host are taken in the order of their arrival. What follows a look is known when the next one comes: whether
its run has repaired what it found decides since when the host stands as it does.
"""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median
from typing import TypeVar

from sqlalchemy import Connection, exists, select

from miyabi.history_queries import last_of_each
from miyabi.history_tables import TABLES, record_of
from miyabi.overview import LastLook, left, stands
from miyabi.records import Decided, DriftSeen, Observation, Record, Recovered
from miyabi.run_outcome import Ran

R = TypeVar("R", bound=Record)

_JUDGED = ("healthy", "drift")
# Looks by which the usual time between two is told.
_LOOKS = 21
# Looks that are read back at most to tell since when a host is damaged.
_BACK = 1000
# Names that are put into one question.
_MANY = 500


@dataclass(slots=True)
class _Kept:
    """A host's last look, and what those before it have left.

    + since: since when looks find the same
    + damaged: what was wrong before, since when
    + moments: of the last looks
    """

    seen: Observation
    since: float
    damaged: Mapping[str, float] = field(default_factory=dict)
    moments: array[float] = field(default_factory=lambda: array("d"))
    ran: Ran = field(default_factory=Ran)

    def look(self) -> LastLook:
        damaged = {each.target: self.damaged.get(each.target, each.at) for each in self.ran.drifts}
        return LastLook(self.seen.host, self.seen, self.ran, self.since, self._gap(), damaged)

    def _gap(self) -> float | None:
        """The usual seconds between two looks; clocks that are set back say nothing of it."""
        gaps = [later - earlier for earlier, later in pairwise(self.moments) if later > earlier]
        return median(gaps) if gaps else None


class LastLooks:
    """The last look at each host of the history."""

    def __init__(self) -> None:
        self._kept: dict[str, _Kept] = {}

    def looks(self) -> list[LastLook]:
        """All of them."""
        return [each.look() for each in self._kept.values()]

    def load(self, connection: Connection) -> None:
        """Read everything anew."""
        table = TABLES[Observation]
        query = select(table).where(table.c.id.in_(last_of_each(table, "host"))).order_by(table.c.id)
        rows = connection.execute(query).mappings().all()
        newest = [record_of(Observation, row) for row in rows]
        ran = _ran_of(connection, {each.run for each in newest})
        self._kept = {}
        for row, seen in zip(rows, newest, strict=True):
            since = _same_since(connection, seen, row["id"])
            here = ran.get((seen.run, seen.host), Ran())
            damaged = {each: _damaged_since(connection, seen, row["id"], each) for each in _targets(here)}
            moments = _moments(connection, seen.host)
            self._kept[seen.host] = _Kept(
                seen, since, {name: at for name, at in damaged.items() if at is not None}, moments, here
            )

    def take(self, connection: Connection, looks: Collection[Observation], touched: Collection[str]) -> None:
        """Keep up with what is new.

        + looks: new ones, in the order of their arrival
        + touched: runs that have written down something else
        """
        runs = {each.run for each in looks} | {
            kept.seen.run for kept in self._kept.values() if kept.seen.run in touched or looks
        }
        ran = _ran_of(connection, runs)
        for kept in self._kept.values():
            kept.ran = ran.get((kept.seen.run, kept.seen.host), kept.ran)
        for each in looks:
            self._take_one(each, ran.get((each.run, each.host), Ran()))

    def _take_one(self, seen: Observation, ran: Ran) -> None:
        before = self._kept.get(seen.host)
        if before is None:
            self._kept[seen.host] = _Kept(seen, seen.at, {}, array("d", [seen.at]), ran)
            return
        look = before.look()
        health, since = stands(look)
        damaged = {each.target: look.damaged_since[each.target] for each in left(look)}
        if before.seen.health not in _JUDGED:
            # What nobody could tell is still as it was.
            damaged = {**before.damaged, **damaged}
        before.moments.append(seen.at)
        del before.moments[:-_LOOKS]
        before.damaged = damaged
        before.since = since if health == seen.health else seen.at
        before.seen, before.ran = seen, ran


def _targets(ran: Ran) -> set[str]:
    return {each.target for each in ran.drifts}


def _ran_of(connection: Connection, runs: Collection[str]) -> dict[tuple[str, str], Ran]:
    """What runs have written down of each host, by run and host."""
    drifts, decisions, recoveries = (
        _of_runs(connection, DriftSeen, runs),
        _of_runs(connection, Decided, runs),
        _of_runs(connection, Recovered, runs),
    )
    return {
        key: Ran((), drifts.get(key, ()), decisions.get(key, ()), recoveries.get(key, ()))
        for key in {*drifts, *decisions, *recoveries}
    }


def _of_runs(connection: Connection, kind: type[R], runs: Collection[str]) -> dict[tuple[str, str], list[R]]:
    table = TABLES[kind]
    names = sorted(runs)
    found: dict[tuple[str, str], list[R]] = defaultdict(list)
    for start in range(0, len(names), _MANY):
        query = select(table).where(table.c.run.in_(names[start : start + _MANY])).order_by(table.c.id)
        for row in connection.execute(query).mappings():
            found[row["run"], row["host"]].append(record_of(kind, row))
    return found


def _moments(connection: Connection, host: str) -> array[float]:
    seen = TABLES[Observation].c
    query = select(seen.at).where(seen.host == host).order_by(seen.id.desc()).limit(_LOOKS)
    return array("d", reversed(connection.execute(query).scalars().all()))


def _same_since(connection: Connection, seen: Observation, newest: int) -> float:
    """Since when looks find what the last one has found."""
    table = TABLES[Observation]
    columns = table.c
    other = (
        select(table)
        .where(columns.host == seen.host, columns.health != seen.health, columns.id < newest)
        .order_by(columns.id.desc())
        .limit(1)
    )
    row = connection.execute(other).mappings().first()
    ends = 0 if row is None else row["id"]
    first = select(columns.at).where(columns.host == seen.host, columns.id > ends).order_by(columns.id).limit(1)
    since: float = connection.execute(first).scalar() or seen.at
    if seen.health == "healthy" and row is not None:
        before = record_of(Observation, row)
        health, at = stands(_look_at(connection, before))
        return at if health == "healthy" else since
    return _drifted_since(connection, seen, newest, ends, since) if seen.health == "drift" else since


def _drifted_since(connection: Connection, seen: Observation, newest: int, ends: int, since: float) -> float:
    """Since when a host is damaged: a run that has repaired all of it ends that, although the next found more."""
    table = TABLES[Observation]
    restored = TABLES[Recovered].c
    is_repaired = exists().where(
        restored.run == table.c.run, restored.host == seen.host, restored.outcome == "restored"
    )
    query = (
        select(table)
        .where(table.c.host == seen.host, table.c.id < newest, table.c.id > ends, is_repaired)
        .order_by(table.c.id.desc())
        .limit(_BACK)
    )
    for row in connection.execute(query).mappings().all():
        if stands(_look_at(connection, record_of(Observation, row)))[0] == "healthy":
            after = select(table.c.at).where(table.c.host == seen.host, table.c.id > row["id"]).order_by(table.c.id)
            at: float = connection.execute(after.limit(1)).scalar() or since
            return at
    return since


def _look_at(connection: Connection, seen: Observation) -> LastLook:
    ran = _ran_of(connection, {seen.run}).get((seen.run, seen.host), Ran())
    return LastLook(seen.host, seen, ran)


def _damaged_since(connection: Connection, seen: Observation, newest: int, target: str) -> float | None:
    """Since when every look that could judge has found a target damaged; None when it is so only now."""
    table, drifts, restored = TABLES[Observation], TABLES[DriftSeen].c, TABLES[Recovered].c
    is_damaged = exists().where(drifts.run == table.c.run, drifts.host == seen.host, drifts.target == target)
    came_back = exists().where(
        restored.run == table.c.run,
        restored.host == seen.host,
        restored.target == target,
        restored.outcome == "restored",
    )
    here = (table.c.host == seen.host, table.c.id < newest, table.c.health.in_(_JUDGED))
    well = select(table.c.id).where(*here, ~is_damaged | came_back).order_by(table.c.id.desc()).limit(1)
    after = connection.execute(well).scalar() or 0
    query = select(table.c.at).where(*here, table.c.id > after, is_damaged).order_by(table.c.id).limit(1)
    at: float | None = connection.execute(query).scalar()
    return at
