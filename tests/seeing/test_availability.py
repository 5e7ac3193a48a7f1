"""When a host is up again, by what its run has proved; and what is promised of all of them."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from miyabi.availability import Proof, budget_of, fleet_availability, proved_at
from miyabi.figures import Availability
from miyabi.gate_pauses import is_within
from miyabi.monitoring import DAY, Slo

KAEDE, MOMIJI, WINDOW, SESSION, SERVER = "work:main.kaede", "work:main.momiji", "work:main", "work", "server mcp"


def restored(target: str, at: float) -> Proof:
    return Proof(target, restored=True, at=at)


def failed(target: str, at: float) -> Proof:
    return Proof(target, restored=False, at=at)


@pytest.mark.parametrize(
    ("wrong", "proofs", "at"),
    [
        ([KAEDE], [], None),
        ([KAEDE], [restored(KAEDE, 2)], 2),
        ([KAEDE], [failed(KAEDE, 2)], None),
        pytest.param([KAEDE], [failed(KAEDE, 2), restored(KAEDE, 9)], 9, id="the next level has held"),
        pytest.param([KAEDE], [failed(KAEDE, 2), restored(SESSION, 9)], 9, id="with what it is in"),
        pytest.param([SESSION], [failed(SESSION, 2), restored(KAEDE, 9)], 9, id="by what was left of it"),
        pytest.param([SESSION], [restored(KAEDE, 9)], None, id="a pane alone is no session"),
        pytest.param([KAEDE], [restored(KAEDE, 2), failed(KAEDE, 9)], None, id="it did not last"),
        pytest.param([KAEDE, MOMIJI], [restored(KAEDE, 2)], None, id="the other one was held"),
        pytest.param([KAEDE, MOMIJI], [restored(KAEDE, 2), restored(MOMIJI, 5)], 5, id="both"),
        pytest.param([KAEDE, MOMIJI], [failed(KAEDE, 2), restored(MOMIJI, 5)], None, id="one of two"),
        pytest.param([KAEDE, SERVER], [restored(KAEDE, 2)], None, id="upkeep without an outcome"),
        pytest.param([KAEDE, SERVER], [restored(KAEDE, 2), restored(SERVER, 3)], 3, id="upkeep with its own"),
        pytest.param([KAEDE], [restored(KAEDE, 2), failed(SERVER, 3)], None, id="what went wrong later counts"),
        pytest.param(["workshop"], [restored(SESSION, 2)], None, id="a name that begins alike"),
        pytest.param([], [restored(KAEDE, 2)], 2, id="nobody wrote down what was wrong"),
    ],
)
def test_since_when_all_is_well(wrong: list[str], proofs: list[Proof], at: float | None) -> None:
    assert proved_at(wrong, proofs) == at


def replayed(wrong: list[str], proofs: list[Proof]) -> float | None:
    """The same, try by try: what is still to be proved, and whether it has failed."""
    owed = dict.fromkeys(wrong, False)
    for each in proofs:
        if not each.restored:
            owed[each.target] = True
            continue
        for target, has_failed in list(owed.items()):
            if is_within(target, each.target) or (has_failed and is_within(each.target, target)):
                del owed[target]
    held = [each.at for each in proofs if each.restored]
    return max(held) if held and not owed else None


TARGETS = st.sampled_from([KAEDE, MOMIJI, WINDOW, SESSION, SERVER, "play", "play:main"])


@given(
    st.lists(TARGETS, max_size=4), st.lists(st.builds(Proof, TARGETS, st.booleans(), st.integers(0, 90)), max_size=7)
)
def test_as_it_goes_try_by_try(wrong: list[str], proofs: list[Proof]) -> None:
    assert proved_at(wrong, proofs) == replayed(wrong, proofs)


def test_the_fleet_is_the_sum_of_its_hosts() -> None:
    assert fleet_availability([]) == Availability()
    assert fleet_availability([]).percent is None
    both = fleet_availability([Availability(90, 10, 5, 2), Availability(0, 0, 100, 60)])
    assert both == Availability(90, 10, 105, 62)
    assert both.percent == 90


def test_what_is_left_of_a_budget() -> None:
    slo = Slo(availability=99.0, over=30 * DAY)
    budget = budget_of(Availability(up=29.85 * DAY, down=0.15 * DAY), slo)
    assert budget.allowed == pytest.approx(0.3 * DAY)
    assert budget.spent == pytest.approx(0.15 * DAY)
    assert budget.left == pytest.approx(50)
    assert (budget.objective, budget.over) == (99.0, 30 * DAY)
    overdrawn = budget_of(Availability(up=28 * DAY, down=2 * DAY), slo).left
    assert overdrawn is not None
    assert overdrawn < 0


def test_too_little_counted_is_no_budget() -> None:
    assert budget_of(Availability(uncounted=30 * DAY), Slo()).left is None
    assert budget_of(Availability(up=0.98 * DAY, down=60), Slo()).left is None
    assert budget_of(Availability(up=DAY, down=60), Slo()).left is not None


def test_a_promise_of_everything_has_no_budget() -> None:
    """Who promises 100 percent may not be down at all: there is nothing of which a part could be left."""
    assert budget_of(Availability(up=DAY, down=60), Slo(availability=100.0)).left is None
