"""The measures that the gate goes by: flapping and breakers, each as a value."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, strategies as st

from miyabi.breaker import Breaker
from miyabi.flapping import LOOKS, flaps, measure


@pytest.mark.parametrize(
    ("looks", "percent"),
    [
        ("", 0),
        (".", 0),
        ("." * 40, 0),
        # Damaged at the first look of all: it was well before.
        ("x", 6.25),
        ("x" * 20, 3.75),
        ("x" * 21, 0),
        # Nagios' own example: five changes weigh 29.9 % as the latest, and 20.1 % as the oldest.
        ("x.x.x", 29.934),
        (".x.x.x" + "x" * 15, 20.066),
        (".x" * 10 + ".", 100),
        (".x" * 30, 100),
    ],
)
def test_the_measure(looks: str, percent: float) -> None:
    assert measure([look == "x" for look in looks]) == pytest.approx(percent, abs=0.001)


@given(st.lists(st.booleans(), max_size=80))
def test_the_measure_is_the_sum_of_its_weights(damaged: list[bool]) -> None:
    padded = [*[False] * LOOKS, *damaged][-LOOKS:]
    changes = [before != after for before, after in pairwise(padded)]
    expected = sum((0.75 + 0.5 * place / 19) * changed for place, changed in enumerate(changes)) / 20 * 100
    assert measure(damaged) == pytest.approx(expected, abs=1e-6)


@given(st.lists(st.booleans(), max_size=80))
def test_between_the_thresholds_it_stays_as_it_was(damaged: list[bool]) -> None:
    expected = False
    for count in range(1, len(damaged) + 1):
        percent = measure(damaged[:count])
        expected = percent >= 30 or (expected and percent > 20)
    assert flaps(damaged, 30, 20) == expected


@given(st.lists(st.booleans(), max_size=80))
def test_what_stays_as_it_is_stops_flapping(damaged: list[bool]) -> None:
    assert not flaps([*damaged, *[True] * (LOOKS + 1)], 30, 20)


def test_a_breaker_opens_at_its_limit() -> None:
    breaker = Breaker(limit=3, open_for=100)
    for _ in range(2):
        breaker = breaker.failed(1000)
        assert breaker.state(1000) == "closed"
    breaker = breaker.failed(1000)
    assert [breaker.state(at) for at in (1000, 1099, 1100)] == ["open", "open", "half-open"]
    assert [breaker.again_at(at) for at in (1000, 1099, 1100)] == [1100, 1100, None]
    assert [breaker.allows(at) for at in (1000, 1099, 1100)] == [False, False, True]


def test_a_success_closes_and_forgets() -> None:
    breaker = Breaker(limit=2).failed(1).failed(2)
    assert breaker.succeeded() == Breaker(limit=2)
    assert Breaker(limit=2).failed(1).succeeded().failed(2).state(2) == "closed"


def test_half_open_lets_one_through() -> None:
    breaker = Breaker(5, 0.0, open_for=100)
    assert breaker.tried(50) == breaker
    tried = breaker.tried(100)
    assert tried.state(101) == "open"
    assert tried.failed(102).state(201) == "open"
    assert tried.succeeded().state(102) == "closed"
    # Whoever was let through and never came back leaves room for another.
    assert tried.state(200) == "half-open"
    assert Breaker().tried(7) == Breaker()


def test_a_breaker_that_opens_in_the_future_is_half_open() -> None:
    assert Breaker(5, 3600.0).allows(0)
    assert Breaker(5, 3600.0).tried(0).state(1) == "open"
