"""Agents that will hit their usage limit, from what they did before."""

from __future__ import annotations

import pytest
from hypothesis import given, settings, strategies as st

from miyabi.forecast.usage_limits import limits_tested, read_conditions, usage_foretells
from tests.forecast.families import HOUR, START

Look = tuple[float, str]


def looks(*stretches: tuple[str, float], every: float = 300.0) -> list[Look]:
    """A look each five minutes at what lasts so many hours each."""
    found: list[Look] = []
    at = START
    for condition, lasts in stretches:
        until = at + lasts * HOUR
        while at < until:
            found.append((at, condition))
            at += every
    return found


def periods(*worked: float) -> list[tuple[str, float]]:
    """Work of so many hours up to each limit, which lasts for two."""
    return [part for hours in worked for part in (("working", hours), ("limited", 2.0))]


def test_the_next_limit_comes_after_the_usual_work() -> None:
    seen = looks(*periods(9, 5, 5.2, 4.9), ("working", 3))
    now = seen[-1][0]
    told = usage_foretells(read_conditions(seen, now), now)
    assert told.outcome == "crosses"
    assert told.hits == 3
    assert told.hits_at is not None
    assert (told.hits_at - now) / HOUR == pytest.approx(2.0, abs=0.2)
    assert told.earliest is not None
    assert told.latest is not None
    assert told.earliest <= told.hits_at <= told.latest


def test_only_work_counts() -> None:
    seen = looks(*periods(9, 5, 5, 5), ("working", 1), ("idle", 7), ("working", 2))
    now = seen[-1][0]
    told = usage_foretells(read_conditions(seen, now), now)
    assert told.worked == pytest.approx(3 * HOUR, abs=700)
    assert told.hits_at is not None
    # It has worked two of the last three hours, so the two that are left take three.
    assert (told.hits_at - now) / HOUR == pytest.approx(3.0, abs=0.4)


@pytest.mark.parametrize(
    ("stretches", "outcome", "why"),
    [
        ([*periods(9, 5, 5), ("working", 3)], "too-few-samples", "2 of 3 limits"),
        ([*periods(9, 5, 5, 5)], "no-trend", "at its limit now"),
        ([*periods(9, 1, 6, 14, 3), ("working", 1)], "no-trend", "very different"),
        ([*periods(9, 5, 5, 5), ("idle", 5)], "no-trend", "does not work"),
        ([*periods(9, 5, 5, 5), ("working", 12)], "no-trend", "longer than ever"),
    ],
    ids=["few", "limited", "different", "idle", "beyond"],
)
def test_what_cannot_be_told_is_said(stretches: list[tuple[str, float]], outcome: str, why: str) -> None:
    seen = looks(*stretches)
    now = seen[-1][0]
    told = usage_foretells(read_conditions(seen, now), now)
    assert (told.outcome, told.hits_at) == (outcome, None)
    assert why in told.why


def test_what_is_unknown_ends_no_limit_and_a_gap_is_no_work() -> None:
    seen = looks(("working", 2), ("limited", 1), ("unknown", 1), ("limited", 1), ("working", 3), ("limited", 1))
    found = read_conditions(seen, seen[-1][0])
    assert len(found.worked) == 1
    assert found.worked[0] == pytest.approx(3 * HOUR, abs=301)
    gap = [*looks(("limited", 1), ("working", 1)), (START + 30 * HOUR, "working")]
    assert read_conditions(gap, START + 30 * HOUR).since == pytest.approx(HOUR + 600, abs=301)


def test_it_is_tested_on_the_limits_that_came() -> None:
    seen = looks(*periods(9, 5, 5.1, 4.9, 5, 9))
    tested = limits_tested(seen, seen[-1][0])
    assert (tested["cases"], tested["foretold"], tested["false_alarms"]) == (2, 1, 1)
    assert limits_tested(seen[:10], seen[9][0]) == {}


@settings(max_examples=80, deadline=None)
@given(
    st.lists(
        st.tuples(st.floats(0, 1e6), st.sampled_from(["working", "limited", "idle", "unknown", "", "\u202ex"])),
        max_size=60,
    )
)
def test_any_looks_are_read(seen: list[Look]) -> None:
    told = usage_foretells(read_conditions(seen, 5e5), 5e5)
    assert told.worked >= 0
    assert (told.hits_at is None) is (told.outcome != "crosses")
