"""Dead agents, what they leave behind, and what tasks and agents say of each other."""

from __future__ import annotations

from typing import Any

import pytest

from miyabi.orchestration.findings import Evidence, Healed
from miyabi.orchestration.healing import heal, issues_of, living_children, next_due
from miyabi.orchestration.rules import Orchestration
from miyabi.orchestration.session_state import AGENTS, LOCKS, TASKS, State, at
from tests.orchestration.states import HOUR, NOW, a_lock, a_session, a_task, ago, an_agent

RULES = Orchestration("~/project")


def _healed(
    state: State, dead: tuple[str, ...] = (), alive: tuple[str, ...] = (), rules: Orchestration = RULES
) -> Healed:
    return heal(state, Evidence(NOW, frozenset(dead), frozenset(alive)), rules)


def _task(healed: Healed, name: str) -> Any:
    return at(healed.state, (*TASKS, name))


@pytest.mark.parametrize("status", ["assigned", "in_progress", "review"])
def test_a_dead_agents_task_is_pending_again_and_has_been_tried_once_more(status: str) -> None:
    state = a_session(tasks=[a_task("T1", status, assignee="A1", retry_count=1)], agents=[an_agent("A1")])
    healed = _healed(state, dead=("A1",))
    task = _task(healed, "T1")
    assert (task["status"], task["assignee"], task["retry_count"]) == ("pending", None, 2)
    assert {change.code for change in healed.changes} == {"AGENT_CRASHED"}
    assert [(each.kind, each.id) for each in healed.archived] == [("agent", "A1")]
    assert healed.archived[0].value == state["execution"]["agents"]["active"]["A1"]
    assert not at(healed.state, AGENTS)


def test_a_task_of_a_dead_agent_that_only_the_agent_names_is_pending_again() -> None:
    state = a_session(tasks=[a_task("T1", "in_progress")], agents=[an_agent("A1", "crashed", current_task="T1")])
    task = _task(_healed(state), "T1")
    assert (task["status"], task["retry_count"]) == ("pending", 1)


def test_an_ended_task_of_a_dead_agent_stays_as_it_is() -> None:
    state = a_session(tasks=[a_task("T1", "completed", assignee="A1")], agents=[an_agent("A1")])
    assert _task(_healed(state, dead=("A1",)), "T1") == state["execution"]["tasks"]["T1"]


def test_what_three_retries_did_not_help_waits_for_a_human() -> None:
    state = a_session(tasks=[a_task("T1", "in_progress", assignee="A1", retry_count=3)], agents=[an_agent("A1")])
    healed = _healed(state, dead=("A1",))
    task = _task(healed, "T1")
    assert (task["status"], task["assignee"], task["retry_count"]) == ("blocked", None, 4)
    assert task["blocked_reason"] == "4 agents died while they had it, the last one was A1"
    assert healed.changes[0].did == "blocked after 3 retries: a human must look at it"


def test_what_nobody_would_have_expected_of_a_task_is_archived_before_it_is_replaced() -> None:
    task = a_task("T1", "strange", assignee="A1", retry_count="many")
    healed = _healed(a_session(tasks=[task], agents=[an_agent("A1")]), dead=("A1",))
    assert (_task(healed, "T1")["status"], _task(healed, "T1")["retry_count"]) == ("pending", 1)
    assert {each.path: each.value for each in healed.archived if each.kind == "malformed"} == {
        "execution.tasks.T1.status": "strange",
        "execution.tasks.T1.retry_count": "many",
    }


def test_whose_process_runs_is_not_dead_whatever_its_state_says() -> None:
    state = a_session(agents=[an_agent("A1", "failed")])
    healed = _healed(state, alive=("A1",))
    assert healed.state is state
    assert [issue.repairable for issue in issues_of(healed)] == [False]


def test_of_whom_nothing_is_known_nothing_is_done() -> None:
    state = a_session(
        tasks=[a_task("T1", "in_progress", assignee="A1")], agents=[an_agent("A1", pid=7, since=999 * HOUR)]
    )
    assert _healed(state).state is state


def test_children_without_a_process_die_with_their_parent_downwards_and_others_stay() -> None:
    agents = [
        an_agent("A1", children=["A2", "A3", "A4"]),
        an_agent("A2", children=["A5"]),
        an_agent("A3", pid=7),
        an_agent("A4", pid=8),
        an_agent("A5", parent="A2"),
    ]
    state = a_session(tasks=[a_task("T1", "in_progress", assignee="A5")], agents=agents)
    evidence = Evidence(NOW, dead=frozenset({"A1"}), alive=frozenset({"A3"}))
    healed = heal(state, evidence, Orchestration("~/project", end_children=True))
    assert set(at(healed.state, AGENTS)) == {"A3", "A4"}
    assert _task(healed, "T1")["retry_count"] == 1
    ended = [change for change in healed.changes if change.path == "execution.agents.active.A3"]
    assert [change.did for change in ended] == ["left running: its process is to be ended"]
    assert living_children(state, evidence) == ("A3",)


def test_circles_of_children_end() -> None:
    state = a_session(agents=[an_agent("A1", children=["A2"]), an_agent("A2", children=["A1"])])
    healed = _healed(state)
    assert [change.code for change in healed.changes] == ["STATE_CIRCULAR_REFERENCE"]
    assert not at(_healed(state, dead=("A1",)).state, AGENTS)


