"""States that are too large: what goes, in which degree, and what always stays."""

from __future__ import annotations

from typing import Any

import pytest

from miyabi.orchestration.findings import Evidence
from miyabi.orchestration.healing import clean_up, heal, next_due
from miyabi.orchestration.rules import CleanUp, Orchestration, StateLimits
from miyabi.orchestration.session_state import AGENTS, EDGES, NODES, QUEUES, RECENT_EVENTS, TASKS, State, at, ids
from tests.orchestration.states import HOUR, NOW, a_lock, a_message, a_session, a_task, an_agent, an_edge, an_event

RULES = Orchestration("~/project", limits=StateLimits(session_size=1000, events=200))
DEGREES: tuple[CleanUp, ...] = ("standard", "aggressive", "emergency")


def _large() -> State:
    old = 25 * HOUR
    return a_session(
        tasks=[
            a_task("old", "completed", since=old),
            a_task("cancelled", "cancelled", since=old),
            a_task("needed", "completed", since=old),
            a_task("recent", "completed"),
            a_task("open", since=99 * old),
            a_task("busy", "in_progress", assignee="A1"),
        ],
        agents=[an_agent("A1"), an_agent("A2"), an_agent("A3", pid=7), an_agent("A4"), an_agent("A5", "waiting")],
        locks={"db": a_lock("A4")},
        queues={
            "A1": [
                a_message("new"),
                a_message("new-delivered", status="delivered"),
                a_message("old", since=7 * HOUR),
                a_message("old-high", "high", since=7 * HOUR),
                a_message("old-critical", "critical", since=7 * HOUR),
                a_message("old-high-delivered", "high", since=7 * HOUR, status="delivered"),
            ]
        },
        edges=[an_edge("needed", "open"), an_edge("old", "recent")],
        events=[an_event(f"E{number}") for number in range(250)],
    )


_TASKS = {
    "standard": {"needed", "recent", "open", "busy"},
    "aggressive": {"open", "busy"},
    "emergency": {"open", "busy"},
}
_MESSAGES = {
    "standard": {"new", "new-delivered", "old-high", "old-critical"},
    "aggressive": {"new", "old-high", "old-critical"},
    "emergency": {"old-high", "old-critical"},
}
_EVENTS = {"standard": 200, "aggressive": 20, "emergency": 2}
_AGENTS = {
    "standard": {"A1", "A2", "A3", "A4", "A5"},
    "aggressive": {"A1", "A2", "A3", "A4", "A5"},
    "emergency": {"A1", "A3", "A4", "A5"},
}


@pytest.mark.parametrize("how", DEGREES)
def test_what_can_be_spared_goes_and_the_rest_holds_together(how: CleanUp) -> None:
    state = _large()
    cleaned = clean_up(state, how, Evidence(NOW), RULES)
    assert set(at(cleaned.state, TASKS)) == set(at(cleaned.state, NODES)) == _TASKS[how]
    assert {message["id"] for message in at(cleaned.state, (*QUEUES, "A1"))} == _MESSAGES[how]
    assert [event["id"] for event in at(cleaned.state, RECENT_EVENTS)] == [
        f"E{n}" for n in range(250 - _EVENTS[how], 250)
    ]
    assert set(at(cleaned.state, AGENTS)) == _AGENTS[how]
    assert len(at(cleaned.state, EDGES)) == (how == "standard")
    there = {*ids(cleaned.state), *((each.kind, each.id) for each in cleaned.archived)}
    assert set(ids(state)) <= there
    assert {change.code for change in cleaned.changes} == {"STATE_SIZE_EXCEEDED"}
    assert heal(cleaned.state, Evidence(NOW), RULES).changes == ()
    assert set(at(state, TASKS)) == {"old", "cancelled", "needed", "recent", "open", "busy"}


@pytest.mark.parametrize(
    ("size", "how"),
    [(None, None), (1000, None), (1001, "standard"), (2000, "standard"), (2001, "aggressive"), (4001, "emergency")],
)
def test_the_larger_a_state_is_the_more_goes(size: int | None, how: CleanUp | None) -> None:
    state = _large()
    healed = heal(state, Evidence(NOW), RULES, size)
    if how is None:
        assert healed.state is state
    else:
        assert healed.state == clean_up(state, how, Evidence(NOW), RULES).state


def test_who_runs_stays_in_an_emergency() -> None:
    cleaned = clean_up(_large(), "emergency", Evidence(NOW, alive=frozenset({"A2"})), RULES)
    assert "A2" in at(cleaned.state, AGENTS)


def test_what_nobody_knows_the_age_of_stays_until_it_must_go() -> None:
    task: dict[str, Any] = a_task("T1", "completed", updated_at="long ago")
    state = a_session(tasks=[task], queues={"A1": [a_message("M1", timestamp=None)]})
    assert clean_up(state, "standard", Evidence(NOW + 1e9), RULES).state is state
    assert at(clean_up(state, "aggressive", Evidence(NOW), RULES).state, TASKS) == {}


def test_nothing_to_spare_is_no_change() -> None:
    state = a_session(tasks=[a_task("T1")])
    for how in DEGREES:
        assert clean_up(state, how, Evidence(NOW), RULES).state is state


def test_a_state_that_is_too_large_is_due_when_something_is_old_enough() -> None:
    state = a_session(tasks=[a_task("T1", "completed", since=HOUR)], queues={"A1": [a_message("M1", since=HOUR)]})
    assert next_due(state, RULES, 500) is None
    assert next_due(state, RULES, 1500) == NOW + 5 * HOUR
    assert next_due(state, RULES, 1500, after=NOW + 5 * HOUR) == NOW + 23 * HOUR
