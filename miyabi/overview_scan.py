"""The figures of an overview that take a scan of the history: they may be a minute old.

Dear to import, as the history is: only where it is asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from miyabi.availability import budget_of, fleet_availability
from miyabi.figures import Availability, Budget, LevelFigures
from miyabi.history_figures import availability_of_hosts, level_figures
from miyabi.monitoring import DAY, Monitoring

if TYPE_CHECKING:
    from miyabi.history import History


@dataclass(frozen=True, slots=True)
class Scanned:
    """What was counted.

    + at: when, in seconds since the epoch
    """

    at: float
    levels: tuple[LevelFigures, ...]
    causes: Mapping[str, int]
    availability: Mapping[str, Availability]
    fleet_availability: Availability
    budget: Budget


def scan(history: History, monitoring: Monitoring, now: float, days: float) -> Scanned:
    """Count it: a second or so where there are a million looks. Raises ``HistoryError``.

    + now: seconds since the epoch
    + days: of how many days levels and causes are; availability is of as many as the SLO is about
    """
    since, until = now - days * DAY, now + 1
    each = availability_of_hosts(history, now - monitoring.slo.over, now)
    together = fleet_availability(each.values())
    return Scanned(
        now,
        level_figures(history, since, until),
        history.shares_by_cause(since, until),
        each,
        together,
        budget_of(together, monitoring.slo),
    )