@pytest.mark.parametrize(
    ("lock", "is_released"),
    [
        (a_lock("A1"), False),
        (a_lock("P1"), False),
        (a_lock("A9"), True),
        ("A9", True),
        ("A1", False),
        (a_lock("orchestrator"), False),
        (a_lock("A1", expires_at=ago(1)), True),
        (a_lock("A1", expires_at=ago(-1)), False),
        (a_lock("A1", since=HOUR, ttl=60), True),
        (a_lock("A1", since=HOUR, ttl=2 * HOUR), False),
        (a_lock("A1", expires_at="soon"), False),
        ({"locked_by": None}, False),
        (17, False),
    ],
)
def test_a_lock_of_nobody_or_that_has_expired_is_released(lock: Any, is_released: bool) -> None:
    healed = _healed(a_session(agents=[an_agent("A1")], pool=[an_agent("P1")], locks={"db": lock}))
    assert ("db" not in at(healed.state, LOCKS)) is is_released
    assert [(each.kind, each.id, each.value) for each in healed.archived] == (
        [("lock", "db", lock)] if is_released else []
    )


def test_a_dead_agents_locks_are_released() -> None:
    healed = _healed(a_session(agents=[an_agent("A1")], locks={"db": a_lock("A1")}), dead=("A1",))
    assert {each.kind: each.id for each in healed.archived} == {"lock": "db", "agent": "A1"}


def test_the_next_due_is_the_first_lock_to_expire_after_a_look() -> None:
    state = a_session(
        agents=[an_agent("A1")],
        locks={"a": a_lock("A1", expires_at=NOW - 5), "b": a_lock("A1", since=0, ttl=9), "c": a_lock("A1"), "d": 4},
    )
    assert next_due(state) == NOW - 5
    assert next_due(state, after=NOW) == NOW + 9
    assert next_due(state, after=NOW + 9) is None
    assert next_due({"communication": []}) is None


@pytest.mark.parametrize(
    ("status", "after"),
    [("assigned", "pending"), ("in_progress", "pending"), ("review", "review"), ("blocked", "blocked")],
)
def test_an_assignment_to_no_agent_is_taken_back(status: str, after: str) -> None:
    healed = _healed(a_session(tasks=[a_task("T1", status, assignee="A9")]))
    assert (_task(healed, "T1")["status"], _task(healed, "T1")["assignee"]) == (after, None)
    assert [(change.code, change.path) for change in healed.changes] == [
        ("TASK_ASSIGNMENT_FAILED", "execution.tasks.T1.assignee")
    ]


def test_an_agent_of_the_pool_or_one_that_runs_is_one() -> None:
    state = a_session(tasks=[a_task("T1", "in_progress", assignee="P1")], pool=[an_agent("P1")])
    assert _healed(state).state is state
    state = a_session(tasks=[a_task("T1", "in_progress", assignee="A9")])
    assert _healed(state, alive=("A9",)).state is state


@pytest.mark.parametrize(
    ("task", "other", "current"),
    [
        (a_task("T1", "in_progress", assignee="A2"), a_task("T2"), None),
        (a_task("T1", "completed", assignee="A1"), a_task("T2"), None),
        (a_task("T1", "pending"), a_task("T2"), None),
        (a_task("T1", "in_progress", assignee="A2"), a_task("T2", "in_progress", assignee="A1"), "T2"),
        (a_task("T1", "in_progress", assignee="A1"), a_task("T2", "in_progress", assignee="A1"), "T1"),
        (a_task("T1", "in_progress"), a_task("T2"), "T1"),
    ],
)
def test_where_a_task_and_an_agent_disagree_the_tasks_word_counts(
    task: State, other: State, current: str | None
) -> None:
    state = a_session(tasks=[task, other], agents=[an_agent("A1", current_task="T1"), an_agent("A2")])
    healed = _healed(state)
    assert at(healed.state, (*AGENTS, "A1", "current_task")) == current
    if current == "T1":
        assert _task(healed, "T1")["assignee"] == "A1"


def test_a_task_that_is_not_there_and_children_that_are_not_there_are_not_named_any_more() -> None:
    state = a_session(agents=[an_agent("A1", current_task="T9", children=["A2", "A9"]), an_agent("A2")])
    healed = _healed(state)
    agent = at(healed.state, (*AGENTS, "A1"))
    assert (agent["current_task"], agent["context"]["child_agents"]) == (None, ["A2"])
    assert [each.value for each in healed.archived] == ["T9", "A9"]
    assert state["execution"]["agents"]["active"]["A1"]["context"]["child_agents"] == ["A2", "A9"]


def test_children_that_are_no_names_stay() -> None:
    healed = _healed(a_session(agents=[an_agent("A1", children=["", {"id": "A9"}, ["A8"], 7])]))
    assert at(healed.state, (*AGENTS, "A1", "context", "child_agents")) == [{"id": "A9"}, ["A8"], 7]
    assert [each.value for each in healed.archived] == [""]


def test_a_task_that_is_assigned_to_nobody_is_pending() -> None:
    assert _task(_healed(a_session(tasks=[a_task("T1", "assigned")])), "T1")["status"] == "pending"
