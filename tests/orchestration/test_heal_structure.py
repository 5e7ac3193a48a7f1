"""The parts of a state: missing ones, and ones that are something else."""

from __future__ import annotations

import time
from typing import Any

import pytest

from miyabi.orchestration.findings import Evidence, Healed
from miyabi.orchestration.healing import heal, issues_of
from miyabi.orchestration.rules import Orchestration
from miyabi.orchestration.session_state import AGENTS, DEAD_LETTERS, NODES, PARTS, QUEUES, TASKS, State, at, structure
from miyabi.orchestration.values import moment, said, written_like
from tests.orchestration.states import NOW, a_full_session, a_message, a_session, a_task, an_agent, an_event

RULES = Orchestration("~/project")


def _healed(state: State) -> Healed:
    return heal(state, Evidence(NOW), RULES)


def test_missing_parts_are_added_and_unknown_ones_stay() -> None:
    state = a_session(tasks=[a_task("T1")])
    del state["observability"]
    del state["communication"]["coordination"]["locks"]
    state["session"]["x-own"] = state["x-own"] = {"a": [1]}
    healed = _healed(state)
    assert at(healed.state, ("observability",)) == structure()["observability"]
    assert healed.state["x-own"] == healed.state["session"]["x-own"] == {"a": [1]}
    assert [(change.code, change.path) for change in healed.changes] == [
        ("SESSION_CORRUPTED", "communication.coordination.locks"),
        ("SESSION_CORRUPTED", "observability"),
    ]
    assert "observability" not in state


def test_a_hundred_valid_states_of_100_kb_take_little() -> None:
    state = a_full_session(130, 8, 25, 60)
    began = time.process_time()
    for _ in range(100):
        assert _healed(state).state is state
    assert time.process_time() - began < 1


def test_dead_letters_are_not_missed() -> None:
    state = a_session()
    del state["communication"]["channels"]["dead_letter"]
    assert _healed(state).state is state


@pytest.mark.parametrize("missing", range(1, 7))
def test_the_more_is_missing_the_worse_it_is(missing: int) -> None:
    state = a_session()
    for part in [part for part in PARTS if part not in {"execution", "communication"}][:missing]:
        del state[part]
    if missing > 4:
        del state["execution"]
    if missing > 5:
        del state["communication"]
    severities = {issue.severity for issue in issues_of(_healed(state))}
    assert severities == {"minor" if missing < 3 else "major" if missing < 6 else "critical"}


@pytest.mark.parametrize(
    ("path", "severity"), [(TASKS, "major"), (AGENTS, "major"), (QUEUES, "major"), (("organization", "teams"), "minor")]
)
def test_what_is_something_else_is_archived(path: tuple[str, ...], severity: str) -> None:
    state = a_session()
    at(state, path[:-1])[path[-1]] = "gone"
    healed = _healed(state)
    assert at(healed.state, path) == {}
    assert [(each.kind, each.path, each.value) for each in healed.archived] == [("malformed", ".".join(path), "gone")]
    assert [issue.severity for issue in issues_of(healed)] == [severity]


def test_lists_of_what_has_a_name_become_objects_and_the_reverse() -> None:
    state = a_session(tasks=[a_task("T1")], agents=[an_agent("A1")], queues={"A1": []})
    state["execution"]["tasks"] = [a_task("T1"), a_task("T2")]
    at(state, NODES[:-1])["nodes"] = ["T1", "T2"]
    at(state, QUEUES)["A1"] = {"M1": a_message("M1"), "M2": {"payload": "x"}}
    healed = _healed(state)
    assert at(healed.state, TASKS) == {"T1": a_task("T1"), "T2": a_task("T2")}
    assert at(healed.state, NODES) == {"T1": {}, "T2": {}}
    assert at(healed.state, (*QUEUES, "A1")) == [a_message("M1"), {"id": "M2", "payload": "x"}]
    assert not healed.archived


def test_lists_in_which_two_have_one_name_are_archived_whole() -> None:
    state = a_session()
    state["execution"]["tasks"] = [a_task("T1"), a_task("T1", "completed")]
    healed = _healed(state)
    assert (at(healed.state, TASKS), len(healed.archived)) == ({}, 1)


@pytest.mark.parametrize("value", [None, 17, "T1", []])
def test_a_task_or_an_agent_that_is_no_object_is_archived_by_its_name(value: Any) -> None:
    state = a_session()
    state["execution"]["tasks"]["T1"] = state["execution"]["agents"]["active"]["A1"] = value
    assert [(each.kind, each.id, each.value) for each in _healed(state).archived] == [
        ("task", "T1", value),
        ("agent", "A1", value),
    ]


def test_dead_letters_that_are_no_list_are_begun_anew() -> None:
    state = a_session()
    state["communication"]["channels"]["dead_letter"] = "none"
    healed = _healed(state)
    assert at(healed.state, DEAD_LETTERS) == []
    assert [change.code for change in healed.changes] == ["CHANNEL_UNAVAILABLE"]


def test_counts_below_zero_are_no_counts() -> None:
    state = a_session(events=[an_event("E1"), an_event("E1")])
    state["persistence"]["checkpoint"]["sequence"] = -1
    healed = _healed(state)
    assert healed.state["persistence"]["checkpoint"]["sequence"] == 0
    assert [(each.kind, each.value) for each in healed.archived] == [("malformed", -1), ("event", an_event("E1"))]


def test_a_task_that_says_another_id_is_only_told() -> None:
    state = a_session(tasks=[a_task("T1")])
    state["execution"]["tasks"]["T1"]["id"] = "T2"
    healed = _healed(state)
    assert healed.state is state
    assert [issue.repairable for issue in issues_of(healed)] == [False]


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("2026-01-15T12:00:00", NOW),
        ("2026-01-15T12:00:00Z", NOW),
        ("2026-01-15T14:00:00+02:00", NOW),
        (NOW, NOW),
        (NOW * 1000, NOW),
        (int(NOW) * 10**6, NOW),
        (int(NOW) * 10**9, NOW),
        (str(NOW), NOW),
        ("yesterday", None),
        ("", None),
        ("9" * 5000, None),
        ("9999-12-31T23:59:59", None),
        ("0001-01-01T00:00:00+14:00", None),
        (10**400, None),
        (float("inf"), None),
        (-1, None),
        (True, None),
        (None, None),
        ({}, None),
    ],
)
def test_a_moment_is_read_in_whatever_form(value: object, seconds: float | None) -> None:
    assert moment(value) == seconds


def test_a_moment_is_written_as_another_one_is() -> None:
    assert written_like(NOW, NOW + 5) == NOW + 5
    assert written_like(NOW * 1000, NOW + 5) == (NOW + 5) * 1000
    assert written_like("2026-01-15T12:00:00", NOW) == written_like(None, NOW) == "2026-01-15T12:00:00Z"


@pytest.mark.parametrize("value", ["a\nb\x1b[31m", "x" * 500, -(10**400), [["deep"]], {}, None, True, 0.5, "\ud800"])
def test_whatever_is_shown_is_short_and_on_one_line(value: object) -> None:
    assert said(value).isprintable()
    assert said([value, 10**5000]).isprintable()
    assert len(said(value)) <= 60
