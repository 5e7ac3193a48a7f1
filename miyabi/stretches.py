"""How the measures of all hosts went, in stretches of equal length, kept small while looks come in. Pure."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from miyabi.figures import Measure, Series

_MINUTE, _HOUR, _DAY = 60.0, 3600.0, 86400.0
# Seconds that a stretch may last: people read these off a chart.
_STEPS = (
    *(each * _MINUTE for each in (1, 2, 5, 10, 15, 30)),
    *(each * _HOUR for each in (1, 2, 3, 6, 12)),
    *(each * _DAY for each in (1, 2, 7)),
)
# Points of one chart, and of all of them together: a page is read, not searched.
_OF_CHART = (84, 336)
_OF_ALL = 12_000


def step_for(days: float, charts: int) -> float:
    """Seconds of a stretch, so that a chart of so many days has enough of them and all charts together not too many."""
    least, most = _OF_CHART
    points = max(least, min(most, _OF_ALL // max(1, charts)))
    return next((each for each in _STEPS if each >= days * _DAY / points), _STEPS[-1])


@dataclass(slots=True)
class _Kept:
    at: array[float] = field(default_factory=lambda: array("d"))
    low: array[float] = field(default_factory=lambda: array("d"))
    total: array[float] = field(default_factory=lambda: array("d"))
    high: array[float] = field(default_factory=lambda: array("d"))
    count: array[int] = field(default_factory=lambda: array("l"))


class Stretches:
    """The measures of all hosts.

    + step: seconds of a stretch; each begins at a multiple of it
    + keep: seconds after which a stretch is let go
    """

    def __init__(self, step: float, keep: float) -> None:
        self.step = step
        self._keep = keep
        self._kept: dict[tuple[str, Measure], _Kept] = {}
        self._changed: set[tuple[str, Measure]] = set()

    def fill(self, series: Iterable[Series]) -> None:
        """Take over what was counted already, with the same step."""
        for each in series:
            total = array("d", (mean * count for mean, count in zip(each.mean, each.count, strict=True)))
            self._kept[each.host, each.measure] = _Kept(
                array("d", each.at), array("d", each.low), total, array("d", each.high), array("l", each.count)
            )
            self._changed.add((each.host, each.measure))

    def add(self, host: str, measure: Measure, at: float, value: float) -> None:
        """Count one look in; it may be older than the last one."""
        kept = self._kept.setdefault((host, measure), _Kept())
        begins = at // self.step * self.step
        place = bisect_left(kept.at, begins)
        self._changed.add((host, measure))
        if place == len(kept.at) or kept.at[place] != begins:
            for column, first in ((kept.at, begins), (kept.low, value), (kept.total, value), (kept.high, value)):
                column.insert(place, first)
            kept.count.insert(place, 1)
            return
        kept.low[place] = min(kept.low[place], value)
        kept.high[place] = max(kept.high[place], value)
        kept.total[place] += value
        kept.count[place] += 1

    def let_go(self, now: float) -> None:
        """Forget what is too old."""
        oldest = (now - self._keep) // self.step * self.step
        for name, kept in self._kept.items():
            place = bisect_left(kept.at, oldest)
            if place:
                for column in (kept.at, kept.low, kept.total, kept.high, kept.count):
                    del column[:place]
                self._changed.add(name)

    def changed(self) -> list[Series]:
        """The measures that have changed since this was asked last; one of which nothing is left is empty."""
        found = [self._series(*name) for name in sorted(self._changed)]
        self._changed.clear()
        for each in found:
            if not each.at:
                del self._kept[each.host, each.measure]
        return found

    def _series(self, host: str, measure: Measure) -> Series:
        kept = self._kept[host, measure]
        mean: Sequence[float] = [total / count for total, count in zip(kept.total, kept.count, strict=True)]
        return Series(host, measure, self.step, kept.at, kept.low, mean, kept.high, kept.count)
