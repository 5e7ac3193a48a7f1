"""When measures reach their limits: truths that are known, and what must not be said."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from miyabi.figures import Series
from miyabi.forecast.crossing import Forecast, predict_series
from miyabi.forecast.season import find_season
from tests.forecast.families import DAY, HOUR, START, Array

Shape = Callable[[Array], Array]


def looked(shape: Shape, *, days: float = 5.0, every: float = 300.0, noise: float = 0.0, seed: int = 1) -> Forecast:
    """What is foretold at the end of a measure of this shape, by hours since its beginning; its limit is 90."""
    return told(*series(shape, days=days, every=every, noise=noise, seed=seed))


def series(
    shape: Shape, *, days: float = 5.0, every: float = 300.0, noise: float = 0.0, seed: int = 1
) -> tuple[Array, Array]:
    """The moments and values of a measure of this shape."""
    at = np.arange(0.0, days * DAY, every)
    return at + START, shape(at / HOUR) + np.random.default_rng(seed).normal(0, 1, at.size) * noise


def told(at: Array, value: Array, *, limit: float = 90.0, falling: bool = False) -> Forecast:
    """What is foretold at the last look."""
    return predict_series((list(at), list(value)), limit, DAY, float(at[-1]), falling=falling)


def hours(found: Forecast, at: Array) -> float:
    """In how many hours from the last look it crosses."""
    assert found.outcome == "crosses", found
    assert found.crosses_at is not None
    assert found.earliest is not None
    assert found.latest is not None
    assert at[-1] <= found.earliest <= found.crosses_at <= found.latest
    return (found.crosses_at - float(at[-1])) / HOUR


@pytest.mark.parametrize("noise", [0.0, 0.3, 1.0])
def test_a_line_reaches_its_limit_where_it_does(noise: float) -> None:
    at, value = series(lambda hour: 40 + 0.3 * hour, noise=noise)
    found = told(at, value)
    truth = (90 - 40 - 0.3 * 120) / 0.3
    assert hours(found, at) == pytest.approx(truth, abs=3 + 4 * noise)
    assert found.earliest is not None
    assert found.latest is not None
    assert found.earliest <= at[-1] + truth * HOUR + 300 <= found.latest + 900
    assert found.samples == at.size
    assert found.value == pytest.approx(76, abs=5 * noise + 0.3)


def test_what_falls_is_turned_round() -> None:
    at, value = series(lambda hour: 60 - 0.3 * hour)
    found = told(at, value, limit=10, falling=True)
    assert hours(found, at) == pytest.approx((24 - 10) / 0.3, abs=3)
    assert found.value == pytest.approx(24, abs=0.5)
    drawn = [(low, mean, high) for _, mean, low, high in found.path]
    assert all(low <= mean <= high for low, mean, high in drawn)
    assert drawn[0][1] > drawn[-1][1]


def test_a_series_of_the_history_is_read_with_its_worst_values() -> None:
    at = np.arange(0.0, 3 * DAY, 900.0) + START
    mean = 60 - (at - START) / HOUR * 0.5
    of_memory = Series(
        "mugen", "memory_available", 900.0, list(at), list(mean - 1), list(mean), list(mean + 1), [3] * at.size
    )
    found = predict_series(of_memory, 10.0, DAY, float(at[-1]) + 900)
    assert found.outcome == "crosses"
    assert found.value == pytest.approx(23.1, abs=0.2)
    assert found.samples == 3 * at.size


@pytest.mark.parametrize(
    "shape",
    [
        lambda hour: np.full(hour.size, 88.0),
        lambda hour: 60 + 0.4 * np.sin(hour / 30),
        lambda hour: 80 - 0.1 * hour,
        lambda hour: np.where(hour < 110, 50.0, 75.0),
        lambda hour: np.where(hour < 119.5, 50.0, 75.0),
        lambda hour: 55 + 30 * ((hour + 3) % 20) / 20,
        lambda hour: 70 + 15 * np.sin(2 * np.pi * hour / 24),
        lambda hour: 85 - 40 * np.exp(-hour / 20),
        # It goes up and down as it likes, and was higher two days ago.
        lambda hour: 70 + 15 * np.sin(2 * np.pi * hour / 58),
        # A tooth that is a little higher than those before it, because more was written.
        lambda hour: np.where(hour < 100, 50 + hour % 20, 50 + 1.35 * (hour - 100)) + 0 * hour,
    ],
    ids=["flat", "wander", "falls", "step", "step-just-now", "teeth", "daily", "saturated", "slow-wave", "high-tooth"],
)
@pytest.mark.parametrize("noise", [0.0, 0.3])
def test_what_does_not_reach_it_is_not_said_to(shape: Shape, noise: float) -> None:
    found = looked(shape, noise=noise)
    assert found.outcome == "no-trend", found
    assert found.why
    assert (found.crosses_at, found.earliest, found.latest, found.path) == (None, None, None, ())


@pytest.mark.parametrize(
    ("shape", "truth"),
    [
        # It was flat for days; then something began to fill it.
        (lambda hour: 40 + np.maximum(0, hour - 108) * 2.0, 13.0),
        # A big file was removed meanwhile, which changes no slope.
        (lambda hour: 50 + 0.4 * hour - np.where(hour > 60, 20.0, 0.0), 30.0),
        # A big file was written, and the slope goes on from there.
        (lambda hour: 20 + 0.4 * hour + np.where(hour > 100, 15.0, 0.0), 17.5),
        # Each day's peak is a little higher; the next one is too high.
        (lambda hour: 59.5 + 0.15 * hour + 12 * np.sin(2 * np.pi * (hour - 4) / 24), 7.5),
        # A backup of 3 percent every 12 hours.
        (lambda hour: 56 + 3.0 * np.floor((hour + 3) / 12), 21.0),
        # The rotation has stopped.
        (lambda hour: np.where(hour < 80, 40 + 20 * (hour % 20) / 20, 40 + (hour - 80)), 10.0),
    ],
    ids=["bend", "removed", "written", "daily", "stairs", "rotation-stopped"],
)
def test_what_reaches_it_is_said_to(shape: Shape, truth: float) -> None:
    at, value = series(shape, noise=0.1)
    found = told(at, value)
    assert hours(found, at) == pytest.approx(truth, abs=6)
    assert found.within(DAY, float(at[-1])) is (hours(found, at) <= 24)


def test_one_busy_day_is_no_season() -> None:
    at, value = series(lambda hour: 40 + 20 * np.exp(-((hour - 30) ** 2) / 30), days=3.0)
    assert find_season(at, value, 0.1) is None
    at, value = series(lambda hour: 40 + 20 * np.exp(-((hour % 24 - 6) ** 2) / 30), days=3.0)
    season = find_season(at, value, 0.1)
    assert season is not None
    assert float(np.ptp(season(at))) == pytest.approx(20, abs=4)


def test_what_is_there_already_is_said_at_once() -> None:
    at, value = series(lambda hour: 60 + 0.3 * hour)
    found = told(at, value)
    assert (found.crosses_at, found.earliest, found.latest) == (at[-1], at[-1], at[-1])


@pytest.mark.parametrize(
    ("days", "every", "later", "why"),
    [(0.1, 60.0, 0.0, "too few"), (1.0, 4 * HOUR, 0.0, "too few"), (3.0, 300.0, 7 * HOUR, "lately")],
)
def test_nothing_is_foretold_without_enough_looks(days: float, every: float, later: float, why: str) -> None:
    at, value = series(lambda hour: 40 + 2 * hour / 3, days=days, every=every)
    found = predict_series((list(at), list(value)), 90.0, DAY, float(at[-1]) + later)
    assert found.outcome == "too-few-samples"
    assert why in found.why
    assert predict_series(([], []), 90.0, DAY, START).outcome == "too-few-samples"


def test_neither_order_nor_what_makes_no_sense_matters() -> None:
    at, value = series(lambda hour: 40 + 0.3 * hour, noise=0.3)
    mixed = np.random.default_rng(3).permutation(at.size)
    strange = np.concatenate([at[mixed], [at[0] + 7, at[5] + 3, math.nan]])
    values = np.concatenate([value[mixed], [math.nan, math.inf, 50.0]])
    now = float(at[-1])
    assert predict_series((list(strange), list(values)), 90.0, DAY, now) == predict_series(
        (list(at), list(value)), 90.0, DAY, now
    )


def test_what_comes_later_does_not_count() -> None:
    at, value = series(lambda hour: np.where(hour < 80, 50 + 0.05 * hour, 54 + 2 * (hour - 80)), noise=0.2)
    now = float(at[0]) + 75 * HOUR
    known = at <= now
    whole, part = (
        predict_series((list(a), list(v)), 90.0, DAY, now) for a, v in ((at, value), (at[known], value[known]))
    )
    assert (whole.outcome, whole.crosses_at is None) == (part.outcome, part.crosses_at is None)


@settings(max_examples=60, deadline=None)
@given(
    values=st.lists(st.floats(-1e6, 1e6) | st.sampled_from([0.0, 100.0, math.nan, math.inf]), max_size=120),
    gaps=st.lists(
        st.sampled_from([0.0, 1.0, 60.0, 900.0, 3600.0, 20_000.0, -5000.0, 400_000.0]), min_size=120, max_size=120
    ),
    limit=st.floats(-100, 200),
    falling=st.booleans(),
)
def test_any_numbers_are_answered(values: list[float], gaps: list[float], limit: float, *, falling: bool) -> None:
    at = list(START + np.cumsum(gaps)[: len(values)])
    now = max([START, *at])
    found = predict_series((at, values), limit, DAY, now, falling=falling)
    moments = [each[0] for each in found.path]
    assert moments == sorted(moments)
    assert all(math.isfinite(each) for point in found.path for each in point)
    if found.outcome == "crosses":
        assert found.crosses_at is not None
        assert found.earliest is not None
        assert found.latest is not None
        assert now <= found.earliest <= found.crosses_at <= found.latest < math.inf
    else:
        assert found.crosses_at is None
        assert found.why
