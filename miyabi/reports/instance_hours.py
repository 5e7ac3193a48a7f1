"""In how many hours the hosts that are EC2 instances were reached. Pure."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from sqlalchemy import Connection, select

from miyabi.history_tables import TABLES
from miyabi.records import Observation

if TYPE_CHECKING:
    from miyabi.history import History

_HOUR = 3600.0
# Rows that are held at a time.
_BATCH = 2000
# A host that was not reached may still have cost something: then the sum is too low, and never invented.
_REACHED = ("healthy", "drift", "unknown")


def hours_reached(history: History, hosts: Collection[str], since: float, until: float) -> dict[str, int]:
    """In how many hours, counted from ``since``, a look has reached each host, by host; 0 where none has."""

    def asked(connection: Connection) -> dict[str, int]:
        seen = TABLES[Observation].c
        query = select(seen.host, seen.at).where(
            seen.host.in_(sorted(hosts)), seen.health.in_(_REACHED), seen.at >= since, seen.at < until
        )
        hours: dict[str, set[int]] = {host: set() for host in hosts}
        for host, at in connection.execute(query, execution_options={"yield_per": _BATCH}):
            hours[host].add(int((at - since) // _HOUR))
        return {host: len(some) for host, some in hours.items()}

    return history.ask(asked) if hosts else {}
