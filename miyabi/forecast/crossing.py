"""When a measure reaches its limit, with an interval. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from miyabi.figures import Series
from miyabi.forecast.course import CERTAIN, Course, drawn, find_stairs, first_reached, moments_ahead
from miyabi.forecast.samples import DAY, HOUR, Array, Known, Samples
from miyabi.forecast.season import ALONE, EXPLAINS, find_season
from miyabi.forecast.shifts import find_shifts, grain_of, noise_of, without_shifts
from miyabi.forecast.teeth import Teeth, find_teeth, next_peaks
from miyabi.forecast.trend import Line, present_line
from miyabi.monitoring import comes_within

Outcome = Literal["crosses", "no-trend", "too-few-samples"]

# Without so much nothing is said: seconds that were looked at, stretches of 15 minutes in which somebody did.
_LEAST = 4 * HOUR
_FEWEST = 8
# Seconds since the last look after which nobody knows where it is now.
_LOST = 6 * HOUR

# Nothing is foretold for longer than so many times as long as the trend was seen,
_FAR = 2.0
# and as long as nobody knows what comes again each day:
_NEAR, _DAYS = 1.0, 2 * DAY
# and nothing of what may only be the rise of a day:
_DAYLIGHT = 12.5 * HOUR
# The clock has no say in teeth that are cut so irregularly.
_STEADY = 0.35
# What of the worst values in each stretch is taken for the measure.
_WORST = 0.75
# What is foretold now was foretold an hour ago, at most so much later.
_AGREES = 2.0
# No moment is known better, in seconds.
_COARSE = 900.0
# Nothing is foretold beyond it.
_LAST = 60 * DAY
# How a measure is called that is beyond its limit already.
SEEN = "seen"


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
        return comes_within(horizon, now, self.crosses_at, self.latest)


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
    told = twice(samples, sign * limit, now, horizon)
    if not samples.falling:
        return told
    turned = tuple((at, -value, -high, -low) for at, value, low, high in told.path)
    return replace(told, limit=limit, value=None if told.value is None else -told.value, path=turned)


def twice(samples: Samples, limit: float, now: float, horizon: float, *, ahead: float = _LAST) -> Forecast:
    """What is foretold now, and was an hour ago already: what has only just begun to look so is not said yet."""
    told = foretell(samples.known_at(now), limit, now, horizon, ahead=ahead)
    # What is far has time.
    if told.crosses_at is None or told.method == SEEN or told.crosses_at > now + 2 * horizon:
        return told
    before = foretell(samples.known_at(now - HOUR), limit, now - HOUR, horizon, ahead=2 * ahead)
    far = told.crosses_at - now
    if before.crosses_at is None or before.crosses_at - now > _AGREES * far + 6 * HOUR:
        return replace(
            told,
            outcome="no-trend",
            crosses_at=None,
            earliest=None,
            latest=None,
            path=(),
            why="it has only just begun to look as if it would",
        )
    return told


def foretell(known: Known, limit: float, now: float, horizon: float, *, ahead: float = _LAST) -> Forecast:
    """What is foretold of a measure in which more is worse.

    + horizon: seconds that are drawn at most
    + ahead: seconds that are looked ahead at most
    """
    value = float(known.high[-1]) if known.at.size else None
    told = Forecast("too-few-samples", value, limit, known.count)
    if why := _too_little(known, now):
        return replace(told, why=why)
    if value is not None and value >= limit:
        return replace(told, outcome="crosses", crosses_at=now, earliest=now, latest=now, method=SEEN)
    parts = _read(known, now)
    if parts is None:
        return replace(told, why="too few looks of late")
    course = parts.course
    told = replace(told, outcome="no-trend", method=course.method, support=course.line.support)
    # One that was emptied when it was full will be full again.
    if parts.teeth is not None and not (parts.teeth.every is None and parts.teeth.peaks.max() >= limit):
        return _cut(told, course, parts.teeth, limit, horizon)
    if parts.was_here:
        return replace(told, why="it was as high before, and came down again")
    return _grown(told, course, limit, horizon, min(ahead, _LAST))


def _too_little(known: Known, now: float) -> str:
    """Why nothing can be said; "" when something can."""
    if known.at.size < _FEWEST or known.at[-1] - known.at[0] < _LEAST:
        return "too few looks yet"
    return "nobody has looked lately" if now - known.at[-1] > _LOST else ""


@dataclass(frozen=True, slots=True)
class _Parts:
    """What a measure consists of.

    + teeth: None when it is not cut again and again, or not any more
    + was_here: whether it was higher before this trend began, and went down without anybody removing anything
    """

    course: Course
    teeth: Teeth | None
    was_here: bool


def _read(known: Known, now: float) -> _Parts | None:
    """What a measure consists of; None when too little is known of late."""
    value = float(known.high[-1])
    noise = noise_of(known)
    shifts = find_shifts(known, noise)
    teeth = find_teeth(known, shifts)
    # What could be either is a season only when that explains nearly all.
    stairs = None if teeth is not None else find_stairs(shifts, now)
    season = find_season(known.at, known.mean, noise, EXPLAINS if teeth is None and stairs is None else ALONE)
    if season is not None:
        teeth = None
        known = known.without(season(known.at))
        shifts = find_shifts(known, noise)
        stairs = find_stairs(shifts, now)
    mean, high = without_shifts(known, shifts)
    if season is None and teeth is None and stairs is None and shifts.size.size:
        season = find_season(known.at, mean, noise)
        if season is not None:
            there = season(known.at)
            mean, high = mean - there, high - there
    grain = grain_of(replace(known, mean=mean))
    line = present_line(known.at, mean, high, grain, _WORST)
    if line is None:
        return None
    course = Course(line, season, now, stairs, float(now - known.at[0]))
    is_plain = teeth is None and season is None and stairs is None
    if teeth is not None and teeth.is_broken(now, value, noise):
        teeth = None
    return _Parts(course, teeth, is_plain and _was_here(known.at, mean, line, noise))


def _was_here(at: Array, mean: Array, line: Line, noise: float) -> bool:
    """Whether it was higher than now before this trend began, and went down without anybody removing anything."""
    before = mean[at < line.at - line.support]
    return bool(before.size >= 4 and float(np.quantile(before, 0.98)) > line.level + noise)


def _grown(told: Forecast, course: Course, limit: float, horizon: float, ahead: float) -> Forecast:
    """What grows reaches its limit at some time, or does not."""
    line, now = course.line, course.now
    season = course.season
    if not course.is_certain() and season is None:
        return replace(told, why="it does not grow")
    if course.known < _DAYS and line.support < _DAYLIGHT:
        return replace(told, why="it may be what comes each day, and is known for less than two")
    reach = ahead
    if course.is_certain():
        seen = line.support if course.stairs is None else max(line.support, 2 * course.stairs.every)
        reach = min(reach, (_NEAR if course.known < _DAYS else _FAR) * seen)
    else:
        reach = min(reach, DAY)
    moments = moments_ahead(now, reach)
    middle, _, high = course.at(moments)
    crosses = first_reached(moments, middle, limit)
    if crosses is None:
        return replace(told, why="it grows too slowly to say when" if course.is_certain() else "it does not grow")
    earliest = first_reached(moments, high, limit) or now
    later = moments_ahead(now, 3 * reach)
    latest = first_reached(later, course.at(later)[1], limit) or float(later[-1])
    path = drawn(course, now, min(now + horizon, max(crosses, now + HOUR)))
    return replace(
        told,
        outcome="crosses",
        crosses_at=crosses,
        earliest=max(now, min(earliest, crosses - _COARSE)),
        latest=max(latest, crosses + _COARSE),
        path=path,
        why="",
    )


def _cut(told: Forecast, course: Course, teeth: Teeth, limit: float, horizon: float) -> Forecast:
    """What is cut again and again reaches its limit when a peak does."""
    line, now = course.line, course.now
    found = replace(told, method="teeth", support=float(now - teeth.cut_at[0]), why="it is cut before it gets there")
    if teeth.every is None:
        return found
    slope = line.slope if line.slope > CERTAIN * line.slope_error else teeth.depth / teeth.every
    level = line.level + line.above
    reaches = now + (limit - level) / slope
    growth, peak, spread = next_peaks(teeth)
    # This tooth, and those after it.
    due = max(float(teeth.cut_at[-1]) + teeth.every, now + 0.05 * teeth.every)
    number = 0
    while due + number * teeth.every < now + min(_LAST, 2 * (now - float(teeth.cut_at[0])) + teeth.every):
        top = peak + growth * (number + 1)
        if not number and teeth.unsteady < _STEADY:
            # Whatever cuts it, the clock or its size: both have a say.
            top = (top + level + slope * (due - now)) / 2
        if top - 0.5 * spread >= limit:
            ends = due + number * teeth.every
            at = ends - min(teeth.every, max(0.0, top - limit) / slope) if number else max(now, min(reaches, ends))
            error = max(teeth.every * (0.15 + teeth.unsteady), spread / slope)
            return replace(
                found,
                outcome="crosses",
                crosses_at=at,
                earliest=max(now, at - error),
                latest=at + error,
                why="",
                path=drawn(course, now, min(now + horizon, reaches)) if not number else (),
            )
        number += 1
        if growth <= 0 or number > teeth.peaks.size / 2:
            break
    return found
