"""What the history is asked: one function for each question, on a connection. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Connection, Select, Table, and_, func, or_, select

from miyabi.gate import ACTING, TargetHistory, Try
from miyabi.history_tables import TABLES, inserting, record_of, row_of
from miyabi.levels import Level
from miyabi.records import (
    Decided,
    DriftSeen,
    IncidentChanged,
    Observation,
    Record,
    Recovered,
    RunEnded,
    RunStarted,
    Signalled,
)
from miyabi.subjects import INSTANCE

R = TypeVar("R", bound=Record)

# How much of a target's past is told: the gate looks at 21 sightings, and at the tries of an incident.
NEWEST = 60
# Seconds. What is older says nothing about today.
LOOK_BACK = 30 * 86400.0

# The signal of a human who lets a target through.
RESUME = "resume"
# What counts as a try: what ends or starts something.
_TRIES = tuple(sorted(ACTING))
# A thing that has not got its name yet is not damaged.
_UNDAMAGED = "unmarked"
_JUDGED = ("healthy", "drift")
# That a host is not reached says nothing of what is on it, but something of the instance that it is.
_OF_INSTANCE = (*_JUDGED, "unreachable")
# More names than this are not put into a question.
_MANY = 500

# The cause of what a host, which was never seen before, does not have.
MISSING = "missing"


def insert(connection: Connection, records: Iterable[Record]) -> int:
    """Write records; those that are there already stay as they are. How many were new."""
    new = 0
    rows: dict[type[Record], list[dict[str, Any]]] = {}
    for record in records:
        row = row_of(record)
        if row is not None:
            rows.setdefault(type(record), []).append(row)
    for kind, some in rows.items():
        statement = inserting(connection)(TABLES[kind]).on_conflict_do_nothing(index_elements=["event"])
        done = connection.execute(statement, some, execution_options={"preserve_rowcount": True})
        new += max(done.rowcount, 0)
    return new


def target_histories(
    connection: Connection, host: str, targets: Collection[str], now: float, *, subjects: bool
) -> dict[str, TargetHistory]:
    """The sightings and tries of some targets of a host.

    + subjects: whether they are upkeep subjects
    """
    seen = TABLES[Observation].c
    judged = (seen.health.in_(_JUDGED), seen.upkeep if subjects else seen.fleet)
    common = _looks(connection, host, now, *judged)
    own = {INSTANCE: _looks(connection, host, now, seen.health.in_(_OF_INSTANCE))} if INSTANCE in targets else {}
    damaged = _damaged(connection, host, {run for looks in (common, *own.values()) for run, _ in looks}, targets)
    tries = _tries(connection, host, targets, now)
    resumed = _resumed(connection, host, now)
    found = {}
    for target in targets:
        scopes = _scopes(target, subjects=subjects)
        looks = own.get(target, common) if subjects else common
        sightings = tuple((at, any((run, scope) in damaged for scope in scopes)) for run, at in looks)
        # What was let through last for the fleet, the host, or anything that the target is in.
        resumed_at = next((at for named, at in resumed if named in {"", *scopes}), None)
        found[target] = TargetHistory(sightings, tuple(tries.get(target, ())), resumed_at)
    return found


def _looks(connection: Connection, host: str, now: float, *judged: ColumnElement[bool]) -> Sequence[tuple[str, float]]:
    """The runs that judged a host, and when they looked; oldest first."""
    seen = TABLES[Observation].c
    query = (
        select(seen.run, seen.at)
        .where(seen.host == host, *judged, seen.at > now - LOOK_BACK)
        .order_by(seen.id.desc())
        .limit(NEWEST)
    )
    return [(run, at) for run, at in reversed(connection.execute(query).all())]


def _damaged(connection: Connection, host: str, runs: set[str], targets: Collection[str]) -> set[tuple[str, str]]:
    drifts = TABLES[DriftSeen].c
    query = select(drifts.run, drifts.target).where(
        drifts.host == host,
        drifts.run.in_(runs),
        drifts.kind != _UNDAMAGED,
        *_among(drifts.target, _with_scopes(targets)),
    )
    return {(run, target) for run, target in connection.execute(query)}


def _with_scopes(targets: Iterable[str]) -> set[str]:
    return {scope for target in targets for scope in _scopes(target, subjects=False)} | set(targets)


def _among(column: ColumnElement[str], names: Collection[str]) -> list[ColumnElement[bool]]:
    return [column.in_(names)] if len(names) <= _MANY else []


def _scopes(target: str, *, subjects: bool) -> tuple[str, ...]:
    """A target, and what it is in: a pane of a window that is missing is not there."""
    session, colon, rest = target.partition(":")
    if subjects or not colon:
        return (target,)
    # tmux allows no colon and no dot in the name of a session; a window's may have dots.
    dots = [index for index, letter in enumerate(rest) if letter == "."]
    return (target, session, *(f"{session}:{rest[:index]}" for index in dots))


def _tries(connection: Connection, host: str, targets: Collection[str], now: float) -> dict[str, list[Try]]:
    decisions, recoveries = TABLES[Decided].c, TABLES[Recovered].c
    outcome = (
        select(recoveries.outcome)
        .where(
            recoveries.run == decisions.run,
            recoveries.host == decisions.host,
            recoveries.target == decisions.target,
            recoveries.level == decisions.level,
            # Of the remedies that L4 tries one after the other each has an outcome of its own.
            or_(decisions.level != Level.L4.name, recoveries.does == decisions.does),
        )
        .order_by(recoveries.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    newest = (
        select(
            decisions.id,
            func.row_number().over(partition_by=decisions.target, order_by=decisions.id.desc()).label("place"),
        )
        .where(
            decisions.host == host,
            decisions.allowed,
            decisions.does.in_(_TRIES),
            # What is made on a host for the first time is no try to repair it.
            decisions.cause != MISSING,
            decisions.at > now - LOOK_BACK,
            *_among(decisions.target, targets),
        )
        .subquery()
    )
    query = (
        select(decisions.target, decisions.at, decisions.level, decisions.does, decisions.run, outcome)
        .where(decisions.id.in_(select(newest.c.id).where(newest.c.place <= NEWEST)))
        .order_by(decisions.id)
    )
    found: dict[str, list[Try]] = {}
    noticed: dict[str, float | None] = {}
    for target, at, level, does, run, came in connection.execute(query).all():
        moment = at
        if at > now:
            if run not in noticed:
                noticed[run] = _first_look_after(connection, host, run, now)
            moment = at if noticed[run] is None else noticed[run]
        restored = None if came is None else came == "restored"
        found.setdefault(target, []).append(Try(moment, Level.__members__.get(level), restored, does))
    return found


def _first_look_after(connection: Connection, host: str, run: str, now: float) -> float | None:
    """When a host was first looked at after a run whose clock was ahead of ours; None when it was not.

    The clock was set back by then at the latest, and that moment stays the same however often it is looked at.
    """
    seen = TABLES[Observation].c
    own = select(func.max(seen.id)).where(seen.host == host, seen.run == run).scalar_subquery()
    query = select(seen.at).where(seen.host == host, seen.id > own, seen.at <= now).order_by(seen.id).limit(1)
    at: float | None = connection.execute(query).scalar()
    return at


def _resumed(connection: Connection, host: str, now: float) -> Sequence[tuple[str, float]]:
    """What people have let through on a host, or on all, and when; the last one first."""
    signals = TABLES[Signalled].c
    query = (
        select(signals.target, signals.at)
        .where(signals.host.in_(["", host]), signals.signal == RESUME, signals.at > now - LOOK_BACK)
        .order_by(signals.id.desc())
    )
    return [(target, at) for target, at in connection.execute(query)]


def records(
    connection: Connection,
    kind: type[R],
    conditions: Mapping[str, str | None],
    between: tuple[float | None, float | None],
    limit: int | None,
) -> list[R]:
    """Records of one kind, the last that arrived first; ``[]`` when the kind has no such column."""
    columns = TABLES[kind].c
    wanted = {name: value for name, value in conditions.items() if value is not None}
    if not wanted.keys() <= set(columns.keys()):
        return []
    query = select(TABLES[kind]).where(*(columns[name] == value for name, value in wanted.items()))
    since, until = between
    if since is not None:
        query = query.where(columns.at >= since)
    if until is not None:
        query = query.where(columns.at < until)
    found = connection.execute(query.order_by(columns.id.desc()).limit(limit)).mappings()
    return [record_of(kind, row) for row in found]


def last_judged(connection: Connection, host: str, but: str) -> Observation | None:
    """The last look of a host that could tell how it is, but for one run's own."""
    table = TABLES[Observation]
    wanted = (table.c.host == host, table.c.health.in_(_JUDGED), table.c.run != but)
    row = connection.execute(select(table).where(*wanted).order_by(table.c.id.desc()).limit(1)).mappings().first()
    return None if row is None else record_of(Observation, row)


