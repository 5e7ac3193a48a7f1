"""How a measure goes on: its line, what comes again each day, and the stairs that it climbs. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from miyabi.forecast.samples import DAY, HOUR, Array
from miyabi.forecast.season import Season
from miyabi.forecast.shifts import Shifts
from miyabi.forecast.trend import Line

# A slope is one from so many standard errors.
CERTAIN = 3.0
# The interval: so many standard errors of level and slope, and a share of the way for what a line does not know.
_WIDE = 1.8
_UNKNOWN = 0.15
# Rather too late than too early, by so much of that.
_LATE = 0.3
# Stairs from so many steps.
_STAIRS = 3
# Points that are to be drawn.
_DRAWN = 24


@dataclass(frozen=True, slots=True)
class Stairs:
    """Steps up that come again and again.

    + size: of one
    + every: seconds from one to the next
    + next_at: when the next one is due
    + error: of their rate, as a share
    """

    size: float
    every: float
    next_at: float
    error: float

    def by(self, moments: Array) -> Array:
        """What they add up to."""
        climbed: Array = self.size * np.maximum(0.0, np.floor((moments - self.next_at) / self.every) + 1)
        return climbed


@dataclass(frozen=True, slots=True)
class Course:
    """How a measure goes on.

    + known: seconds since the first look that counts
    """

    line: Line
    season: Season | None
    now: float
    stairs: Stairs | None = None
    known: float = 0.0

    @property
    def method(self) -> str:
        """What it goes by."""
        return "theil-sen" + (", daily" if self.season else "") + (", stairs" if self.stairs else "")

    def is_certain(self) -> bool:
        """Whether it goes up at all."""
        return self.stairs is not None or self.line.slope > CERTAIN * self.line.slope_error

    def at(self, moments: Array) -> tuple[Array, Array, Array]:
        """The measure at moments: what it comes to, the least and the most."""
        line = self.line
        way = moments - line.at
        growth = line.slope * way if self.is_certain() or self.season is None else 0 * way
        middle = line.level + line.above + growth
        error = np.hypot(line.level_error, line.slope_error * way)
        unknown = np.abs(growth)
        if self.season is not None:
            middle = middle + self.season(moments)
        if self.stairs is not None:
            climbed = self.stairs.by(moments)
            middle = middle + climbed
            unknown = unknown + climbed * (1 + 2 * self.stairs.error)
        error = np.hypot(_WIDE * error, _UNKNOWN * unknown)
        # What is seen at worst may be a noise that does not count.
        return middle - _LATE * error, middle - line.above - error, middle + error


def find_stairs(shifts: Shifts, now: float) -> Stairs | None:
    """The stairs that a measure climbs; None when it does not."""
    up = shifts.size > 0
    if up.sum() < _STAIRS:
        return None
    size, at = shifts.size[up], shifts.at[up]
    down = -shifts.size[~up].sum()
    if down > 0.3 * size.sum():
        return None
    between = np.diff(at)
    every = float(np.median(between))
    differs = float(np.median(np.abs(between - every))) * 1.4826 / every
    typical = float(np.mean(size))
    if differs > 0.5 or now - at[-1] > 2.0 * float(between.max()):
        return None
    return Stairs(typical, every, max(float(at[-1]) + every, now + 0.1 * every), differs / np.sqrt(size.size))


def moments_ahead(now: float, reach: float) -> Array:
    """The moments that are looked at ahead: each quarter of an hour of the next two days, then each hour."""
    near = np.arange(now, now + min(reach, 2 * DAY) + 1, 900.0)
    if reach <= 2 * DAY:
        return near
    return np.concatenate([near, np.arange(now + 2 * DAY + HOUR, now + reach + 1, HOUR)])


def first_reached(moments: Array, values: Array, limit: float) -> float | None:
    """When values reach a limit first; None when they do not."""
    there = values >= limit
    place = int(np.argmax(there))
    if not there[place]:
        return None
    if not place or values[place] <= values[place - 1]:
        return float(moments[place])
    share = (limit - values[place - 1]) / (values[place] - values[place - 1])
    return float(moments[place - 1] + share * (moments[place] - moments[place - 1]))


def drawn(course: Course, now: float, until: float) -> tuple[tuple[float, float, float, float], ...]:
    """Points of its way: ``(at, value, low, high)``."""
    moments = np.linspace(now, until, _DRAWN)
    middle, low, high = course.at(moments)
    return tuple(
        (float(at), float(value), float(least), float(most))
        for at, value, least, most in zip(moments, middle, low, high, strict=True)
    )
