"""What predictions are worth, on made-up series whose truth is known: the table of docs/predictions.md.

Run as ``python -m benchmarks.predictions FIRST LAST``: with so many seeds of each family, some minutes.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, fields
from functools import reduce

import numpy as np

from miyabi.forecast.crossing import SEEN, predict_series
from miyabi.forecast.samples import Samples
from tests.forecast.families import DAY, FAMILIES, HOUR, Sample, make

HORIZON = DAY


@dataclass(frozen=True, slots=True)
class Worth:
    """What predictions of some series were worth.

    + cases, foretold: crossings that could be foretold, and those that were with a quarter of the horizon to spare
    + alarms, false, false_late: runs of looks that said so; those with nothing to come within a horizon, and within two
    + intervals, within: intervals that were told, and those with the truth in them
    """

    cases: int = 0
    foretold: int = 0
    alarms: int = 0
    false: int = 0
    false_late: int = 0
    intervals: int = 0
    within: int = 0

    def __add__(self, other: Worth) -> Worth:
        return Worth(*(getattr(self, each.name) + getattr(other, each.name) for each in fields(Worth)))


def worth(sample: Sample) -> Worth:
    """Ask each hour whether a series crosses its limit within the horizon, and compare with what came."""
    samples, crosses = Samples(sample.at, sample.value), sample.crosses_at
    begin, end = float(sample.at[0]) + 6 * HOUR, float(sample.at[-1])
    over = sample.at[np.asarray(sample.value) >= sample.limit]
    said, intervals, within = [], 0, 0
    for at in map(float, np.arange(begin, end if crosses is None else crosses, HOUR)):
        told = predict_series(samples, sample.limit, HORIZON, at)
        if told.method == SEEN or not told.within(HORIZON, at) or told.earliest is None or told.latest is None:
            continue
        said.append(at)
        if crosses is not None and crosses <= at + 2 * HORIZON:
            intervals += 1
            within += told.earliest - 900 <= crosses <= told.latest + 900

    def is_false(at: float, ahead: float) -> bool:
        comes = crosses is not None and crosses <= at + ahead
        return not comes and not ((over > at) & (over <= at + ahead)).any()

    # What was said so late that its end is not in the series is neither right nor wrong.
    first = [at for at in said if at - HOUR not in said and (crosses is not None or at + 2 * HORIZON <= end)]
    is_case = crosses is not None and not sample.sudden and crosses - HORIZON / 4 >= begin
    is_foretold = crosses is not None and any(crosses - HORIZON <= at <= crosses - HORIZON / 4 for at in said)
    false, false_late = (sum(is_false(at, ahead) for at in first) for ahead in (HORIZON, 2 * HORIZON))
    return Worth(is_case, is_case and is_foretold, len(first), false, false_late, intervals, within)


def main() -> None:
    """Print the table."""
    seeds = range(int(sys.argv[1]), int(sys.argv[2]))
    every = {family: reduce(Worth.__add__, (worth(make(family, seed)) for seed in seeds)) for family in FAMILIES}
    for family, one in {**every, "all": reduce(Worth.__add__, every.values())}.items():
        inside = f"{100 * one.within / one.intervals:.0f} %" if one.intervals else ""
        print(
            f"| {family} | {one.foretold} of {one.cases} | {one.alarms} | {one.false} | {one.false_late} | {inside} |"
        )


if __name__ == "__main__":
    main()
