"""How the predictions did on a measure's own past: what was said at each earlier look, and what came. Pure.

A crossing is foretold when, at some look at least a quarter of the horizon and at most one horizon before it, it was
said to come within the horizon. What was said is false when no crossing came within the horizon after it. Looks in a
row that say so are one alarm, which is false when its first one is. A step that goes over the limit at once is no case:
nobody can foretell it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from statistics import median

import numpy as np

from miyabi.figures import Series
from miyabi.forecast.crossing import Forecast, twice
from miyabi.forecast.samples import DAY, HOUR, Array, Samples
from miyabi.forecast.shifts import find_shifts, noise_of

# Nothing is said before so much is known.
_BEGINS = 6 * HOUR
# Looks at which it might be said are found by how far the measure has gone: so much of what is left, within as long.
_SLOWLY, _QUICKLY = (36, 0.6), (3, 0.1)


@dataclass(frozen=True, slots=True)
class Backtest:
    """What came of it.

    + series, days: how many were replayed, and how long they were together
    + cases, foretold: crossings, and those of them that were foretold
    + sudden: crossings by a step, which are no cases
    + alarms, false_alarms, false_late: how often it was said, how often wrongly, and how often nothing came within two
      horizons, either
    + said, said_wrongly: the same for each look
    + within, intervals: how often the truth was within the interval, of the looks whose crossing came
    + hours_off: by how much the looks whose crossing came were off
    """

    series: int = 0
    days: float = 0.0
    cases: int = 0
    foretold: int = 0
    sudden: int = 0
    alarms: int = 0
    false_alarms: int = 0
    false_late: int = 0
    said: int = 0
    said_wrongly: int = 0
    within: int = 0
    intervals: int = 0
    hours_off: tuple[float, ...] = ()

    @property
    def median_hours_off(self) -> float | None:
        """By how much it was off, typically; None when nothing that was said came."""
        return median(self.hours_off) if self.hours_off else None

    def as_error(self) -> dict[str, float | int | None]:
        """As ``Predicted.error`` has it."""
        off = self.median_hours_off
        return {
            "cases": self.cases,
            "foretold": self.foretold,
            "missed": self.cases - self.foretold,
            "sudden": self.sudden,
            "alarms": self.alarms,
            "false_alarms": self.false_alarms,
            "false_alarms_of_two_horizons": self.false_late,
            "looks": self.said,
            "false_looks": self.said_wrongly,
            "within_interval": None if not self.intervals else round(self.within / self.intervals, 3),
            "median_hours_off": None if off is None else round(off, 2),
            "days": round(self.days, 1),
        }


def together(some: Iterable[Backtest]) -> Backtest:
    """Several in one."""
    each = list(some)
    names = [field.name for field in fields(Backtest) if field.name != "hours_off"]
    sums = {name: sum(getattr(one, name) for one in each) for name in names}
    return Backtest(**sums, hours_off=tuple(off for one in each for off in one.hours_off))


def backtest(series: Series | Samples, limit: float, horizon: float, *, most: int = 2000) -> Backtest:
    """Replay a measure's past, hour by hour.

    + limit: the value that must not be reached
    + horizon: seconds
    + most: how many looks are replayed at most, evenly; the others are left out
    """
    samples = Samples.of(series) if isinstance(series, Series) else series
    begin, end = samples.first_at, samples.last_at
    if begin is None or end is None or end - begin < _BEGINS:
        return Backtest(series=1, days=0.0 if begin is None or end is None else (end - begin) / DAY)
    looks = np.arange(begin + _BEGINS, end, HOUR)
    signed = -limit if samples.falling else limit
    chosen = _worth_asking(samples, signed, looks, horizon)
    every = max(1, -(-chosen.size // most))
    told = _Told(samples, signed, horizon, end)
    said = [(float(at), found) for at in chosen[::every] if (found := told.at(float(at))) is not None]
    return _judged(samples, signed, horizon, (begin, end), said, every)


@dataclass(slots=True)
class _Told:
    samples: Samples
    limit: float
    horizon: float
    end: float

    def at(self, moment: float) -> Forecast | None:
        """What was said then; None when nothing was."""
        found = twice(self.samples, self.limit, moment, self.horizon, ahead=1.5 * self.horizon)
        return found if found.within(self.horizon, moment) and found.crosses_at != moment else None


def _worth_asking(samples: Samples, limit: float, looks: Array, horizon: float) -> Array:
    """The looks at which it could be said at all: it has gone far enough, and is not there."""
    at, high = samples.worst_around()
    hour = np.floor((at - looks[0]) / HOUR).astype(int)
    first = int(hour[0])
    count = int(hour[-1]) - first + 1
    most, least = np.full(count, -np.inf), np.full(count, np.inf)
    np.maximum.at(most, hour - first, high)
    np.minimum.at(least, hour - first, high)
    last = most.copy()
    for place in range(1, count):
        if not np.isfinite(last[place]):
            last[place] = last[place - 1]
    place = np.clip(np.floor((looks - looks[0]) / HOUR).astype(int) - first - 1, 0, count - 1)
    left = limit - last[place]
    worth = np.zeros(looks.size, dtype=bool)
    for hours, share in (_SLOWLY, _QUICKLY):
        top, bottom = most.copy(), least.copy()
        for back in range(1, hours):
            top[back:] = np.maximum(top[back:], most[:-back])
            bottom[back:] = np.minimum(bottom[back:], least[:-back])
        with np.errstate(invalid="ignore"):
            worth |= (top - bottom)[place] >= share * left * (DAY / max(DAY, horizon))
    there = np.isfinite(left) & (left > 0)
    chosen: Array = looks[worth & there]
    return chosen


def _judged(  # noqa: PLR0913, PLR0917 - what was said, and all that it is compared with
    samples: Samples,
    limit: float,
    horizon: float,
    between: tuple[float, float],
    said: list[tuple[float, Forecast]],
    every: int,
) -> Backtest:
    begin, end = between
    came = samples.reached(limit)
    cases = [
        each for each in came if each - horizon / 4 >= begin + _BEGINS and _was_below(samples, limit, each, horizon)
    ]
    sudden = [each for each in cases if _is_sudden(samples, each)]
    cases = [each for each in cases if each not in sudden]
    moments = np.array([at for at, _ in said])
    foretold = sum(bool(np.any((moments >= each - horizon) & (moments <= each - horizon / 4))) for each in cases)
    alarms = false = late = wrong = within = judged = intervals = 0
    off: list[float] = []
    before = -np.inf
    for at, forecast in said:
        begins = at - before > 1.5 * HOUR * every
        before = at
        coming = came[came >= at]
        next_at = float(coming[0]) if coming.size else np.inf
        if next_at > at + horizon and at + horizon > end:
            # What came of it is not known yet.
            continue
        judged += 1
        is_wrong = next_at > at + horizon
        wrong += is_wrong
        alarms += begins
        false += begins and is_wrong
        late += begins and next_at > at + 2 * horizon
        if not is_wrong and forecast.crosses_at is not None:
            intervals += 1
            off.append(abs(forecast.crosses_at - next_at) / HOUR)
            within += (forecast.earliest or at) - 900 <= next_at <= (forecast.latest or at) + 900
    days = (end - begin) / DAY
    return Backtest(
        1, days, len(cases), foretold, len(sudden), alarms, false, late, judged, wrong, within, intervals, tuple(off)
    )


def _was_below(samples: Samples, limit: float, at: float, horizon: float) -> bool:
    """Whether there was room to foretell it: it was not there for a quarter of the horizon."""
    moments, high = samples.worst_around()
    inside = (moments >= at - horizon / 4) & (moments < at - 1)
    return not bool((high[inside] >= limit).any())


def _is_sudden(samples: Samples, at: float) -> bool:
    """Whether a step took it over."""
    known = samples.known_at(at + 2 * HOUR)
    shifts = find_shifts(known, noise_of(known))
    return bool(np.any((np.abs(shifts.at - at) <= HOUR) & (shifts.size > 0)))
