"""What holds for any state, whatever is in it: nothing is lost, nothing is healed twice, nothing raises."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from copy import deepcopy
from graphlib import TopologicalSorter
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from miyabi.orchestration.findings import Archived, Evidence, Healed
from miyabi.orchestration.heal_dependencies import links_of
from miyabi.orchestration.heal_messages import IMPORTANT, is_delivered, priority_of
from miyabi.orchestration.healing import clean_up, heal, issues_of, next_due
from miyabi.orchestration.rules import CleanUp, Orchestration, StateLimits
from miyabi.orchestration.session_state import ENDED, QUEUES, TASKS, State, at, ids, objects
from tests.orchestration.sick_states import EVIDENCE, sick_states, valid_states
from tests.orchestration.states import NOW

RULES = Orchestration("~/project", limits=StateLimits(queue=2, events=3))
SLOWLY = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
QUICK = settings(max_examples=80, deadline=None, suppress_health_check=SLOWLY)
LONG = settings(max_examples=200, deadline=None, suppress_health_check=SLOWLY)


def _words(thing: Any) -> Iterator[str]:
    """All texts and numbers in a JSON value, and the keys."""
    waiting = [thing]
    while waiting:
        each = waiting.pop()
        if isinstance(each, dict):
            yield from each
            waiting += each.values()
        elif isinstance(each, list):
            waiting += each
        elif isinstance(each, str) or (isinstance(each, int | float) and not isinstance(each, bool)):
            yield str(each)[:40] if isinstance(each, str) else f"{float(each):g}" if abs(each) < 1e300 else "huge"


def _archived_ids(archived: tuple[Archived, ...]) -> Counter[tuple[str, str]]:
    return Counter((each.kind, each.id) for each in archived)


def _nothing_is_lost(before: State, healed: Healed) -> None:
    there = Counter(ids(healed.state)) + _archived_ids(healed.archived)
    assert not Counter(ids(before)) - there
    words = set(_words(healed.state)) | {word for each in healed.archived for word in _words([each.id, each.value])}
    # What healing itself replaces: how far a task is, and how often and when it is tried again.
    assert set(_words(before)) - words <= {
        "assigned",
        "in_progress",
        "review",
        "blocked",
        "failed",
        "partial",
        *_NUMBERS,
    }


_NUMBERS = {f"{number:g}" for number in range(-2, 14)} | {"2.5", "-0.5", "huge"}


def _holds(state: State, evidence: Evidence) -> None:
    before = deepcopy(state)
    healed = heal(state, evidence, RULES)
    assert state == before
    again = heal(healed.state, evidence, RULES)
    assert (again.changes, again.archived) == ((), ())
    assert again.state is healed.state
    assert healed.changes or (healed.state is state and not healed.archived)
    _nothing_is_lost(state, healed)
    after: dict[str, set[str]] = {}
    for first, then in links_of(healed.state):
        after.setdefault(then, set()).add(first)
    TopologicalSorter(after).prepare()
    for issue in issues_of(healed):
        assert issue.message.isprintable(), issue
        assert len(issue.message) < 400
    json.dumps([each.to_json() for each in (*healed.changes, *healed.archived, *issues_of(healed))])
    next_due(state, RULES, 10**9)


@given(sick_states(), EVIDENCE)
@QUICK
def test_a_state_is_healed_once_and_nothing_of_it_is_lost(state: State, evidence: Evidence) -> None:
    _holds(state, evidence)


@pytest.mark.slow
@given(sick_states(), EVIDENCE)
@LONG
def test_many_states_are_healed_once_and_nothing_of_them_is_lost(state: State, evidence: Evidence) -> None:
    _holds(state, evidence)


@given(valid_states())
@QUICK
def test_a_valid_state_is_not_touched(state: State) -> None:
    healed = heal(state, Evidence(NOW), RULES)
    assert (healed.changes, healed.archived) == ((), ())
    assert healed.state is state


def _is_cleaned(state: State, evidence: Evidence, how: CleanUp) -> None:
    _nothing_is_lost(state, clean_up(state, how, evidence, RULES))
    healed = heal(state, evidence, RULES).state
    before = deepcopy(healed)
    cleaned = clean_up(healed, how, evidence, RULES)
    assert healed == before
    _nothing_is_lost(healed, cleaned)
    again = heal(cleaned.state, evidence, RULES)
    assert (again.changes, again.archived) == ((), ())
    assert clean_up(cleaned.state, how, evidence, RULES).state is cleaned.state
    tasks, left = objects(healed, TASKS), objects(cleaned.state, TASKS)
    for name, task in tasks.items():
        status = task.get("status")
        assert name in left or (isinstance(status, str) and status in ENDED)
    for name, queue in at(healed, QUEUES).items():
        stays = at(cleaned.state, QUEUES)[name]
        urgent = [each for each in queue if priority_of(each) in IMPORTANT and not is_delivered(each)]
        assert [each for each in stays if each in urgent] == urgent


@pytest.mark.slow
@pytest.mark.parametrize("how", ["standard", "aggressive", "emergency"])
def test_what_is_cleaned_up_is_archived_and_leaves_a_state_that_holds_together(how: CleanUp) -> None:
    @given(sick_states(), EVIDENCE)
    @settings(QUICK, max_examples=40)
    def cleaned(state: State, evidence: Evidence) -> None:
        _is_cleaned(state, evidence, how)

    cleaned()


def test_what_is_nested_deeply_is_healed_without_recursion() -> None:
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    state = {"session": deep, "execution": {"tasks": {"T1": {"x": deep, "dependencies": deep, "status": deep}}}}
    healed = heal(state, Evidence(NOW), RULES)
    assert heal(healed.state, Evidence(NOW), RULES).changes == ()
    assert next(each for each in healed.archived if each.path == "session").value[0] is deep[0]
