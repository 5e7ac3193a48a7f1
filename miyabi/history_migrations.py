"""The schema of the history and its versions: made anew, or led step by step from an older one to this one. Pure.

A database that is made anew gets today's tables at once. One that is older goes through the steps that it lacks, each
in a transaction of its own with the note that it was done; a step is written against the tables as they were before it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlalchemy import Connection, insert, inspect, select, text, update

from miyabi.errors import HistoryError
from miyabi.history_tables import ABOUT, METADATA

Migration = Callable[[Connection], None]


def _add_predictions(connection: Connection) -> None:
    """The table as it was when it came: written out, because today's may have changed since."""
    is_lite = connection.dialect.name == "sqlite"
    key = "INTEGER NOT NULL PRIMARY KEY" if is_lite else "BIGSERIAL PRIMARY KEY"
    number = "DOUBLE" if is_lite else "DOUBLE PRECISION"
    connection.execute(
        text(
            f"CREATE TABLE predictions (id {key}, event TEXT NOT NULL, run TEXT NOT NULL, at {number} NOT NULL, "
            "host TEXT NOT NULL, subject TEXT NOT NULL, kind TEXT NOT NULL, outcome TEXT NOT NULL, "
            f'crosses_at {number}, earliest {number}, latest {number}, value {number}, "limit" {number}, '
            "samples BIGINT NOT NULL, method TEXT NOT NULL, forecast JSON NOT NULL, error JSON NOT NULL, "
            "summary TEXT NOT NULL, CONSTRAINT predictions_event UNIQUE (event))"
        )
    )
    for name, columns in {"at": "at", "run": "run, host", "host_subject": "host, subject, id"}.items():
        connection.execute(text(f"CREATE INDEX predictions_{name} ON predictions ({columns})"))


# Each leads from the version before to the next: the first one from 1 to 2.
MIGRATIONS: tuple[Migration, ...] = (_add_predictions,)

_VERSION = "version"
# Of PostgreSQL's advisory locks, ours: the letters of "miyabi".
_LOCK = 0x6D6979616269


def step(connection: Connection, migrations: Sequence[Migration], where: str) -> bool:
    """Do the next step towards today's schema, alone; whether there was one to do.

    + connection: in a transaction that writes
    + where: the database in words

    Raises ``HistoryError`` when the database is of a newer version, or somebody else's.
    """
    lock(connection)
    newest = len(migrations) + 1
    version = _version(connection, newest, where)
    if version == newest:
        return False
    if version is None:
        METADATA.create_all(connection)
        connection.execute(insert(ABOUT).values(name=_VERSION, value=str(newest)))
        return True
    migrations[version - 1](connection)
    connection.execute(update(ABOUT).where(ABOUT.c.name == _VERSION).values(value=str(version + 1)))
    return True


def is_current(connection: Connection, migrations: Sequence[Migration], where: str) -> bool:
    """Whether the database has today's schema. Raises ``HistoryError`` as ``step`` does."""
    newest = len(migrations) + 1
    return _version(connection, newest, where) == newest


def lock(connection: Connection) -> None:
    """Have a PostgreSQL to ourselves until the transaction ends; with SQLite whoever writes has it to himself."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})


def make_schema(connection: Connection, schema: str) -> None:
    """Make the schema of a PostgreSQL, if it is not there; asking first needs no right to make one."""
    if connection.dialect.name != "postgresql":
        return
    lock(connection)
    if not connection.execute(text("SELECT 1 FROM pg_namespace WHERE nspname = :name"), {"name": schema}).first():
        connection.exec_driver_sql(f'CREATE SCHEMA "{schema}"')


def _version(connection: Connection, newest: int, where: str) -> int | None:
    """The version of the database; None when there is nothing in it yet."""
    # Asked once: between two questions another process may have made them.
    tables = set(inspect(connection).get_table_names())
    if ABOUT.name not in tables:
        strange = sorted(tables & set(METADATA.tables))
        if strange:
            raise HistoryError(
                f"{where}: this is no history: it has a table {strange[0]} of somebody else's; name another"
            )
        return None
    told = connection.execute(select(ABOUT.c.value).where(ABOUT.c.name == _VERSION)).scalar()
    if told is None or not told.isdecimal() or int(told) < 1:
        raise HistoryError(f"{where}: this is no history: its version is {told!r}; name another")
    if int(told) > newest:
        raise HistoryError(
            f"{where}: the history is of version {told}, and this Miyabi Recovery knows up to {newest}; it is left as "
            "it is: update Miyabi Recovery on this machine"
        )
    return int(told)
