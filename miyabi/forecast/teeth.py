"""Teeth: what grows and is cut again and again, such as logs: what counts is whether peaks reach the limit. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from miyabi.forecast.samples import Array, Known
from miyabi.forecast.shifts import Shifts

# A cut is at least so much of the deepest one.
_DEEP = 0.3
# So much higher than ever, or so much later than it should be, is one that is not cut any more; so much higher where
# there was only one.
_HIGHER, _LATER, _ABOVE = 0.6, 1.2, 0.05
# Cuts that say how often it is cut.
_LATELY = 9
# Peaks from which it is told whether they grow.
_GROWN = 4
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
        highest = float(self.peaks.max()) + 2 * noise
        if self.every is None:
            return value > highest + _ABOVE * self.depth
        late = now - float(self.cut_at[-1]) > self.every * (_LATER + 2 * self.unsteady)
        return value > highest + _HIGHER * self.depth or (late and value > highest)


def find_teeth(known: Known, shifts: Shifts) -> Teeth | None:
    """The teeth of a measure; None when it is not cut again and again."""
    cut = shifts.size < 0
    # What goes up at once as far as down is no growth that is cut.
    if not cut.any() or (cut.sum() > 1 and shifts.size[~cut].sum() > -0.5 * shifts.size[cut].sum()):
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
    # Short teeth are not all seen in what is kept by the hour.
    between = np.diff(at[-_LATELY:])
    every = float(np.median(between))
    unsteady = float(np.median(np.abs(between - every))) * 1.4826 / every if every > 0 else 1.0
    return Teeth(at, peaks, typical, every, unsteady)


def next_peaks(teeth: Teeth) -> tuple[float, float, float]:
    """By how much the peaks grow from one to the next, the last of them, and how far they are from that line."""
    peaks = teeth.peaks[-12:]
    if peaks.size < _GROWN:
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
