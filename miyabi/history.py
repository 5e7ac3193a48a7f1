"""The history: what earlier runs saw, decided and did, in a database. Dear to import: only where it is asked.

SQLite in the memory's folder by default, PostgreSQL by URL. Whoever opens it takes the journal in. Every error is a
``HistoryError`` and comes in bounded time; what a run remembers stays in the journal until it can be taken in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from miyabi import history_leases as leases, history_queries as queries, history_retention as retention
from miyabi.errors import HistoryError
from miyabi.gate import TargetHistory
from miyabi.history_engine import (
    SCHEMA,
    Place,
    explained,
    inode_of,
    is_damaged,
    make_engine,
    place_of,
    set_aside,
    writing,
)
from miyabi.history_leases import Lease
from miyabi.history_migrations import MIGRATIONS, Migration, is_current, make_schema, step
from miyabi.history_tables import read_line
from miyabi.journal import SKIPPED, keep_skipped, taking
from miyabi.records import BreakerChanged, IncidentChanged, Observation, Record, RunEnded, RunStarted
from miyabi.subjects import is_subject

T = TypeVar("T")
R = TypeVar("R", bound=Record)

DAY = 86400.0
KEEP = 90 * DAY

# Seconds that a lease may last at most: one that ends later was taken by a clock that has been set back since.
LONGEST_LEASE = 1200.0

# Lines of the journal that are written together.
_BATCH = 1000


def open_history(
    folder: Path,
    url: str | None = None,
    *,
    now: float,
    keep: float = KEEP,
    migrations: Sequence[Migration] = MIGRATIONS,
) -> History:
    """Open the history, made or brought to today's schema if need be, with the journal taken in.

    + folder: of the memory
    + url: a database as SQLAlchemy names it; None is a SQLite file in ``folder``
    + now: seconds since the epoch
    + keep: seconds after which a record is removed

    Raises ``HistoryError`` with what is wrong and what to do; within a few seconds, whatever the database does.
    """
    history = History(folder, place_of(folder, url), now, migrations)
    try:
        history.take_in()
    except BaseException:
        history.close()
        raise
    try:
        history.prune_daily(now, keep)
    except HistoryError as error:
        # What is too old may stay another day.
        history.messages.append(str(error))
    return history


class History:
    """The open history; a context manager that closes it.

    + messages: what a human should know: a damaged file that was put aside, lines that could not be understood
    """

    def __init__(self, folder: Path, place: Place, now: float, migrations: Sequence[Migration] = MIGRATIONS) -> None:
        self.folder = folder
        self.place = place
        self.messages: list[str] = []
        self._now = now
        self._migrations = migrations
        self._engine = self._connect()
        try:
            self._guarded(self._prepare)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the database."""
        self._engine.dispose()

    def take_in(self) -> int:
        """Take the journal in; how many records of it were new."""
        new = 0
        try:
            while True:
                with taking(self.folder) as lines:
                    if lines is None:
                        return new
                    new += self._take(lines)
        except OSError as error:
            where = error.filename or self.folder
            raise HistoryError(f"{where}: the journal cannot be taken in: {error.strerror}; it stays") from None

    def write(self, records: Iterable[Record]) -> int:
        """Write records straight, without the journal; how many were new. One that is there already stays as it is."""
        wanted = list(records)
        return self._do(lambda connection: queries.insert(connection, wanted), writes=True)

    def target_histories(
        self, host: str, targets: Iterable[str], now: float, *, subjects: bool | None = None
    ) -> dict[str, TargetHistory]:
        """What the gate wants to know of some targets of a host, each with its newest 60 sightings and tries.

        + subjects: whether the targets are upkeep subjects; None is to tell it from how they are written
        """
        wanted = list(dict.fromkeys(targets))
        chosen = {
            kind: [each for each in wanted if (is_subject(each) if subjects is None else subjects) is kind]
            for kind in (False, True)
        }

        def asked(connection: Connection) -> dict[str, TargetHistory]:
            found: dict[str, TargetHistory] = {}
            for kind, some in chosen.items():
                if some:
                    found |= queries.target_histories(connection, host, some, now, subjects=kind)
            return found

        return self._do(asked)

    def breakers(self) -> dict[str, tuple[int, float | None]]:
        """How each circuit breaker stands: failures in a row, and when it opened; None is that it is closed."""
        newest = self._do(lambda connection: queries.newest_of_each(connection, BreakerChanged, "subject"))
        return {each.subject: (each.failures, each.opened_at) for each in newest}

    def open_incidents(self) -> tuple[IncidentChanged, ...]:
        """How each incident stands that is not closed; the one that changed last comes last."""
        return tuple(self._do(queries.open_incidents))

    def take_lease(
        self, host: str, holder: str, until: float, now: float, *, longest: float = LONGEST_LEASE
    ) -> tuple[str, float] | None:
        """Take or prolong the lease of a host; None when it is ours now, else who has it and until when.

        + longest: seconds; another's lease that ends later than that from now does not count, nor does a past one
        """
        return self._do(
            lambda connection: leases.take_lease(connection, Lease(host, holder, until), now, longest), writes=True
        )

    def release_lease(self, host: str, holder: str) -> None:
        """Give a lease back; one that another has by now stays."""
        self._do(lambda connection: leases.release_lease(connection, host, holder), writes=True)

    def leases(self, now: float, *, longest: float = LONGEST_LEASE) -> dict[str, tuple[str, float]]:
        """Who recovers which host, and until when."""
        return self._do(lambda connection: leases.leases(connection, now, longest))

    def records(  # noqa: PLR0913 - each is one way to narrow it down
        self,
        kind: type[R],
        *,
        since: float | None = None,
        until: float | None = None,
        host: str | None = None,
        target: str | None = None,
        run: str | None = None,
        limit: int | None = None,
    ) -> list[R]:
        """Records of one kind, the one that arrived last first; ``[]`` for a host of a kind that has none.

        + since, until: seconds since the epoch; ``until`` itself is not meant
        """
        wanted = {"host": host, "target": target, "run": run}
        return self._do(lambda connection: queries.records(connection, kind, wanted, (since, until), limit))

    def shares_by_cause(self, since: float, until: float) -> dict[str, int]:
        """How many failures each cause had, most first; one that several looks in a row have seen is one.

        What a host gets for the first time is no failure.
        """
        return self._do(lambda connection: queries.shares_by_cause(connection, since, until))

    def last_observations(self) -> dict[str, Observation]:
        """What was last seen of each host."""
        newest = self._do(lambda connection: queries.newest_of_each(connection, Observation, "host"))
        return {each.host: each for each in newest}

    def last_judged(self, host: str, but: str = "") -> Observation | None:
        """How a host was when a run could last judge it, however long ago; None when none could.

        + but: a run that does not count
        """
        return self._do(lambda connection: queries.last_judged(connection, host, but))

    def runs(self, limit: int | None = None) -> list[tuple[RunStarted, RunEnded | None]]:
        """The last runs, newest first, each with its end; None is that it was cut short, or still goes on."""
        return self._do(lambda connection: queries.runs(connection, limit))

    def ask(self, question: Callable[[Connection], T]) -> T:
        """The answer of a question of the caller's own, which only reads."""
        return self._do(question)

    def prune(self, now: float, keep: float = KEEP) -> int:
        """Remove what is older than ``keep`` seconds, but for what is still open; how many rows that were."""
        return self._do(lambda connection: retention.prune(connection, now - keep), writes=True)

    def prune_daily(self, now: float, keep: float = KEEP) -> int:
        """Prune, if that was not done for a day. A clock that has leapt ahead removes a week too much, never all."""
        return self._do(lambda connection: retention.prune_daily(connection, now, keep), writes=True)

    def _take(self, lines: Iterable[str]) -> int:
        new, strange = 0, []
        while batch := list(islice(lines, _BATCH)):
            told = [(line, *read_line(line)) for line in batch]
            strange += [line for line, _, is_whole in told if not is_whole]
            new += self.write(record for _, record, _ in told if record is not None)
        if strange:
            keep_skipped(self.folder, strange)
            self.messages.append(
                f"{len(strange)} lines of the journal are torn, or of another version, and were not wholly understood; "
                f"they are kept in {self.folder / SKIPPED}"
            )
        return new

    def _connect(self) -> Engine:
        engine = make_engine(self.place)
        self._inode = inode_of(self.place.file)
        return engine

    def _prepare(self) -> None:
        where = str(self.place)
        if self._once(lambda connection: is_current(connection, self._migrations, where)):
            return
        self._once(lambda connection: make_schema(connection, SCHEMA), writes=True)
        while self._once(lambda connection: step(connection, self._migrations, where), writes=True):
            pass

    def _begin_anew(self) -> None:
        """Put a damaged file aside and begin a new one."""
        self._engine.dispose()
        if self.place.file is not None:
            broken = set_aside(self.place.file, self._now, self._inode)
            if broken is not None:
                self.messages.append(
                    f"{self.place.file}: the history was damaged; it is now {broken}, and a new one begins"
                )
        self._engine = self._connect()
        self._prepare()

    def _do(self, work: Callable[[Connection], T], *, writes: bool = False) -> T:
        return self._guarded(lambda: self._once(work, writes=writes))

    def _once(self, work: Callable[[Connection], T], *, writes: bool = False) -> T:
        engine = writing(self._engine) if writes else self._engine
        with engine.begin() as connection:
            return work(connection)

    def _guarded(self, action: Callable[[], T]) -> T:
        """The answer of ``action``; a file that turns out to be damaged is put aside, and it is tried once more."""
        try:
            try:
                return action()
            except DBAPIError as error:
                if not is_damaged(error, self.place):
                    raise
            self._begin_anew()
            return action()
        except SQLAlchemyError as error:
            raise explained(error, self.place) from None
        except (ValueError, TypeError) as error:
            raise HistoryError(f"{self.place}: what is in it makes no sense ({error}); move it away") from None
