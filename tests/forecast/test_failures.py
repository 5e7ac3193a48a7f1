"""Restarts that foretell a failure, and those that do not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from miyabi.forecast.failures import failures_tested, restarts_foretell
from tests.forecast.families import DAY, HOUR, START

NOW = START + 30 * DAY


def test_far_more_than_ever_foretells_the_next() -> None:
    usual = [START + day * DAY for day in (3, 11, 19, 26)]
    told = restarts_foretell([*usual, *(NOW - hours * HOUR for hours in (9, 6, 3, 1))], START, NOW)
    assert told.outcome == "crosses"
    assert told.next_at is not None
    assert told.earliest is not None
    assert told.latest is not None
    assert NOW <= told.earliest <= told.latest
    assert NOW <= told.next_at <= told.latest
    assert (told.recent, told.likely) == (4, 2)


def test_gaps_that_shrink_are_said() -> None:
    usual = [START + day * DAY for day in range(2, 29, 2)]
    told = restarts_foretell([*usual, *(NOW - hours * HOUR for hours in (3, 1.5, 0.75, 0.3, 0.1))], START, NOW)
    assert told.outcome == "crosses"
    assert "more and more often" in told.why


@pytest.mark.parametrize(
    "ago",
    [
        # As often as ever.
        list(np.arange(2.0, 700.0, 8.0)),
        # Two a day ago, and nothing since.
        [20, 21, 200, 400],
        # It was bad, and is over.
        [23.8, 23.6, 23.5, 23.4, 23.2, 300],
    ],
    ids=["as-ever", "two", "over"],
)
def test_what_is_usual_or_over_is_not(ago: list[float]) -> None:
    assert restarts_foretell([NOW - hours * HOUR for hours in ago], START, NOW).outcome == "no-trend"


def test_without_a_past_nothing_is_said() -> None:
    few = restarts_foretell([NOW - hours * HOUR for hours in (1, 2, 3, 4, 5)], NOW - DAY, NOW)
    assert few.outcome == "too-few-samples"
    assert restarts_foretell([NOW - HOUR], START, NOW).outcome == "too-few-samples"


def test_of_a_steady_rate_hardly_anything_is_said() -> None:
    rng = np.random.default_rng(5)
    said = 0
    for _ in range(300):
        at = np.cumsum(rng.exponential(DAY / rng.uniform(0.2, 6), 400))
        said += restarts_foretell([START + each for each in at if each < 30 * DAY], START, NOW).outcome == "crosses"
    assert said <= 9


def test_what_was_said_is_compared_with_what_came() -> None:
    usual = [START + day * DAY for day in (3, 11, 15)]
    burst = [START + 20 * DAY + hours * HOUR for hours in (0, 2, 4, 6, 8, 9)]
    tested = failures_tested([*usual, *burst], START, NOW)
    assert tested["cases"] == 4
    assert tested["foretold"] == 3
    assert tested["false_alarms"] == 1
    assert failures_tested(usual, START, NOW) == {}


@settings(max_examples=80, deadline=None)
@given(ago=st.lists(st.floats(-5, 800), max_size=40))
def test_any_restarts_are_answered(ago: list[float]) -> None:
    told = restarts_foretell([NOW - hours * HOUR for hours in ago], START, NOW)
    assert (told.next_at is None) is (told.outcome != "crosses")
    if told.next_at is not None:
        assert told.earliest is not None
        assert told.latest is not None
        assert NOW <= told.earliest <= told.latest
        assert NOW <= told.next_at <= told.latest
