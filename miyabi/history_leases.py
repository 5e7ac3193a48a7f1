"""Leases: who recovers which host, until when. One statement takes one, so that of two at once one gets it. Pure."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, and_, delete, or_, select

from miyabi.history_tables import LEASES, inserting


class Lease(NamedTuple):
    """A host, who holds it, and until when in seconds since the epoch."""

    host: str
    holder: str
    until: float


def take_lease(connection: Connection, wanted: Lease, now: float, longest: float) -> tuple[str, float] | None:
    """Take or prolong a lease, unless another holds the host and that counts: then who, and until when."""
    is_free = or_(LEASES.c.holder == wanted.holder, ~_counts(now, longest))
    connection.execute(
        inserting(connection)(LEASES)
        .values(wanted._asdict())
        .on_conflict_do_update(
            index_elements=["host"], set_={"holder": wanted.holder, "until": wanted.until}, where=is_free
        )
    )
    has = connection.execute(select(LEASES).where(LEASES.c.host == wanted.host)).one()
    return None if has.holder == wanted.holder else (has.holder, has.until)


def release_lease(connection: Connection, host: str, holder: str) -> None:
    """Give a lease back; another's stays."""
    connection.execute(delete(LEASES).where(and_(LEASES.c.host == host, LEASES.c.holder == holder)))


def leases(connection: Connection, now: float, longest: float) -> dict[str, tuple[str, float]]:
    """Who holds which host, and until when; what does not count is left out."""
    query = select(LEASES).where(_counts(now, longest))
    return {row.host: (row.holder, row.until) for row in connection.execute(query)}


def _counts(now: float, longest: float) -> ColumnElement[bool]:
    """One that is past is over; one that is too far ahead was taken before a clock was set back."""
    return and_(LEASES.c.until > now, LEASES.c.until <= now + longest)
