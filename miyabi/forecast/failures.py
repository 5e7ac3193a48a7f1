"""Restarts that foretell a failure: what is started again more and more often will not be helped by that for long.

A service that has to be restarted now and then has a rate of its own. What foretells something is a rate far above it
(a Poisson test of the last day against what was before), or gaps that shrink (Laplace's trend test). Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import stats

from miyabi.forecast.samples import DAY

# The last day is compared with what was before it.
RECENT = DAY
# Restarts of the last day, and all of them, without which nothing is said.
_RECENT, _FEWEST = 3, 4
# How unlikely it has to be: for all the servers of a fleet, look after look.
_CHANCE, _SHRINKING = 0.001, 0.005
# Seconds: nothing fails more often.
_SHORTEST = 60.0
# What of the times to the next restart is between the ends of the interval.
_LOW, _HIGH = 0.1, 0.9


@dataclass(frozen=True, slots=True)
class Restarts:
    """What restarts foretell.

    + next_at, earliest, latest: when the next one is to be expected; None unless it ``crosses``
    + recent: how many there were within the last day
    + usual: how many a day brought before; None when nothing was before
    + likely: the most that a day brings by chance
    + why: what it goes by
    """

    outcome: Literal["crosses", "no-trend", "too-few-samples"]
    recent: int
    usual: float | None
    likely: float | None
    next_at: float | None = None
    earliest: float | None = None
    latest: float | None = None
    why: str = ""


def restarts_foretell(restarts: Sequence[float], since: float, now: float) -> Restarts:
    """What the restarts of one thing foretell.

    + restarts: when each was, in seconds since the epoch
    + since: since when they are known
    """
    at = np.sort(np.array([each for each in restarts if since <= each <= now], dtype=float))
    recent = at[at > now - RECENT]
    before = max(0.0, (now - RECENT - since) / DAY)
    if before < 1:
        return Restarts("too-few-samples", recent.size, None, None, why="it is known for less than two days")
    # As if half a restart had been: of what never failed nobody knows that it never does.
    usual = (at.size - recent.size + 0.5) / before
    likely = float(stats.poisson.isf(_CHANCE, usual * RECENT / DAY))
    quiet = Restarts("no-trend", recent.size, round(usual, 3), likely)
    if at.size < _FEWEST or recent.size < _RECENT:
        return Restarts("too-few-samples" if at.size < _FEWEST else "no-trend", recent.size, round(usual, 3), likely)
    chance = float(stats.poisson.sf(recent.size - 1, usual * RECENT / DAY))
    shrinking = _laplace(recent, now)
    if chance >= _CHANCE and not (shrinking < _SHRINKING and recent.size > 2 * usual):
        return quiet
    gaps = np.diff(at[-4:])
    pace = max(_SHORTEST, float(np.median(gaps)))
    # What should have come already is not expected sooner the longer it stays away.
    due = max(float(at[-1]) + pace, now)
    if now - float(at[-1]) > 4 * max(pace, RECENT / max(1, recent.size)):
        return quiet
    wait = stats.expon(scale=pace)
    return Restarts(
        "crosses",
        recent.size,
        round(usual, 3),
        likely,
        next_at=due,
        earliest=now + float(wait.ppf(_LOW)),
        latest=max(due, now + float(wait.ppf(_HIGH))),
        why="more and more often" if shrinking < _SHRINKING else "far more often than ever",
    )


def _laplace(at: Sequence[float] | np.ndarray, now: float) -> float:
    """How likely it is that moments of the last day come as late in it by chance."""
    moments = np.asarray(at, dtype=float)
    middle = float(np.mean(moments)) - (now - RECENT / 2)
    return float(stats.norm.sf(middle * np.sqrt(12 * moments.size) / RECENT))


def failures_tested(restarts: Sequence[float], since: float, now: float) -> dict[str, float | int | None]:
    """How that did on its own past, as ``Predicted.error`` has it: said after each restart, and whether one came."""
    at = sorted(each for each in restarts if since <= each <= now)
    said = right = 0
    off: list[float] = []
    for place in range(_FEWEST - 1, len(at)):
        moment = at[place] + 60.0
        told = restarts_foretell(at[: place + 1], since, moment)
        if told.next_at is None or told.latest is None or told.latest > now:
            continue
        said += 1
        later = at[place + 1] if place + 1 < len(at) else None
        if later is not None and later <= told.latest:
            right += 1
            off.append(abs(later - told.next_at) / 3600)
    if not said:
        return {}
    return {
        "cases": said,
        "foretold": right,
        "false_alarms": said - right,
        "median_hours_off": round(float(np.median(off)), 2) if off else None,
    }
