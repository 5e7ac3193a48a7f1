"""The way to the history's database: SQLite in a file, or PostgreSQL; bounded in time, readable by its owner alone.

Every error of a database becomes a ``HistoryError`` that says what was wrong, where, and what to do.
"""

from __future__ import annotations

import os
import re
import sqlite3
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, QueuePool, create_engine, event, make_url
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from typing_extensions import override

from miyabi.errors import HistoryError
from miyabi.file_lock import alone
from miyabi.journal import make_folder

DATABASE = "history.db"

# PostgreSQL's tables are in a schema of their own: a database may be shared.
SCHEMA = "miyabi"

# Seconds: to wait for another process that writes, to connect, and for an answer.
_PATIENCE = 2
_ANSWER = 10

# What a file of SQLite's has beside it.
_BESIDE = ("", "-wal", "-shm")

_WRITES = "miyabi_writes"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a history is.

    + file: of a SQLite history; None is PostgreSQL
    """

    url: URL
    file: Path | None

    @override
    def __str__(self) -> str:
        if self.file is not None:
            return str(self.file)
        port = f":{self.url.port}" if self.url.port else ""
        return f"PostgreSQL {self.url.host or 'on this machine'}{port}/{self.url.database or ''}"


def place_of(folder: Path, url: str | None) -> Place:
    """Where the history is that ``url`` names; without one it is a file in ``folder``.

    Raises ``HistoryError`` when that is no database that can be used.
    """
    if url is None:
        return Place(URL.create("sqlite", database=str(folder / DATABASE)), folder / DATABASE)
    try:
        # As others than SQLAlchemy write it.
        made = make_url(re.sub(r"^postgres://", "postgresql://", url))
    except (SQLAlchemyError, ValueError):
        # It may hold a password: it is not shown.
        raise HistoryError(f"the history's url is none; {_ALLOWED}") from None
    backend = made.get_backend_name()
    if backend == "postgresql":
        return Place(made.set(drivername="postgresql+psycopg"), None)
    if backend != "sqlite" or not made.database or made.database == ":memory:" or "uri" in made.query:
        raise HistoryError(f"the history cannot be kept in {made.drivername} {made.database or ''}; {_ALLOWED}")
    return Place(URL.create("sqlite", database=made.database), Path(made.database))


_ALLOWED = (
    "allowed: sqlite:////PATH/history.db or postgresql://USER:PASSWORD@HOST/DATABASE (`history: {url: ...}` in "
    "inventory/fleet.yaml), or none, for a file in the memory's folder"
)


def make_engine(place: Place) -> Engine:
    """The way to a database; nothing is connected yet. Raises ``HistoryError`` when it cannot be used."""
    if place.file is not None:
        _prepare_file(place.file)
    try:
        # Hosts take turns: a second question waits until the first has its answer.
        engine = create_engine(
            place.url,
            poolclass=QueuePool,
            pool_size=1,
            max_overflow=0,
            pool_timeout=2 * _ANSWER,
            connect_args=_connect_arguments(place),
        )
    except ImportError:
        raise HistoryError(
            f"{place}: the driver is missing; install it where Miyabi is: `pip install 'psycopg[binary]'`"
        ) from None
    if place.file is None:
        event.listen(engine, "connect", _prepare_postgresql)
    else:
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    return engine


def _connect_arguments(place: Place) -> dict[str, Any]:
    if place.file is not None:
        return {"timeout": _PATIENCE}
    ours = {"connect_timeout": _PATIENCE, "tcp_user_timeout": 1000 * _ANSWER, "application_name": "miyabi"}
    return {name: value for name, value in ours.items() if name not in place.url.query}


def writing(engine: Engine) -> Engine:
    """The same way, for what writes: SQLite is locked at once, not half-way through."""
    return engine.execution_options(**{_WRITES: True})


def _prepare_file(file: Path) -> None:
    """Make the file for its owner alone; SQLite gives what it puts beside it the same permissions."""
    try:
        make_folder(file.parent)
        os.close(os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK, 0o600))
    except OSError as error:
        raise HistoryError(
            f"{file}: the history cannot be opened: {error.strerror}; make {file.parent} writable for {_user()}"
        ) from None
    for suffix in _BESIDE:
        with suppress(OSError):
            path = Path(f"{file}{suffix}")
            if path.stat().st_mode & 0o077:
                path.chmod(0o600)


def _user() -> str:
    return os.environ.get("USER") or f"the user {os.getuid()}"


def _prepare_sqlite(connection: sqlite3.Connection, _record: Any) -> None:
    # Python's own transactions begin too late, and not at all for a change of the schema.
    connection.isolation_level = None
    give_up = time.monotonic() + _PATIENCE
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL").close()
        except sqlite3.OperationalError as error:
            # Of two that change it at once, SQLite lets one fail without waiting.
            if not _is_busy(error) or time.monotonic() >= give_up:
                raise
            time.sleep(0.01)
        else:
            return


def _begin_sqlite(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.get_execution_options().get(_WRITES) else "BEGIN")


def _prepare_postgresql(connection: Any, _record: Any) -> None:
    wanted = {
        "search_path": SCHEMA,
        "statement_timeout": f"{_ANSWER}s",
        "lock_timeout": f"{_PATIENCE}s",
        "idle_in_transaction_session_timeout": "60s",
    }
    with connection.cursor() as cursor:
        for name, value in wanted.items():
            cursor.execute("SELECT set_config(%s, %s, false)", (name, value))
    connection.commit()


def is_damaged(error: DBAPIError, place: Place) -> bool:
    """Whether a file is no database any more."""
    return place.file is not None and _sqlite_code(error.orig) in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


def set_aside(file: Path, now: float, inode: int | None) -> Path | None:
    """Move a damaged database aside, and return where it is now; None when another process has done that already.

    + now: seconds since the epoch
    + inode: of the file that is damaged

    Raises ``HistoryError`` when it cannot be moved.
    """
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
    try:
        with alone(file.with_name(f"{file.name}.lock")):
            if inode_of(file) != inode:
                return None
            free = (
                file.with_name(f"{file.name}.broken-{stamp}{more}") for more in ("", *map("-{}".format, range(2, 99)))
            )
            broken = next((path for path in free if not path.exists()), file.with_name(f"{file.name}.broken"))
            # The database goes first: a log without its database is harmless, a database without its log is older.
            for suffix in _BESIDE:
                with suppress(FileNotFoundError):
                    Path(f"{file}{suffix}").rename(f"{broken}{suffix}")
            return broken
    except OSError as error:
        raise HistoryError(
            f"{file}: the history is damaged, and cannot be moved aside: {error.strerror}; move it away yourself"
        ) from None


def inode_of(file: Path | None) -> int | None:
    """Which file is at a path; None when there is none."""
    try:
        return None if file is None else file.stat().st_ino
    except OSError:
        return None


def explained(error: Exception, place: Place) -> HistoryError:
    """An error of the database in words for the user."""
    cause = error.orig if isinstance(error, DBAPIError) else None
    words = " ".join(str(cause or error).split("\n", maxsplit=1)[0].split())
    advise = _advise_postgresql if place.file is None else _advise_sqlite
    return HistoryError(f"{place}: {words}; {advise(cause, place)}")


_LOCKED = "another program keeps it locked: end that one, or wait; what runs see stays in the journal until then"
_SPACE = "there is no space left: free some; what fits stays in the journal until then"


def _advise_sqlite(cause: BaseException | None, place: Place) -> str:
    """What to do, by SQLite's primary result code."""
    writable = f"make {place.file} and its folder writable for {_user()}"
    broken_disk = "the disk cannot be read or written: check it (`df`, `dmesg`)"
    return {
        sqlite3.SQLITE_BUSY: _LOCKED,
        sqlite3.SQLITE_LOCKED: _LOCKED,
        sqlite3.SQLITE_FULL: _SPACE,
        sqlite3.SQLITE_READONLY: writable,
        sqlite3.SQLITE_CANTOPEN: writable,
        sqlite3.SQLITE_PERM: writable,
        # What SQLite says, too, when what is shared by its processes finds no space.
        sqlite3.SQLITE_IOERR: _SPACE if _is_full(place.file) else broken_disk,
    }.get(_sqlite_code(cause), f"move {place.file} away, and a new one is begun")


