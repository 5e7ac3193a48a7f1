"""What predictions were worth, as somebody else would define it: every hourly look asked, nothing left out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from miyabi.forecast.crossing import SEEN, predict_series
from miyabi.forecast.samples import Samples
from tests.forecast.families import DAY, HOUR, Sample

HORIZON = DAY


@dataclass(frozen=True, slots=True)
class Judged:
    """What came of one series, up to its first crossing.

    + is_case: whether it crossed, with time enough to say so
    + alarms, false: runs of looks that said so, and those that began with nothing to come within a horizon
    + false_late: those with nothing to come within two
    + within, intervals: how often the truth was within the interval
    """

    is_case: bool
    is_foretold: bool
    alarms: int
    false: int
    false_late: int
    within: int
    intervals: int


def judge(sample: Sample, every: float = HOUR) -> Judged:
    """Ask at each look whether it crosses within the horizon, and compare with the truth."""
    samples = Samples(sample.at, sample.value)
    begin = float(sample.at[0]) + 6 * HOUR
    crosses = sample.crosses_at
    end = float(sample.at[-1]) if crosses is None else crosses
    said, within, intervals = [], 0, 0
    for at in np.arange(begin, end, every):
        told = predict_series(samples, sample.limit, HORIZON, float(at))
        if not told.within(HORIZON, float(at)) or told.method == SEEN:
            continue
        said.append(float(at))
        if crosses is not None and crosses <= at + 2 * HORIZON:
            assert told.earliest is not None
            assert told.latest is not None
            intervals += 1
            within += told.earliest - 900 <= crosses <= told.latest + 900
    # What was said so late that its end is not in the series is neither right nor wrong.
    known = [at for at in said if crosses is not None or at + 2 * HORIZON <= sample.at[-1]]
    first = [at for at in known if at - every not in said]
    is_case = crosses is not None and not sample.sudden and crosses - HORIZON / 4 >= begin
    return Judged(
        is_case,
        crosses is not None and any(crosses - HORIZON <= at <= crosses - HORIZON / 4 for at in said),
        len(first),
        sum(crosses is None or crosses > at + HORIZON for at in first),
        sum(crosses is None or crosses > at + 2 * HORIZON for at in first),
        within,
        intervals,
    )
