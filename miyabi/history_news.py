"""What has come into the history since it was asked last. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from sqlalchemy import Connection, func, literal, select, union_all

from miyabi.history_tables import TABLES, record_of
from miyabi.predicted import Predicted
from miyabi.records import Decided, DriftSeen, IncidentChanged, Observation, Record, Recovered, RunEnded, RunStarted

Marks = Mapping[type[Record], int]

# What says something of a host beside its looks.
OF_HOSTS: tuple[type[Record], ...] = (DriftSeen, Decided, Recovered)
_SHOWN: tuple[type[Record], ...] = (Observation, *OF_HOSTS, IncidentChanged, Predicted, RunStarted, RunEnded)

# Rows that may come into sight after later ones: in PostgreSQL a row has its number before its writer has ended.
_LATE = 200


def marks(connection: Connection) -> Marks:
    """How far each kind of record goes that an overview shows."""
    each = [
        select(literal(kind.TABLE).label("kind"), func.coalesce(func.max(TABLES[kind].c.id), 0).label("id"))
        for kind in _SHOWN
    ]
    newest = {kind: int(newest) for kind, newest in connection.execute(union_all(*each))}
    return {kind: newest[kind.TABLE] for kind in _SHOWN}


def grown(now: Marks, before: Marks) -> set[type[Record]]:
    """The kinds of which there are new records."""
    return {kind for kind in now if now[kind] > before[kind]}


def is_another(now: Marks, before: Marks) -> bool:
    """Whether that is not the history that was asked before: something in it is gone that was the newest."""
    return any(now[kind] < before[kind] for kind in now)


def looks_between(connection: Connection, before: Marks, newest: Marks) -> list[Observation]:
    """The looks that have come between two moments, in the order of their arrival.

    Where some may have come into sight late, the last ones before the first moment are among them, too.
    """
    table = TABLES[Observation]
    between = (table.c.id > before[Observation] - _late(connection), table.c.id <= newest[Observation])
    query = select(table).where(*between).order_by(table.c.id)
    return [record_of(Observation, row) for row in connection.execute(query).mappings()]


def touched_runs(connection: Connection, before: Marks, kinds: Collection[type[Record]]) -> set[str]:
    """The runs that have written down something of hosts since."""
    found: set[str] = set()
    for kind in kinds:
        if kind in OF_HOSTS:
            columns = TABLES[kind].c
            after = before[kind] - _late(connection)
            found |= set(connection.execute(select(columns.run).where(columns.id > after).distinct()).scalars())
    return found


def _late(connection: Connection) -> int:
    return _LATE if connection.dialect.name == "postgresql" else 0
