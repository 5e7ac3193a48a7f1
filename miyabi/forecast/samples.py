"""What is known of a measure, as numbers in which more is worse: in short stretches of late, in hours before. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from miyabi.figures import Series

Array = npt.NDArray[np.float64]
Places = npt.NDArray[np.intp]

HOUR = 3600.0
DAY = 86400.0

# Stretches of the last two days, and of what was before.
FINE = 900.0
COARSE = HOUR
RECENT = 2 * DAY
# What is older says nothing about today.
LOOK_BACK = 30 * DAY

# So many whole numbers in a row are no chance.
_ROUNDED = 12


def middle_of(values: Array) -> float:
    """The median; of few values numpy's own takes five times as long."""
    ordered = np.sort(values)
    return float(ordered[(ordered.size - 1) // 2] + ordered[ordered.size // 2]) / 2


@dataclass(frozen=True, slots=True)
class Known:
    """A measure as it was known at one moment, in stretches; more is worse.

    + at: the middle of each stretch, in seconds since the epoch, growing
    + mean, high: of what was seen in it
    + count: how many looks there were in all
    + quantum: what it is rounded to; 0 is not rounded
    """

    at: Array
    mean: Array
    high: Array
    count: int
    quantum: float

    def without(self, part: Array) -> Known:
        """The same with something taken off each stretch."""
        return replace(self, mean=self.mean - part, high=self.high - part)


@dataclass(frozen=True, slots=True)
class _Grid:
    begin: Array
    end: Array
    at: Array
    mean: Array
    high: Array
    count: Array


class Samples:
    """All that is known of a measure, for questions about any moment of it.

    + at: when it was looked at, in seconds since the epoch; in any order, as clocks are set back
    + mean, high: what was seen then; for single looks both are the same
    + width: seconds that each of them is about; 0 for single looks
    + falling: whether less is worse: then all is turned round
    """

    def __init__(  # noqa: PLR0913 - what a series consists of, by its names
        self,
        at: Sequence[float] | Array,
        mean: Sequence[float] | Array,
        high: Sequence[float] | Array | None = None,
        *,
        count: Sequence[int] | None = None,
        width: float = 0.0,
        falling: bool = False,
    ) -> None:
        moments, means = np.asarray(at, dtype=float), np.asarray(mean, dtype=float)
        highs = means if high is None else np.asarray(high, dtype=float)
        counts = np.ones(moments.size) if count is None else np.asarray(count, dtype=float)
        good = np.isfinite(moments) & np.isfinite(means) & np.isfinite(highs)
        order = np.argsort(moments[good], kind="stable")
        sign = -1.0 if falling else 1.0
        self.falling = falling
        moments, means, highs, counts = (each[good][order] for each in (moments, sign * means, sign * highs, counts))
        self.quantum = 1.0 if highs.size >= _ROUNDED and bool(np.all(highs == np.round(highs))) else 0.0
        self.begins, self.last_values = moments, means
        self._fine = _grid(moments, means, highs, counts, width, max(FINE, width))
        self._coarse = _grid(moments, means, highs, counts, width, max(COARSE, width))

    @classmethod
    def of(cls, series: Series) -> Samples:
        """The samples of a series of the history; of memory that is available less is worse."""
        falling = series.measure == "memory_available"
        worst = series.low if falling else series.high
        return cls(series.at, series.mean, worst, count=series.count, width=series.step, falling=falling)

    @property
    def first_at(self) -> float | None:
        """When it was looked at first; None when it never was."""
        return float(self.begins[0]) if self.begins.size else None

    @property
    def last_at(self) -> float | None:
        """When it was looked at last; None when it never was."""
        return float(self.begins[-1]) if self.begins.size else None

    def known_at(self, now: float) -> Known:
        """What was known at a moment: of the stretch that ends after it nothing, but for the last one of all."""
        fine, coarse = self._fine, self._coarse
        until = _until(fine, now)
        since = int(np.searchsorted(fine.at, now - RECENT, side="left"))
        # Hours that end before the short stretches begin.
        begin = now - RECENT if since >= until else float(fine.at[since])
        back = slice(
            int(np.searchsorted(coarse.at, now - LOOK_BACK)), int(np.searchsorted(coarse.end, begin, side="right"))
        )
        late = slice(since, max(since, until))
        return Known(
            np.concatenate([coarse.at[back], fine.at[late]]),
            np.concatenate([coarse.mean[back], fine.mean[late]]),
            np.concatenate([coarse.high[back], fine.high[late]]),
            int(coarse.count[back].sum() + fine.count[late].sum()),
            self.quantum,
        )

    def reached(self, limit: float) -> Array:
        """When it came to its limit from below: the moments of the looks that saw it first, an hour apart at least.

        + limit: of what falls, turned round
        """
        grid = self._fine
        above = grid.high >= limit
        came = np.flatnonzero(above & ~np.concatenate([[True], above[:-1]]))
        kept: list[float] = []
        for place in came:
            before = above[np.searchsorted(grid.at, grid.at[place] - HOUR) : place]
            if not before.any():
                kept.append(float(grid.at[place]))
        return np.array(kept)

    def worst_around(self) -> tuple[Array, Array]:
        """Each short stretch, and the worst that was seen in it."""
        return self._fine.at, self._fine.high


def _until(grid: _Grid, now: float) -> int:
    """How many stretches had ended by then; the last one of all counts when it has begun."""
    ended = int(np.searchsorted(grid.end, now, side="right"))
    if grid.at.size and ended == grid.at.size - 1 and grid.begin[-1] <= now:
        return ended + 1
    return ended


def _grid(at: Array, mean: Array, high: Array, count: Array, width: float, step: float) -> _Grid:  # noqa: PLR0913, PLR0917
    """Looks put together in stretches."""
    if not at.size:
        return _Grid(at, at, at, at, at, at)
    place = np.floor(at / step)
    begins = np.flatnonzero(np.concatenate([[True], place[1:] != place[:-1]]))
    weight = np.add.reduceat(count, begins)
    middle = np.add.reduceat((at + width / 2) * count, begins) / weight
    return _Grid(
        at[begins],
        (place[begins] + 1) * step,
        middle,
        np.add.reduceat(mean * count, begins) / weight,
        np.maximum.reduceat(high, begins),
        weight,
    )
