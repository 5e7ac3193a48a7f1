"""What the predictions are worth on series of every kind whose end is known; the rates are in docs/predictions.md."""

from __future__ import annotations

import pytest

from tests.forecast.families import FAMILIES, make
from tests.forecast.judging import Judged, judge

# Shares of the crossings that are foretold, and of the series with an alarm to which nothing came within two horizons:
# of a first tooth, a first day, and of growth that tires, nobody can tell it all.
_USUAL = (0.75, 0.1)
_HARD = {"sawtooth": (0.5, 0.25), "saturating": (0.0, 0.34), "seasonal": (0.7, 0.25)}


def judged(family: str, seeds: range) -> list[Judged]:
    return [judge(make(family, seed)) for seed in seeds]


@pytest.mark.slow
@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_most_is_foretold_and_little_else(family: str) -> None:
    found = judged(family, range(2000, 2012))
    cases = [each for each in found if each.is_case]
    foretold, wrong = _HARD.get(family, _USUAL)
    assert sum(each.is_foretold for each in cases) >= foretold * len(cases) - 1
    assert sum(each.false_late > 0 for each in found) <= wrong * len(found)
    intervals = sum(each.intervals for each in found)
    if intervals > 30 and family not in _HARD:
        assert sum(each.within for each in found) >= 0.5 * intervals


@pytest.mark.parametrize("family", ["linear", "bend", "flat"])
def test_the_plainest_are_right(family: str) -> None:
    found = [judge(make(family, seed)) for seed in range(3000, 3003)]
    # One of the lines begins 19 hours before it is there, with a gap: that is too late.
    assert sum(each.is_case and not each.is_foretold for each in found) <= (family == "linear")
    assert sum(each.false_late for each in found) == 0


def test_the_same_seed_is_the_same_series() -> None:
    one, two = make("noisy", 7), make("noisy", 7)
    assert (one.at == two.at).all()
    assert (one.value == two.value).all()
    assert one.crosses_at == two.crosses_at
