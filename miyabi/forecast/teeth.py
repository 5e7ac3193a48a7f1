"""Teeth: what grows and is cut again and again, such as logs. What counts is whether the peaks reach the limit. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from miyabi.forecast.samples import Array, Known
from miyabi.forecast.shifts import Shifts

# A cut is at least so much of the deepest one.
_DEEP = 0.3
# So much higher, and so much later than ever, is one that is not cut any more.
_HIGHER, _LATER = 0.2, 1.4
# Of one cut nobody knows whether it comes again, unless it went back to where it all began.
_BACK = 0.15


@dataclass(frozen=True, slots=True)
class Teeth:
    """The teeth of a measure.

    + cut_at: when each was cut, oldest first
    + peaks: how high each was then
    + depth: how deep a cut is, typically
    + every: seconds from one cut to the next; None when there was only one
    + unsteady: how much that differs, as a share
    """

    cut_at: Array
    peaks: Array
    depth: float
    every: float | None
    unsteady: float

    def is_broken(self, now: float, value: float, noise: float) -> bool:
        """Whether the tooth that grows now is not cut as those before it were."""
        higher = value > float(self.peaks.max()) + max(_HIGHER * self.depth, 2 * noise)
        if self.every is None:
            return value > float(self.peaks.max()) + max(0.05 * self.depth, 2 * noise)
        late = now - float(self.cut_at[-1]) > _LATER * self.longest
        return higher or (late and value > float(self.peaks.max()) + 2 * noise) 

    @property
    def longest(self) -> float:
        """The longest time from one cut to the next."""
        return float(np.diff(self.cut_at).max()) if self.cut_at.size > 1 else 0.0


def find_teeth(known: Known, shifts: Shifts) -> Teeth | None:
    """The teeth of a measure; None when it is not cut again and again."""
    cut = shifts.size < 0
    if not cut.any():
        return None
    depth = -shifts.size[cut]
    places = shifts.place[cut].astype(int)
    deep = depth >= _DEEP * depth.max()
    depth, places = depth[deep], places[deep]
    at = shifts.at[cut][deep]
    peaks = np.array([known.high[max(0, each - 2) : each + 1].max() for each in places])
    typical = float(np.median(depth))
    if at.size == 1:
        floor = float(shifts.after[cut][deep][0])
        begin = float(known.mean[: max(1, places[0] // 8)].min())
        if floor > begin + _BACK * typical:
            return None
        return Teeth(at, peaks, typical, None, 1.0)
    between = np.diff(at)
    every = float(np.median(between))
    unsteady = float(np.median(np.abs(between - every))) * 1.4826 / every if every > 0 else 1.0
    return Teeth(at, peaks, typical, every, unsteady)