def newest_of_each(connection: Connection, kind: type[R], name: str, *conditions: ColumnElement[bool]) -> list[R]:
    """The last record of each value of a column, oldest first."""
    table = TABLES[kind]
    query = select(table).where(table.c.id.in_(last_of_each(table, name)), *conditions).order_by(table.c.id)
    return [record_of(kind, row) for row in connection.execute(query).mappings()]


def last_of_each(table: Table, name: str) -> Select[tuple[int]]:
    """The ids of the last record of each value of a column."""
    return select(func.max(table.c.id)).group_by(table.c[name])


def open_incidents(connection: Connection) -> list[IncidentChanged]:
    """How each incident stands that is not closed, the oldest first."""
    return newest_of_each(connection, IncidentChanged, "incident", TABLES[IncidentChanged].c.change != "closed")


def runs(connection: Connection, limit: int | None) -> list[tuple[RunStarted, RunEnded | None]]:
    """The last runs, newest first, each with its end; None is that it was cut short, or still goes on."""
    begun = records(connection, RunStarted, {}, (None, None), limit)
    ends = TABLES[RunEnded]
    query = select(ends).where(ends.c.run.in_([each.run for each in begun])).order_by(ends.c.id)
    ended = {row["run"]: record_of(RunEnded, row) for row in connection.execute(query).mappings()}
    return [(each, ended.get(each.run)) for each in begun]


