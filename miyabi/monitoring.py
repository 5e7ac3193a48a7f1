"""What of the history is shown, measured, foretold and reported: what inventory/fleet.yaml may set, with the defaults.

Durations are seconds. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Period = Literal["daily", "weekly", "monthly"]
PERIODS: tuple[Period, ...] = ("daily", "weekly", "monthly")

DAY = 86400.0

# The share of the horizon in which something is near.
_NEAR = 0.25


@dataclass(frozen=True, slots=True)
class Slo:
    """What is promised: ``availability`` percent of any stretch of ``over`` seconds (see ``miyabi.availability``)."""

    availability: float = 99.0
    over: float = 30 * DAY


@dataclass(frozen=True, slots=True)
class Predictions:
    """When ``miyabi run`` looks ahead after its run.

    + every: seconds between two looks; None is never
    + horizon: a crossing within so many seconds from now is told
    """

    every: float | None = None
    horizon: float = DAY


@dataclass(frozen=True, slots=True)
class Reports:
    """Which reports ``miyabi run`` writes by itself, and what they ask beside the history.

    + periods: which are written
    + at: minutes after midnight, local time, from which one is due
    + folder: where they are written; None is ``reports`` in the folder of the memory
    + keep: how many of each period stay
    + repositories: folders of git repositories on this machine, whose commits are counted
    + github: ``owner/name`` of repositories whose closed issues and merged pull requests are counted
    + prices: what an hour of an instance costs, by its type
    + currency: of these prices
    """

    periods: tuple[Period, ...] = ()
    at: int = 7 * 60
    folder: str | None = None
    keep: int = 60
    repositories: tuple[str, ...] = ()
    github: tuple[str, ...] = ()
    prices: Mapping[str, float] = field(default_factory=dict)
    currency: str = "USD"


@dataclass(frozen=True, slots=True)
class Monitoring:
    """All of it.

    + textfile: where ``miyabi run`` writes its metrics after each run, for node_exporter; None is nowhere
    """

    slo: Slo = field(default_factory=Slo)
    textfile: str | None = None
    predictions: Predictions = field(default_factory=Predictions)
    reports: Reports = field(default_factory=Reports)


def comes_within(horizon: float, now: float, crosses_at: float | None, latest: float | None = None) -> bool:
    """Whether what is foretold is said: when even the end of its interval lies within the horizon, or it is near.

    What may as well come later can still be said at the next look, when more is known.

    + horizon: seconds from now
    + latest: the end of the interval; None is that there is none
    """
    if crosses_at is None:
        return False
    return crosses_at <= now + horizon * _NEAR or (crosses_at if latest is None else latest) <= now + horizon


def monitoring_of(told: Mapping[str, Any]) -> Monitoring:
    """What ``FleetFile.monitoring`` says: it is kept plain, so that a run which needs none of it makes none of it."""
    if not told:
        return Monitoring()
    reports: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in told["reports"].items()
    }
    return Monitoring(Slo(**told["slo"]), told["textfile"], Predictions(**told["predictions"]), Reports(**reports))