def _is_full(file: Path | None) -> bool:
    with suppress(OSError):
        return file is not None and os.statvfs(file.parent).f_bavail == 0
    return False


def _advise_postgresql(cause: BaseException | None, place: Place) -> str:
    """What to do, by the class of PostgreSQL's SQLSTATE; errors of connecting have none, but words."""
    state: str = getattr(cause, "sqlstate", None) or ""
    words = str(cause)
    if not state and re.search(r'database ".*" does not exist', words):
        state = "3D"
    if not state and "authentication failed" in words:
        state = "28"
    return {
        "55": _LOCKED,
        "57": "the server did not answer in time, or is going down",
        "53": "the server lacks space, memory or connections",
        "25": "it is a read-only server: use one that may be written",
        "28": "check user and password in `history: {url: ...}` in inventory/fleet.yaml",
        "3D": f"make the database first: `createdb {place.url.database or 'NAME'}`",
        "42": f"give its user the right to make and use the schema {SCHEMA}: `GRANT CREATE ON DATABASE ...`",
        "": "check that the server runs, and `history: {url: ...}` in inventory/fleet.yaml",
    }.get(state[:2], "see the server's log")


def _sqlite_code(error: BaseException | None) -> int:
    """SQLite's primary result code; 0 when there is none."""
    code: int = getattr(error, "sqlite_errorcode", 0)
    return code & 0xFF


def _is_busy(error: sqlite3.Error) -> bool:
    return _sqlite_code(error) in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
