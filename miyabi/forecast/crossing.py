"""When a measure reaches its limit, with an interval. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from miyabi.figures import Series
from miyabi.forecast.samples import DAY, HOUR, Array, Known, Samples
from miyabi.forecast.season import Season, find_season
from miyabi.forecast.shifts import Shifts, find_shifts, noise_of, without_shifts
from miyabi.forecast.teeth import Teeth, find_teeth
from miyabi.forecast.trend import Line, present_line

Outcome = Literal["crosses", "no-trend", "too-few-samples"]

# Without so much nothing is said: seconds that were looked at, stretches of 15 minutes in which somebody did.
_LEAST = 4 * HOUR
_FEWEST = 8
# Seconds since the last look after which nobody knows where it is now.
_LOST = 6 * HOUR

# A slope is one from so many standard errors.
_CERTAIN = 3.0
# Nothing is foretold for longer than so many times as long as the trend was seen.
_FAR = 2.0
# What of the worst values in each stretch is taken for the measure.
_WORST = 0.75
# The interval: so many standard errors of level and slope, and a share of the way for what a line does not know.
_WIDE = 1.6
_UNKNOWN = 0.12
# Stairs from so many steps.
_STAIRS = 3
# Points that are to be drawn.
_DRAWN = 24
# Nothing is foretold beyond it.
_LAST = 60 * DAY


@dataclass(frozen=True, slots=True)
class Forecast:
    """What was foretold of one measure.

    + crosses_at, earliest, latest: when it reaches its limit; the truth is within the interval four times of five;
      None unless it crosses
    + value: the measure now; None when it was never looked at
    + samples: how many looks it goes by
    + support: seconds for which what it goes by was seen
    + method: what it goes by, such as ``theil-sen`` or ``theil-sen, daily``
    + path: ``(at, value, low, high)`` to be drawn
    + why: why it does not cross, or what it goes by, in a few words
    """

    outcome: Outcome
    value: float | None
    limit: float
    samples: int
    method: str = ""
    crosses_at: float | None = None
    earliest: float | None = None
    latest: float | None = None
    support: float = 0.0
    path: tuple[tuple[float, float, float, float], ...] = ()
    why: str = ""

    def within(self, horizon: float, now: float) -> bool:
        """Whether it is said to cross within so many seconds from now."""
        return self.crosses_at is not None and self.crosses_at <= now + horizon


def predict_series(
    series: Series | Samples | tuple[Sequence[float], Sequence[float]],
    limit: float,
    horizon: float,
    now: float,
    *,
    falling: bool = False,
) -> Forecast:
    """When a measure reaches its limit.

    + series: from the history, or the moments (seconds since the epoch) and values of single looks
    + limit: the value that must not be reached
    + horizon: seconds that are drawn at most
    + now: seconds since the epoch; what is later does not count
    + falling: whether less is worse; a ``Series`` and ``Samples`` know that themselves
    """
    if isinstance(series, Series):
        samples = Samples.of(series)
    elif isinstance(series, Samples):
        samples = series
    else:
        samples = Samples(*series, falling=falling)
    sign = -1.0 if samples.falling else 1.0
    known = samples.known_at(now)
    told = foretell(known, sign * limit, now, horizon)
    if not samples.falling:
        return told
    turned = tuple((at, -value, -high, -low) for at, value, low, high in told.path)
    return replace(told, limit=limit, value=None if told.value is None else -told.value, path=turned)


def foretell(known: Known, limit: float, now: float, horizon: float, *, ahead: float = _LAST) -> Forecast:
    """What is foretold of a measure in which more is worse.

    + horizon: seconds that are drawn at most
    + ahead: seconds that are looked ahead at most
    """
    value = float(known.high[-1]) if known.at.size else None
    few = Forecast("too-few-samples", value, limit, known.count)
    if value is None or known.at.size < _FEWEST or known.at[-1] - known.at[0] < _LEAST:
        return replace(few, why="too few looks yet")
    if now - known.at[-1] > _LOST:
        return replace(few, why="nobody has looked lately")
    if value >= limit:
        return replace(few, outcome="crosses", crosses_at=now, earliest=now, latest=now, method="seen", why="it is there")
    noise = noise_of(known)
    shifts = find_shifts(known, noise)
    mean, high = without_shifts(known, shifts)
    teeth = find_teeth(known, shifts)
    season = None if teeth is not None else find_season(known.at, mean, noise)
    if season is not None:
        there = season(known.at)
        mean, high = mean - there, high - there
    line = present_line(known.at, mean, high, known.quantum, _WORST)
    none = Forecast("no-trend", value, limit, known.count, method="theil-sen", why="it does not grow")
    if line is None:
        return replace(few, why="too few looks of late")
    course = _Course(line, season, now, _stairs(known, shifts, teeth, now))
    if teeth is not None and not teeth.is_broken(now, value, noise):
        return _cut(none, course, teeth, limit, horizon)
    return _grown(none, course, limit, horizon, ahead)


@dataclass(frozen=True, slots=True)
class _Stairs:
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
        return self.size * np.maximum(0.0, np.floor((moments - self.next_at) / self.every) + 1)


@dataclass(frozen=True, slots=True)
class _Course:
    """How a measure goes on."""

    line: Line
    season: Season | None
    now: float
    stairs: _Stairs | None = None

    @property
    def method(self) -> str:
        return "theil-sen" + (", daily" if self.season else "") + (", stairs" if self.stairs else "")

    def is_certain(self) -> bool:
        """Whether it goes up at all."""
        return self.stairs is not None or self.line.slope > _CERTAIN * self.line.slope_error

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
        return middle, middle - error, middle + error


def _grown(none: Forecast, course: _Course, limit: float, horizon: float, ahead: float) -> Forecast:
    """What grows reaches its limit at some time, or does not."""
    line, now = course.line, course.now
    season = course.season
    if not course.is_certain() and season is None:
        return replace(none, method=course.method, support=line.support)
    reach = min(ahead, _LAST)
    if course.is_certain():
        seen = line.support if course.stairs is None else max(line.support, 2 * course.stairs.every)
        reach = min(reach, _FAR * seen)
    else:
        reach = min(reach, DAY)
    moments = _moments(now, reach)
    middle, low, high = course.at(moments)
    crosses = _first(moments, middle, limit)
    found = replace(none, method=course.method, support=line.support)
    if crosses is None:
        return replace(found, why="it grows too slowly to say when" if course.is_certain() else "it does not grow")
    earliest = _first(moments, high, limit) or now
    later = _moments(now, 3 * reach)
    latest = _first(later, course.at(later)[1], limit) or float(later[-1])
    path = _drawn(course, now, min(now + horizon, max(crosses, now + HOUR)))
    return replace(
        found, outcome="crosses", crosses_at=crosses, earliest=min(earliest, crosses), latest=max(latest, crosses),
        path=path, why="",
    )


def _cut(none: Forecast, course: _Course, teeth: Teeth, limit: float, horizon: float) -> Forecast:
    """What is cut again and again reaches its limit when a peak does."""
    line, now = course.line, course.now
    found = replace(none, method="teeth", support=float(now - teeth.cut_at[0]), why="it is cut before it gets there")
    slope = max(line.slope, 0.0)
    if line.slope < _CERTAIN * line.slope_error or slope <= 0:
        return replace(found, why="it does not grow")
    level = line.level + line.above
    reaches = now + (limit - level) / slope
    growth, peak, spread = _peaks(teeth)
    if teeth.every is None:
        return found
    # This tooth, and those after it.
    due = max(float(teeth.cut_at[-1]) + teeth.every, now + 0.05 * teeth.every)
    number = 0
    while due + number * teeth.every < now + min(_LAST, 2 * (now - float(teeth.cut_at[0])) + teeth.every):
        top = peak + growth * (number + 1)
        if top - 0.5 * spread >= limit:
            ends = due + number * teeth.every
            at = ends - min(teeth.every, max(0.0, top - limit) / slope) if number else max(now, min(reaches, ends))
            error = max(teeth.every * (0.15 + teeth.unsteady), spread / slope)
            return replace(
                found, outcome="crosses", crosses_at=at, earliest=max(now, at - error), latest=at + error, why="",
                path=_drawn(course, now, min(now + horizon, reaches)) if not number else (),
            )
        number += 1
        if growth <= 0:
            break
    return found


def _peaks(teeth: Teeth) -> tuple[float, float, float]:
    """By how much the peaks grow from one to the next, the last of them, and how far they are from that line."""
    peaks = teeth.peaks[-12:]
    if peaks.size < 3:
        return 0.0, float(np.median(peaks)), float(np.ptp(peaks))
    number = np.arange(peaks.size)
    one, two = np.triu_indices(peaks.size, 1)
    growth = float(np.median((peaks[two] - peaks[one]) / (number[two] - number[one])))
    level = float(np.median(peaks - growth * number))
    left = peaks - level - growth * number
    spread = float(np.median(np.abs(left))) * 1.4826
    error = max(spread, 0.3) * np.sqrt(12 / peaks.size) / peaks.size
    if growth < 2.5 * error:
        return 0.0, float(np.median(peaks)), float(np.median(np.abs(peaks - np.median(peaks))) * 1.4826)
    return growth, level + growth * (peaks.size - 1), spread


def _stairs(known: Known, shifts: Shifts, teeth: Teeth | None, now: float) -> _Stairs | None:
    """The stairs that a measure climbs; None when it does not."""
    up = shifts.size > 0
    if teeth is not None or up.sum() < _STAIRS:
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
    return _Stairs(typical, every, max(float(at[-1]) + every, now + 0.1 * every), differs / np.sqrt(size.size))


def _moments(now: float, reach: float) -> Array:
    """The moments that are looked at ahead: each quarter of an hour of the next two days, then each hour."""
    near = np.arange(now, now + min(reach, 2 * DAY) + 1, 900.0)
    if reach <= 2 * DAY:
        return near
    return np.concatenate([near, np.arange(now + 2 * DAY + HOUR, now + reach + 1, HOUR)])


def _first(moments: Array, values: Array, limit: float) -> float | None:
    """When values reach a limit first; None when they do not."""
    there = values >= limit
    place = int(np.argmax(there))
    return float(moments[place]) if there[place] else None


def _drawn(course: _Course, now: float, until: float) -> tuple[tuple[float, float, float, float], ...]:
    moments = np.linspace(now, until, _DRAWN)
    middle, low, high = course.at(moments)
    return tuple(
        (float(at), float(value), float(least), float(most))
        for at, value, least, most in zip(moments, middle, low, high, strict=True)
    )
