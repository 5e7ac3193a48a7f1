"""Steps: what was written or removed at once, which is no trend; and teeth: what grows and is cut again. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from miyabi.forecast.samples import Array, Known, Places, middle_of

# A step is at least so many percent, and so many times the noise.
_LEAST = 1.5
_NOISES = 5.0
# What most changes from one hour to the next are below.
_APART, _USUAL = 4, 0.97
# So much of it happens between two stretches.
_AT_ONCE = 0.45
# Stretches before and after, of which the middle one counts: three are also seen of what was two hours ago.
_SIDE = 3


@dataclass(frozen=True, slots=True)
class Shifts:
    """The steps of a measure.

    + place: the number of the last stretch before each
    + at: when each was
    + size: by how much it went up; less than 0 is down
    + before, after: where it was on both sides
    """

    place: Places
    at: Array
    size: Array
    before: Array
    after: Array


def noise_of(known: Known) -> float:
    """The standard deviation of what is neither trend nor step, from one stretch to the next."""
    change = np.diff(known.mean)
    if change.size < 2:
        return 0.0
    return middle_of(np.abs(change - middle_of(change))) * 1.4826 / 2**0.5


def grain_of(known: Known) -> float:
    """The size of the small steps in which a measure goes: what it is rounded to, or what is written each time."""
    change = known.mean[_APART:] - known.mean[:-_APART]
    if change.size < 2 * _APART:
        return known.quantum
    off = np.sort(np.abs(change - middle_of(change)))
    return max(known.quantum, min(_LEAST, float(off[int(_USUAL * (off.size - 1))])))


def find_shifts(known: Known, noise: float) -> Shifts:
    """The steps of a measure, oldest first; one of the last half hour is not certain yet, and is none."""
    value, count = known.mean, known.mean.size
    if count < 2 * _SIDE + 1:
        return _shifts(known, np.array([], dtype=int), np.array([]), value, value)
    middle = _median_of_three(value)
    # The step after stretch number i: from the middle of i-2..i to the middle of i+1..i+3.
    places = np.arange(_SIDE - 1, count - _SIDE)
    before, after = middle[places - 2], middle[places + 1]
    # What a steady slope brings meanwhile is no step, and in a gap that may be much.
    apart = np.diff(known.at)
    slope = middle_of(np.diff(value) / apart)
    change = value[places + 1] - value[places] - slope * apart[places]
    size = after - before - slope * (known.at[places + 2] - known.at[places - 1])
    least = max(_LEAST, _NOISES * noise, 2.2 * known.quantum)
    found = (np.abs(size) > least) & (change * np.sign(size) > _AT_ONCE * np.abs(size))
    chosen: list[int] = []
    for each in np.flatnonzero(found):
        if chosen and places[each] - places[chosen[-1]] < _SIDE and size[each] * size[chosen[-1]] > 0:
            if abs(change[each]) > abs(change[chosen[-1]]):
                chosen[-1] = int(each)
        else:
            chosen.append(int(each))
    return _shifts(known, places[chosen], size[chosen], before[chosen], after[chosen])


def _shifts(known: Known, places: Places, size: Array, before: Array, after: Array) -> Shifts:
    if not len(places):
        nothing = np.array([])
        return Shifts(np.array([], dtype=int), nothing, nothing, nothing, nothing)
    return Shifts(places, (known.at[places] + known.at[places + 1]) / 2, size, before, after)


def without_shifts(known: Known, shifts: Shifts) -> tuple[Array, Array]:
    """The mean and the high of each stretch as if what was written since had been there always."""
    if not shifts.size.size:
        return known.mean, known.high
    later = np.zeros(known.at.size)
    for place, size in zip(shifts.place, shifts.size, strict=True):
        later[: int(place) + 1] += size
    return known.mean + later, known.high + later


def _median_of_three(value: Array) -> Array:
    """The middle one of each three neighbours: number i is of i..i+2."""
    one, two, three = value[:-2], value[1:-1], value[2:]
    return np.maximum(np.minimum(one, two), np.minimum(np.maximum(one, two), three))
