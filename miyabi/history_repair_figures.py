"""What the recoveries come to: how well and how fast each level repairs, and what works against what. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from math import ceil
from statistics import median
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Select, case, func, or_, select

from miyabi.figures import Deed, Learned, LevelFigures
from miyabi.history_queries import MISSING
from miyabi.history_tables import TABLES
from miyabi.levels import DEFAULT_BUDGETS, Level
from miyabi.records import UPKEEP, Decided, DriftSeen, Recovered
from miyabi.subjects import INSTANCE

if TYPE_CHECKING:
    from miyabi.history import History

# In this order they are told.
_LEVELS = (*(level.name for level in Level), UPKEEP)

# Seconds: a hold that was not said again for so long is another one when it is.
SAME_HOLD = 6 * 3600.0


def level_figures(history: History, since: float, until: float) -> tuple[LevelFigures, ...]:
    """How the tries of each level went, L1 to L4 and upkeep; a level without one is left out.

    What a host is given for the first time is no try. A clock that was set back during a try has measured nothing: it
    counts, without a time.

    + since, until: seconds since the epoch; ``until`` itself is not meant
    """
    came = TABLES[Recovered].c
    query = select(came.level, came.outcome, came.first_try, came.seconds).where(
        came.at >= since, came.at < until, came.cause != MISSING
    )
    rows = history.ask(lambda connection: connection.execute(query).all())
    tries: dict[str, list[Any]] = {level: [] for level in _LEVELS}
    for row in rows:
        tries.setdefault(row.level, []).append(row)
    return tuple(_of_level(level, some) for level, some in tries.items() if some)


def _of_level(level: str, tries: Sequence[Any]) -> LevelFigures:
    budget = DEFAULT_BUDGETS[Level[level]] if level in Level.__members__ else None
    restored = [each for each in tries if each.outcome == "restored"]
    times = sorted(each.seconds for each in restored if each.seconds >= 0)
    return LevelFigures(
        level,
        budget,
        tries=len(tries),
        restored=len(restored),
        failed=len(tries) - len(restored),
        first_try=sum(each.first_try for each in restored),
        within=len(restored) if budget is None else sum(each <= budget for each in times),
        median=median(times) if times else None,
        slowest_tenth=nearest_rank(times, 90) if times else None,
        longest=times[-1] if times else None,
    )


def nearest_rank(ordered: Sequence[float], percent: float) -> float:
    """The smallest value that so many percent of them do not exceed.

    + ordered: at least one, the smallest first
    """
    return ordered[max(ceil(len(ordered) * percent / 100), 1) - 1]


def learned(history: History, since: float, until: float) -> tuple[Learned, ...]:
    """What came of each level against each kind of damage with each cause; what was tried most comes first.

    What a run repaired without having seen it at its first look is of the kind ``unknown``, an instance ``instance``.

    + since, until: seconds since the epoch; ``until`` itself is not meant
    """
    rows = history.ask(lambda connection: connection.execute(_tries_with_kinds(since, until)).all())
    tries: dict[tuple[str, str, str], list[Any]] = defaultdict(list)
    for row in rows:
        kind = row.kind or ("instance" if row.target == INSTANCE else "unknown")
        tries[kind, row.cause, row.level].append(row)
    found = [_of_tries(*names, some) for names, some in tries.items()]
    return tuple(sorted(found, key=lambda each: (-each.tries, each.kind, each.cause, each.level)))


def _of_tries(kind: str, cause: str, level: str, tries: Sequence[Any]) -> Learned:
    restored = [each for each in tries if each.outcome == "restored"]
    times = [each.seconds for each in restored if each.seconds >= 0]
    return Learned(kind, cause, level, len(tries), len(restored), median(times) if times else None)


def _tries_with_kinds(since: float, until: float) -> Select[Any]:
    """Each try, with the kind of what it was for as its run saw it first."""
    came, drifts = TABLES[Recovered].c, TABLES[DriftSeen].c
    kind = (
        select(drifts.kind)
        .where(drifts.run == came.run, drifts.host == came.host, drifts.target == came.target)
        .order_by(drifts.id)
        .limit(1)
        .scalar_subquery()
    )
    return select(came.target, came.cause, came.level, came.outcome, came.seconds, kind.label("kind")).where(
        came.at >= since, came.at < until, came.cause != MISSING
    )


def deeds(history: History, since: float, until: float, limit: int | None = None) -> tuple[Deed, ...]:
    """What was tried and held, newest first; the same hold again and again is one, at the moment it began.

    + since, until: seconds since the epoch; ``until`` itself is not meant
    + limit: how many; None is all
    """

    def asked(connection: Connection) -> tuple[Deed, ...]:
        done = [
            deed for deed, _ in (*repairs(connection, since, until, limit), *holds(connection, since, until, limit))
        ]
        return tuple(sorted(done, key=lambda each: each.at, reverse=True)[:limit])

    return history.ask(asked)


def repairs(connection: Connection, since: float, until: float, limit: int | None = None) -> Iterable[tuple[Deed, str]]:
    """What came of tries, each with its run, the last first."""
    came = TABLES[Recovered].c
    query = (
        select(
            came.at, came.host, came.target, came.level, came.outcome, came.reason, came.cause, came.seconds, came.run
        )
        .where(came.at >= since, came.at < until)
        .order_by(came.at.desc(), came.id.desc())
        .limit(limit)
    )
    for *values, run in connection.execute(query):
        yield Deed(*values), run


def holds(connection: Connection, since: float, until: float, limit: int | None = None) -> Iterable[tuple[Deed, str]]:
    """What the gate held, each with the run that was held first, the last first.

    One hold is what the same rule says of the same level and target, until something is tried there, or it is not said
    for ``SAME_HOLD`` seconds.
    """
    said = TABLES[Decided].c
    tries = func.sum(case((said.allowed, 1), else_=0)).over(
        partition_by=(said.host, said.target), order_by=said.id, rows=(None, 0)
    )
    told = (
        select(said.id, said.at, said.run, said.host, said.target, said.level, said.rule, said.reason, said.cause)
        .add_columns(said.allowed, tries.label("tries"))
        .where(said.at >= since, said.at < until)
        .cte("told")
    )
    before = func.lag(told.c.at).over(
        partition_by=(told.c.host, told.c.target, told.c.level, told.c.rule, told.c.tries), order_by=told.c.id
    )
    held = select(*told.c, before.label("before")).where(~told.c.allowed).cte("held").c
    query = (
        select(held.at, held.host, held.target, held.level, held.rule, held.reason, held.cause, held.run)
        .where(or_(held.before.is_(None), held.at > held.before + SAME_HOLD))
        .order_by(held.at.desc(), held.id.desc())
        .limit(limit)
    )
    for at, host, target, level, rule, reason, cause, run in connection.execute(query):
        yield Deed(at, host, target, level, "held", f"{rule}: {reason}" if reason else rule, cause), run
