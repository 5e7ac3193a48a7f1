"""Series of a disk whose end is known, in families, with wide ranges of everything that may differ.

Nothing here knows how predictions are made. ``truth`` is the measure without noise and rounding.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

HOUR = 3600.0
DAY = 86400.0
START = 1_790_000_000.0

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Sample:
    """One series.

    + at, value: what the looks saw, in seconds since the epoch and in percent
    + crosses_at: when the truth reaches the limit first; None when it does not
    + seen_at: when a look saw it at the limit first; None when none did
    + sudden: whether a step took it over, which nobody can foretell
    """

    family: str
    at: Array
    value: Array
    limit: float
    crosses_at: float | None
    seen_at: float | None
    sudden: bool


def make(family: str, seed: int) -> Sample:
    """The series of a family with this seed: always the same."""
    rng = np.random.default_rng([sorted(FAMILIES).index(family), seed])
    limit = float(rng.choice([90.0, 90.0, 90.0, 80.0, 95.0]))
    # What is known before anything happens, and what comes.
    length = float(rng.uniform(1.5, 30)) * DAY
    fine = np.arange(0.0, length, 60.0)
    truth, steps = FAMILIES[family](rng, fine, limit)
    at = _looks(rng, length)
    clean = np.interp(at, fine, truth)
    # Where it leaps, nothing is between.
    places = np.searchsorted(fine, at, side="right") - 1
    clean = truth[places] if steps.size else clean
    noise = float(rng.choice([0.0, 0.1, 0.3, 1.0])) if family != "noisy" else float(rng.uniform(0.5, 3.0))
    if family == "seasonal":
        noise = float(rng.choice([0.0, 0.3, 1.0]))
    value = clean + rng.normal(0, 1, at.size) * noise
    if rng.random() < 0.4:
        value = np.ceil(value) if rng.random() < 0.5 else np.round(value)
    value = np.clip(value, 0, 100)
    reached = np.flatnonzero(truth >= limit)
    crosses = float(fine[reached[0]]) if reached.size else None
    seen = np.flatnonzero(value >= limit)
    sudden = crosses is not None and bool(np.any(np.abs(steps - crosses) <= 120))
    return Sample(
        family,
        at + START,
        value,
        limit,
        None if crosses is None else crosses + START,
        float(at[seen[0]]) + START if seen.size else None,
        sudden,
    )


def _looks(rng: np.random.Generator, length: float) -> Array:
    """When somebody looked: every 1 to 30 minutes, not exactly, with gaps."""
    every = float(rng.choice([60.0, 120.0, 300.0, 300.0, 600.0, 900.0, 1800.0]))
    at = np.arange(0.0, length, every) + rng.uniform(-0.2, 0.2) * every
    at = np.maximum(0.0, at + rng.normal(0, 0.03 * every, at.size))
    keep = rng.random(at.size) > float(rng.choice([0.0, 0.0, 0.02, 0.2]))
    for _ in range(int(rng.integers(0, 4))):
        begin = rng.uniform(0, length)
        keep &= ~((at >= begin) & (at < begin + rng.uniform(0.5, 8) * HOUR))
    return np.sort(at[keep])


Shape = tuple[Array, Array]
_NONE = np.array([])


def _linear(rng: np.random.Generator, at: Array, limit: float) -> Shape:
    """A straight line from the beginning; some reach the limit, some come near it, some fall."""
    start = rng.uniform(20, limit - 5)
    to_limit = float(np.exp(rng.uniform(np.log(9 * HOUR), np.log(60 * DAY))))
    slope = (limit - start) / to_limit
    if rng.random() < 0.15:
        slope = -slope / 3
    return np.minimum(start + slope * at, 99.5), _NONE


def _flat(rng: np.random.Generator, at: Array, limit: float) -> Shape:
    """Nothing happens, but a wander of a percent or so."""
    level = rng.uniform(10, limit - 4)
    period = rng.uniform(2, 20) * DAY
    return level + rng.uniform(0, 0.8) * np.sin(2 * np.pi * (at / period + rng.random())), _NONE


def _noisy(rng: np.random.Generator, at: Array, limit: float) -> Shape:
    """Lines and flats under much noise."""
    if rng.random() < 0.5:
        return np.full(at.size, rng.uniform(20, limit - 12)), _NONE
    start = rng.uniform(20, limit - 20)
    to_limit = float(np.exp(rng.uniform(np.log(15 * HOUR), np.log(30 * DAY))))
    return np.minimum(start + (limit - start) / to_limit * at, 99.5), _NONE


def _step(rng: np.random.Generator, at: Array, limit: float) -> Shape:
    """Files are written and removed at once; between, a line."""
    start = rng.uniform(20, limit - 15)
    to_limit = float(np.exp(rng.uniform(np.log(DAY), np.log(90 * DAY))))
    slope = (limit - start) / to_limit * rng.choice([0.0, 1.0, 1.0])
    truth = start + slope * at
    count = int(rng.integers(1, 5))
    steps = np.sort(rng.uniform(0, at[-1], count))
    for moment in steps:
        truth = truth + np.where(at >= moment, rng.uniform(3, 25) * rng.choice([1, 1, -1]), 0)
    return np.clip(truth, 1, 99.5), steps


def _staircase(rng: np.random.Generator, at: Array, limit: float) -> Shape:
    """Something of about the same size is written again and again, such as a backup, and never removed."""
    start = rng.uniform(20, limit - 15)
    every = rng.uniform(3, 26) * HOUR
    size = rng.uniform(0.5, 4)
    count = int(at[-1] / every) + 2
    moments = np.cumsum(rng.normal(every, 0.05 * every, count))
    sizes = np.maximum(0.1, rng.normal(size, 0.15 * size, count))
    total = np.concatenate([[0.0], np.cumsum(sizes)])
    return np.clip(start + total[np.searchsorted(moments, at, side="right")], 1, 99.5), _NONE


def _seasonal(rng: np.random.Generator, at: Array, limit: float) -> Shape:
    """A wave of a day, or of a day and a week, with or without a line."""
    swing = rng.uniform(1.5, 15)
    level = rng.uniform(20, limit - swing - 3)
    hour = 2 * np.pi * (at / DAY + rng.random())
    wave = np.sin(hour)
    if rng.random() < 0.4:
        wave = 0.8 * wave + 0.35 * np.sin(2 * hour + rng.uniform(0, 6))
    if rng.random() < 0.3:
        # Busy hours: up in the morning, down in the evening.
        wave = np.tanh(3 * np.sin(hour))
    week = np.sin(2 * np.pi * (at / (7 * DAY) + rng.random())) * rng.choice([0.0, 0.0, 0.3])
    slope = 0.0
    if rng.random() < 0.6:
        slope = (limit - level) / float(np.exp(rng.uniform(np.log(3 * DAY), np.log(40 * DAY))))
    return np.minimum(level + swing * wave + swing * week + slope * at, 99.5), _NONE


def _sawtooth(rng: np.random.Generator, at: Array, limit: float) -> Shape:
    """Logs grow and are rotated, by the clock or by their size.

    Some grow from tooth to tooth, some are no longer rotated from some moment on.
    """
    period = float(np.exp(rng.uniform(np.log(3 * HOUR), np.log(5 * DAY))))
    height = rng.uniform(3, 40)
    floor = rng.uniform(10, limit - height - 3)
    jitter = float(rng.choice([0.0, 0.05, 0.15]))
    growth = 0.0
    fate = rng.random()
    if fate < 0.35:
        growth = (limit - height - floor) / float(np.exp(rng.uniform(np.log(3 * DAY), np.log(40 * DAY))))
    breaks = at[-1] * rng.uniform(0.4, 0.9) if 0.35 <= fate < 0.6 else np.inf
    by_size = rng.random() < 0.5
    truth = np.empty(at.size)
    begin, phase, cuts = 0.0, rng.random() * 0.8, []
    while begin < at[-1]:
        lasts = period * max(0.3, rng.normal(1, jitter))
        rate = height / period * (1 if by_size else max(0.3, rng.normal(1, jitter)))
        end = np.inf if begin + lasts > breaks else begin + lasts * (1 - phase)
        inside = (at >= begin) & (at < end)
        truth[inside] = floor + phase * height + rate * (at[inside] - begin) + growth * at[inside]
        begin, phase = end, 0.0
        cuts.append(end)
    steps = [each for each in cuts if np.isfinite(each)]
    # Between the highest that was usual and the limit there is too little time.
    if np.isfinite(breaks) and (limit - floor - height) / (height / period) < 9 * HOUR:
        steps += list(at[np.flatnonzero(truth >= limit)[:1]])
    return np.clip(truth, 1, 99.5), np.array(steps)


def _bend(rng: np.random.Generator, at: Array, limit: float) -> Shape:
    """Flat or slow for long, then suddenly fast: something has begun to fill the disk."""
    bend = rng.uniform(0.3, 0.9) * at[-1]
    level = rng.uniform(20, limit - 5)
    slow = rng.choice([0.0, 0.0, 0.02]) / HOUR * rng.random()
    lead = rng.uniform(9, 60) * HOUR
    before = level + slow * np.minimum(at, bend)
    before = np.minimum(before, limit - 2)
    return np.minimum(before + np.maximum(0, at - bend) * (limit - before[-1]) / lead, 99.5), _NONE


def _saturating(rng: np.random.Generator, at: Array, limit: float) -> Shape:
    """It grows ever more slowly: most end below the limit."""
    start = rng.uniform(10, limit - 20)
    end = rng.uniform(start + 8, limit + 6)
    return np.minimum(end - (end - start) * np.exp(-at / (rng.uniform(0.3, 6) * DAY)), 99.5), _NONE


FAMILIES: dict[str, Callable[[np.random.Generator, Array, float], Shape]] = {
    "linear": _linear,
    "flat": _flat,
    "noisy": _noisy,
    "step": _step,
    "staircase": _staircase,
    "seasonal": _seasonal,
    "sawtooth": _sawtooth,
    "bend": _bend,
    "saturating": _saturating,
}
