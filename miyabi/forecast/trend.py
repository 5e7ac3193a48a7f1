"""The line that a measure follows now: robust, and of the longest past that agrees with the present. Pure.

Theil and Sen's line through longer and longer windows that end now, until one disagrees with those before it
(the intersection of their intervals is empty): so a slope that has just changed counts at once, and one that has been
the same for a month is known well.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from miyabi.forecast.samples import HOUR, Array, Places, middle_of

# Hours.
_WINDOWS = (2, 3, 4, 6, 10, 13, 18, 24, 36, 48, 72, 120, 168, 336, 720)
# Points of a window: more tell no more, and cost their square.
_POINTS = 28
_FEWEST = 5
# How many standard errors wide the intervals are that have to meet.
_WIDE = 3.0
# A step explains a window better than a line does, when what it leaves is so much less.
_STEP = 0.7
# A line does not fit that leaves so many times as much as a shorter one.
_WORSE = 3.0
# It grows more slowly when its second half does, by so many standard errors.
_TIRES = 2.0
# And such a step is larger than so many grains.
_GRAINS = 1.5


@dataclass(frozen=True, slots=True)
class Line:
    """A line.

    + at, level: where it is, at the end
    + slope: per second
    + level_error, slope_error: their standard errors
    + support: seconds that it was seen for
    + spread: of what was seen around it, a standard deviation
    + above: by how much what was seen at worst in each stretch is above it, typically
    """

    at: float
    level: float
    slope: float
    level_error: float
    slope_error: float
    support: float
    spread: float
    above: float = 0.0


def present_line(at: Array, value: Array, high: Array, grain: float, above: float) -> Line | None:
    """The line that the last values follow; None when there are too few.

    + grain: the size of the steps in which it goes, as values that are rounded do
    + above: the share of the worst values that it leaves below
    """
    end = float(at[-1])
    met: tuple[float, float, float, float] | None = None
    chosen: Line | None = None
    before, since, finest = -1, 0, np.inf
    for hours in _WINDOWS:
        begin = int(np.searchsorted(at, end - hours * HOUR))
        if begin == before or at.size - begin < _FEWEST or end - float(at[begin]) < 0.7 * hours * HOUR:
            if begin == 0:
                break
            continue
        before = begin
        found = _line(at[begin:], value[begin:], grain)
        if found is None:
            continue
        line, is_step = found
        if chosen is not None and (is_step or line.spread > _WORSE * finest + grain / 2):
            break
        finest = min(finest, line.spread)
        bounds = (
            line.slope - _WIDE * line.slope_error,
            line.slope + _WIDE * line.slope_error,
            line.level - _WIDE * line.level_error,
            line.level + _WIDE * line.level_error,
        )
        if met is not None:
            bounds = (
                max(met[0], bounds[0]),
                min(met[1], bounds[1]),
                max(met[2], bounds[2]),
                min(met[3], bounds[3]),
            )
            if bounds[0] > bounds[1] or bounds[2] > bounds[3]:
                break
        met, chosen, since = bounds, line, begin
        if begin == 0:
            break
    if chosen is None:
        return None
    chosen = _tiring(chosen, at[since:], value[since:], grain)
    over = high[since:] - chosen.level - chosen.slope * (at[since:] - end)
    return replace(chosen, above=max(0.0, float(np.sort(over)[int(above * (over.size - 1))])))


def _tiring(line: Line, at: Array, value: Array, grain: float) -> Line:
    """The line with the slope of its end, where it grows more and more slowly."""
    half = int(np.searchsorted(at, line.at - line.support / 2))
    found = _line(at[half:], value[half:], grain) if at.size - half >= 2 * _FEWEST else None
    if found is None:
        return line
    late, _ = found
    less = line.slope - late.slope
    if less <= _TIRES * float(np.hypot(line.slope_error, late.slope_error)):
        return line
    # The half is a quarter of the window nearer to the end than the whole.
    slope = max(late.slope - less, 0.0)
    return replace(line, slope=slope, level=late.level, slope_error=late.slope_error, level_error=late.level_error)


def _line(at: Array, value: Array, grain: float) -> tuple[Line, bool] | None:
    """Theil and Sen's line through a window, with its errors; and whether a step explains it better."""
    end = float(at[-1])
    each = max(1, at.size // _POINTS)
    number = at.size // each
    if number < _FEWEST:
        return None
    first = at.size - number * each
    x = (at[first:].reshape(number, each).mean(axis=1) - end) / HOUR
    parts = np.sort(value[first:].reshape(number, each), axis=1)
    y: Array = (parts[:, (each - 1) // 2] + parts[:, each // 2]) / 2
    one, two = _pairs(number)
    slope = middle_of((y[two] - y[one]) / (x[two] - x[one]))
    level = middle_of(y - slope * x)
    left = y - level - slope * x
    spread = middle_of(np.abs(left)) * 1.4826
    squares = float(left @ left)
    spread = max(spread, 0.9 * (squares / (number - 2)) ** 0.5, 0.02)
    same = float(np.clip((left[1:] @ left[:-1]) / max(1e-12, squares), 0.0, 0.8))
    free = max(2.0, number * (1 - same) / (1 + same))
    window = max(1e-6, -float(x[0]))
    slope_error = float(np.hypot(spread * np.sqrt(12 / free) / window, 0.4 * grain / window))
    level_error = float(np.hypot(2 * spread / np.sqrt(free), 0.3 * grain))
    line = Line(end, level, slope / HOUR, level_error, slope_error / HOUR, end - float(at[0]), spread)
    return line, _is_step(y, squares, max(2 * spread, _GRAINS * grain))


def _is_step(y: Array, squares: float, least: float) -> bool:
    """Whether two levels explain values better than the line that leaves ``squares``."""
    number = y.size
    if number < 8:
        return False
    total, power = np.cumsum(y), np.cumsum(y * y)
    size = np.arange(1, number)
    left = power[:-1] - total[:-1] ** 2 / size
    right = (power[-1] - power[:-1]) - (total[-1] - total[:-1]) ** 2 / (number - size)
    both = (left + right)[1:-2]
    best = int(np.argmin(both)) + 1
    height = abs(total[best] / (best + 1) - (total[-1] - total[best]) / (number - best - 1))
    return bool(both[best - 1] < _STEP * squares and height > least)


@cache
def _pairs(number: int) -> tuple[Places, Places]:
    one, two = np.triu_indices(number, 1)
    return one, two
