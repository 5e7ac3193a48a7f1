"""What the recoveries come to: how well and how fast each level repairs, and what works against what. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil
from statistics import median
from typing import TYPE_CHECKING, Any, Literal

from sqlalchemy import Connection, Select, select

from miyabi.figures import Deed, Learned, LevelFigures
from miyabi.history_look_figures import streamed
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


@dataclass(frozen=True, slots=True)
class Done:
    """A deed, and what belongs it to an incident.

    + until: when it was said last, for what was held again and again; else when it was
    + run: that did it, or said it last
    """

    deed: Deed
    until: float
    run: str


def deeds(history: History, since: float, until: float, limit: int | None = None) -> tuple[Deed, ...]:
    """What was tried and held, newest first; the same hold again and again is one, at the moment it began.

    + since, until: seconds since the epoch; ``until`` itself is not meant
    + limit: how many; None is all
    """
    done = history.ask(lambda connection: (*repairs(connection, since, until), *holds(connection, since, until)))
    return tuple(each.deed for each in sorted(done, key=lambda each: each.deed.at, reverse=True)[:limit])


def repairs(connection: Connection, since: float, until: float) -> Iterator[Done]:
    """What came of tries, in the order in which they arrived."""
    came = TABLES[Recovered].c
    query = (
        select(
            came.at, came.host, came.target, came.level, came.outcome, came.reason, came.cause, came.seconds, came.run
        )
        .where(came.at >= since, came.at < until)
        .order_by(came.id)
    )
    for at, host, target, level, outcome, reason, cause, seconds, run in streamed(connection, query):
        what: Literal["restored", "failed"] = "restored" if outcome == "restored" else "failed"
        deed = Deed(at, host, target, level, what, reason, cause, seconds if seconds >= 0 else None)
        yield Done(deed, at, run)


def holds(connection: Connection, since: float, until: float) -> Iterator[Done]:
    """What the gate held.

    One hold is what the same rule says of the same target and level, until something is tried there, or it is not said
    for ``SAME_HOLD`` seconds.
    """
    said = TABLES[Decided].c
    query = (
        select(said.at, said.run, said.host, said.target, said.allowed, said.level, said.rule, said.reason, said.cause)
        .where(said.at >= since, said.at < until)
        .order_by(said.id)
    )
    lasting: dict[tuple[str, str], dict[tuple[str, str], _Hold]] = defaultdict(dict)
    for at, run, host, target, allowed, level, rule, reason, cause in streamed(connection, query):
        here = lasting[host, target]
        if allowed:
            yield from (each.done() for each in here.values())
            here.clear()
            continue
        before = here.get((level, rule))
        if before is not None and at - before.until <= SAME_HOLD:
            before.until, before.run = at, run
            continue
        if before is not None:
            yield before.done()
        words = f"{rule}: {reason}" if reason else rule
        here[level, rule] = _Hold(Deed(at, host, target, level, "held", words, cause), at, run)
    for here in lasting.values():
        yield from (each.done() for each in here.values())


@dataclass(slots=True)
class _Hold:
    """A hold that may go on."""

    deed: Deed
    until: float
    run: str

    def done(self) -> Done:
        return Done(self.deed, self.until, self.run)