def shares_by_cause(connection: Connection, since: float, until: float) -> dict[str, int]:
    """How many failures each cause had, most first; one that several looks in a row have seen is one.

    What a host gets for the first time is no failure.
    """
    drifts, seen = TABLES[DriftSeen].c, TABLES[Observation].c
    judged = (seen.health.in_(_JUDGED), seen.at >= since, seen.at < until)
    looks = select(seen.id, seen.run, seen.host).where(*judged).subquery()
    same = (drifts.host, drifts.target, drifts.cause)
    spotted = (
        select(
            drifts.host,
            drifts.cause,
            looks.c.id.label("look"),
            func.lag(looks.c.id).over(partition_by=same, order_by=drifts.id).label("before"),
        )
        .join_from(TABLES[DriftSeen], looks, and_(looks.c.run == drifts.run, looks.c.host == drifts.host), isouter=True)
        .where(drifts.at >= since, drifts.at < until, drifts.kind != _UNDAMAGED, drifts.cause != MISSING)
        .subquery()
    )
    # That a look between the two has not seen it is asked for each of them: to count all looks takes far longer.
    between = (seen.host == spotted.c.host, seen.id > spotted.c.before, seen.id < spotted.c.look)
    was_well = select(seen.id).where(*judged, *between).exists()
    failures = func.count().label("failures")
    query = (
        select(spotted.c.cause, failures)
        .where(or_(spotted.c.before.is_(None), was_well))
        .group_by(spotted.c.cause)
        .order_by(failures.desc(), spotted.c.cause)
    )
    return {row.cause: row.failures for row in connection.execute(query)}
