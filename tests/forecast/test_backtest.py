"""Back-tests: they say what asking every look would have said, and count as documented."""

from __future__ import annotations

import numpy as np
import pytest

from miyabi.figures import Series
from miyabi.forecast.backtest import Backtest, backtest, together
from miyabi.forecast.samples import Samples
from tests.forecast.families import DAY, HOUR, START, make
from tests.forecast.judging import judge


def ramps(days: float = 8.0, noise: float = 0.2) -> Samples:
    """A disk that fills from 40 to 92 percent within 3 days, is emptied by hand, and fills again."""
    at = np.arange(0.0, days * DAY, 600.0)
    value = 40 + (at % (3 * DAY)) / DAY * 17.4 + np.random.default_rng(2).normal(0, 1, at.size) * noise
    return Samples(at + START, value)


def test_what_comes_again_is_counted() -> None:
    told = backtest(ramps(), 90.0, DAY)
    assert (told.series, told.cases, told.foretold, told.sudden) == (1, 2, 2, 0)
    assert told.false_late == 0
    assert told.said > 20
    assert told.within >= 0.6 * told.intervals > 10
    assert told.median_hours_off is not None
    assert told.median_hours_off < 3
    assert told.days == pytest.approx(8, abs=0.1)
    error = told.as_error()
    assert (error["cases"], error["foretold"], error["missed"]) == (2, 2, 0)
    assert error["within_interval"] == round(told.within / told.intervals, 3)


def test_a_step_over_the_limit_is_no_case() -> None:
    at = np.arange(0.0, 5 * DAY, 600.0)
    value = np.where(at < 3 * DAY, 50.0, 93.0) + np.random.default_rng(2).normal(0, 0.2, at.size)
    told = backtest(Samples(at + START, value), 90.0, DAY)
    assert (told.cases, told.foretold, told.sudden, told.alarms) == (0, 0, 1, 0)


def test_what_falls_is_tested_as_what_grows() -> None:
    up = ramps()
    at, high = up.worst_around()
    left = list(100 - high)
    down = Series("mugen", "memory_available", 900.0, list(at - 450), left, left, left, [1] * at.size)
    told = backtest(down, 10.0, DAY)
    assert (told.cases, told.foretold) == (2, 2)


@pytest.mark.parametrize(("family", "seed"), [("linear", 4), ("bend", 1), ("sawtooth", 5)])
def test_the_looks_that_are_left_out_would_have_said_nothing(family: str, seed: int) -> None:
    sample = make(family, seed)
    begin = float(sample.at[0])
    # As long as asking all of it takes a second or two.
    until = min(float(sample.at[-1]), (sample.crosses_at or np.inf) + HOUR, begin + 12 * DAY)
    kept = sample.at < until
    part = type(sample)(
        family, sample.at[kept], sample.value[kept], sample.limit, sample.crosses_at, sample.seen_at, sample.sudden
    )
    if sample.crosses_at is not None and sample.crosses_at > until:
        part = type(sample)(family, sample.at[kept], sample.value[kept], sample.limit, None, None, sudden=False)
    all_of_it = judge(part)
    told = backtest(Samples(part.at, part.value), part.limit, DAY)
    assert told.foretold >= int(all_of_it.is_case and all_of_it.is_foretold and part.seen_at is not None)
    assert abs(told.alarms - all_of_it.alarms) <= 1


def test_a_sample_of_the_looks_says_about_the_same() -> None:
    whole, some = backtest(ramps(), 90.0, DAY), backtest(ramps(), 90.0, DAY, most=25)
    assert 0 < some.said <= 25
    assert some.foretold == whole.foretold
    assert some.alarms <= whole.alarms


def test_too_little_is_tested_as_nothing() -> None:
    assert backtest(Samples([], []), 90.0, DAY) == Backtest(series=1)
    short = backtest(Samples([START, START + 60], [1.0, 2.0]), 90.0, DAY)
    assert (short.cases, short.said) == (0, 0)
    assert together([]) == Backtest()


def test_several_are_added_up() -> None:
    one = backtest(ramps(), 90.0, DAY)
    both = together([one, one])
    assert (both.series, both.cases, both.said) == (2, 2 * one.cases, 2 * one.said)
    assert both.median_hours_off == one.median_hours_off
