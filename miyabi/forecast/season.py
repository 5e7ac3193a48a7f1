"""What comes again each day, and each week, where the data carry it. Pure."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from miyabi.forecast.samples import DAY, Array

WEEK = 7 * DAY

# Days without which nothing is said of a day, and of a week.
_DAYS, _WEEKS = 2.0, 14.0
# Stretches are close, in seconds.
_CLOSE = 2700.0
# How far back a season is learned.
_BACK = 15 * DAY
# Waves of a day: 24, 12 and 8 hours, and a little more.
_WAVES = 3
# What a season has to explain of what the trend does not, also where it could be teeth; the least it has to swing, in
# noises.
EXPLAINS, ALONE = 0.5, 0.9
_SWINGS = 3.0
# Below so much of that the first look is enough.
_WORTH = 0.7
# Each of the last days has to go along by so much.
_AGREES = 0.3

Season = Callable[[Array], Array]


def find_season(at: Array, value: Array, noise: float, explains: float = EXPLAINS) -> Season | None:
    """What to add to a trend at each moment; None when nothing comes again.

    + at, value: oldest first
    + explains: the share of what the trend does not explain that it has to
    """
    # Of late there are four stretches to an hour: every third of them does.
    recent = (at > at[-1] - _BACK) & ((np.diff(at, prepend=0.0) > _CLOSE) | (np.arange(at.size) % 3 == 0))
    at, value = at[recent], value[recent]
    days = (at[-1] - at[0]) / DAY
    if days < _DAYS or at.size < 12 * days:
        return None
    waves = [(DAY, each) for each in range(1, _WAVES + 1)]
    if days >= _WEEKS - 0.5:
        waves += [(WEEK, 1), (WEEK, 2)]
    weight = np.sqrt(np.clip(np.gradient(at) / 3600.0, 0.1, 1.0))
    trend = _bends(at)
    season = _waves(at, waves)
    both = np.hstack([trend, season])
    plain = value - trend @ _solved(trend, value, weight)
    found = _solved(both, value, weight)
    if float(np.sum((value - both @ found) ** 2)) > (1 - _WORTH * explains) * float(np.sum(plain**2)):
        return None
    for _ in range(2):
        left = value - both @ found
        scale = 2.0 * max(1e-6, float(np.median(np.abs(left))) * 1.4826)
        found = _solved(both, value, weight * np.sqrt(np.minimum(1.0, scale / np.maximum(np.abs(left), 1e-9))))
    left = value - both @ found
    size = found[trend.shape[1] :]
    shape = season @ size
    explained = 1 - float(np.average(left**2, weights=weight**2)) / max(
        1e-9, float(np.average(plain**2, weights=weight**2))
    )
    if explained < explains or float(np.ptp(shape)) < max(1.0, _SWINGS * noise):
        return None
    if not _agree(at, left + shape, shape, weight):
        return None
    return lambda moments: _waves(moments, waves) @ size


def _agree(at: Array, seen: Array, shape: Array, weight: Array) -> bool:
    """Whether the days themselves go along: one big bump on one day is no season."""
    day = np.floor((at[-1] - at) / DAY).astype(int)
    agreeing = []
    for each in range(int(day.max()) + 1):
        inside = day == each
        power = float(np.sum((weight[inside] * shape[inside]) ** 2))
        if inside.sum() >= 6 and power > 0:
            agreeing.append(float(np.sum(weight[inside] ** 2 * seen[inside] * shape[inside])) / power)
    good = sum(_AGREES < each < 2 - _AGREES for each in agreeing)
    return len(agreeing) >= 2 and good >= 0.8 * len(agreeing)


def _bends(at: Array) -> Array:
    """A line that may bend each two days."""
    since = (at - at[0]) / DAY
    knots = np.arange(2.0, since[-1] - 1.0, 2.0)
    return np.column_stack([np.ones(at.size), since, *(np.maximum(0.0, since - each) for each in knots)])


def _waves(at: Array, waves: list[tuple[float, int]]) -> Array:
    angles = [2 * np.pi * number * (at / period) for period, number in waves]
    return np.column_stack([each for angle in angles for each in (np.sin(angle), np.cos(angle))])


def _solved(columns: Array, value: Array, weight: Array) -> Array:
    scaled = columns * weight[:, None]
    # A little is kept back, so that what is not told apart stays small.
    square = scaled.T @ scaled + 1e-6 * np.eye(columns.shape[1]) * scaled.shape[0]
    solved: Array = np.linalg.solve(square, scaled.T @ (value * weight))
    return solved
