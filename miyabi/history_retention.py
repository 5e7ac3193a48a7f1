"""How long the history is kept. Pure."""

from __future__ import annotations

from sqlalchemy import Connection, and_, delete, select

from miyabi.history_queries import last_of_each, open_incidents
from miyabi.history_tables import ABOUT, LEASES, TABLES, inserting
from miyabi.records import BreakerChanged, IncidentChanged

_DAY = 86400.0
_PRUNED_AT, _PRUNED_TO = "pruned_at", "pruned_to"


def prune_daily(connection: Connection, now: float, keep: float) -> int:
    """Remove what is too old, unless that was done within a day; how many rows that were.

    What "now" is must be confirmed by the time that has passed: it goes ahead by no more than a week at a time.
    """
    done_at, reached = _told(connection, _PRUNED_AT), _told(connection, _PRUNED_TO)
    if done_at is not None and abs(now - done_at) < _DAY:
        return 0
    confirmed = now if reached is None else min(now, reached + 7 * _DAY)
    _note(connection, _PRUNED_AT, now)
    _note(connection, _PRUNED_TO, confirmed)
    return 0 if reached is None else prune(connection, confirmed - keep)


def _told(connection: Connection, name: str) -> float | None:
    told = connection.execute(select(ABOUT.c.value).where(ABOUT.c.name == name)).scalar()
    return None if told is None else float(told)


def _note(connection: Connection, name: str, value: float) -> None:
    statement = inserting(connection)(ABOUT).values(name=name, value=str(value))
    connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_={"value": str(value)}))


def prune(connection: Connection, before: float) -> int:
    """Remove what is older, but for how open incidents and breakers stand; how many rows that were."""
    removed = connection.execute(delete(LEASES).where(LEASES.c.until < before)).rowcount
    for kind, table in TABLES.items():
        condition = table.c.at < before
        if kind is IncidentChanged:
            still_open = [each.incident for each in open_incidents(connection)]
            condition = and_(condition, table.c.incident.not_in(still_open))
        if kind is BreakerChanged:
            condition = and_(condition, table.c.id.not_in(last_of_each(table, "subject")))
        removed += connection.execute(delete(table).where(condition)).rowcount
    return removed
