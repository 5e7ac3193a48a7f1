"""What waits for what: made to agree, circles and deadlocks broken, orphans told."""

from __future__ import annotations

import time
from copy import deepcopy
from graphlib import CycleError, TopologicalSorter
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from miyabi.orchestration.acyclic import Link, closing
from miyabi.orchestration.findings import Evidence, Healed
from miyabi.orchestration.healing import heal, issues_of
from miyabi.orchestration.rules import Orchestration
from miyabi.orchestration.session_state import EDGES, LOCKS, NODES, TASKS, State, at
from tests.orchestration.states import NOW, a_lock, a_session, a_task, ago, an_agent, an_edge

RULES = Orchestration("~/project")
BLOCKS = ("communication", "coordination", "dependencies", "blocks")


def _healed(state: State) -> Healed:
    return heal(state, Evidence(NOW), RULES)


def _codes(healed: Healed) -> set[str]:
    return {change.code for change in healed.changes}


def _is_acyclic(links: list[Link]) -> bool:
    after: dict[str, list[str]] = {}
    for first, then in links:
        after.setdefault(then, []).append(first)
    try:
        TopologicalSorter(after).prepare()
    except CycleError:
        return False
    return True


@given(st.lists(st.tuples(st.sampled_from("abcdefg"), st.sampled_from("abcdefg")), max_size=25))
@settings(max_examples=400, deadline=None)
def test_a_link_is_taken_out_exactly_when_it_closes_a_circle_of_stronger_ones(links: list[Link]) -> None:
    kept: list[Link] = []
    out: list[Link] = []
    for link in dict.fromkeys(links):
        (kept if _is_acyclic([*kept, link]) else out).append(link)
    assert closing(links) == out


@pytest.mark.slow
@pytest.mark.parametrize(("length", "last"), [(100_000, 0), (10_000, 9_999)])
def test_a_long_circle_costs_little_and_recurses_not(length: int, last: int) -> None:
    links = [(f"T{number}", f"T{(number + 1) % length}") for number in range(length)]
    links[-1], links[last] = links[last], links[-1]
    began = time.process_time()
    assert closing(links) == [links[-1]]
    assert time.process_time() - began < 8


def test_a_hostile_tangle_ends_in_bounded_time() -> None:
    links = [(f"T{first}", f"T{then}") for first in range(400) for then in range(400)]
    began = time.process_time()
    out = set(closing(links))
    assert time.process_time() - began < 20
    assert _is_acyclic([link for link in links if link not in out])


def _circle(*edges: State, **statuses: str) -> State:
    priorities = {"T1": "critical", "T2": "high", "T3": "low"}
    tasks = [a_task(name, statuses.get(name, "pending"), priority=priorities[name]) for name in priorities]
    return a_session(tasks=tasks, edges=edges)


@pytest.mark.parametrize(
    ("state", "weakest"),
    [
        # The least important task waits for less.
        (_circle(an_edge("T1", "T2"), an_edge("T2", "T3"), an_edge("T3", "T1")), ("T2", "T3")),
        # An ended task needs nothing, and nobody waits for it.
        (_circle(an_edge("T1", "T2"), an_edge("T2", "T3"), an_edge("T3", "T1"), T1="completed"), ("T1", "T2")),
        (_circle(an_edge("T1", "T2", optional=True), an_edge("T2", "T3"), an_edge("T3", "T1")), ("T1", "T2")),
        (_circle(an_edge("T1", "T2"), an_edge("T2", "T3", weight=2), an_edge("T3", "T1", weight=0.5)), ("T3", "T1")),
        (_circle(an_edge("T1", "T1")), ("T1", "T1")),
    ],
)
def test_a_circle_is_broken_at_its_weakest_link(state: State, weakest: Link) -> None:
    healed = _healed(state)
    gone = {(each.value["from"], each.value["to"]) for each in healed.archived}
    assert gone == {weakest}
    assert {each.kind for each in healed.archived} == {"dependency", "edge"}
    before, after = weakest
    assert before not in at(healed.state, (*TASKS, after, "dependencies"))
    assert after not in at(healed.state, (*TASKS, before, "blocking"))
    assert "CIRCULAR_DEPENDENCY" in _codes(healed)
    assert heal(healed.state, Evidence(NOW), RULES).changes == ()


def test_of_links_that_are_as_strong_the_newest_is_taken_out() -> None:
    tasks = [a_task("T1"), a_task("T2")]
    edges = [an_edge("T1", "T2", added_at=ago(5)), an_edge("T2", "T1", added_at=ago(50))]
    assert [each.value for each in _healed(a_session(tasks=tasks, edges=edges)).archived if each.kind == "edge"] == [
        edges[0]
    ]


def test_a_task_that_only_the_circle_blocked_is_pending_again() -> None:
    state = _circle(an_edge("T1", "T2"), an_edge("T2", "T1"), T2="blocked")
    assert at(_healed(state).state, (*TASKS, "T2", "status")) == "pending"
    state["execution"]["tasks"]["T2"]["blocked_reason"] = "a human is to decide"
    assert at(_healed(state).state, (*TASKS, "T2", "status")) == "blocked"


@pytest.mark.parametrize("place", ["dependencies", "blocking", "edges"])
def test_what_one_place_does_not_say_it_says_when_the_others_do(place: str) -> None:
    state = a_session(tasks=[a_task(f"T{n}") for n in range(4)], edges=[an_edge("T0", "T1"), an_edge("T2", "T3")])
    whole = deepcopy(state["execution"]["tasks"])
    tasks = state["execution"]["tasks"]
    if place == "edges":
        del at(state, EDGES)[0]
    elif place == "dependencies":
        tasks["T1"]["dependencies"] = []
    else:
        tasks["T0"]["blocking"] = []
    healed = _healed(state)
    assert len(healed.changes) == 1
    assert at(healed.state, TASKS) == whole
    assert {(edge["from"], edge["to"]) for edge in at(healed.state, EDGES)} == {("T0", "T1"), ("T2", "T3")}


@pytest.mark.parametrize("place", ["dependencies", "blocking", "edges"])
def test_who_uses_one_place_only_is_left_to_it(place: str) -> None:
    state = a_session(tasks=[a_task("T1"), a_task("T2")], edges=[an_edge("T1", "T2")])
    for task in state["execution"]["tasks"].values():
        for key in {"dependencies", "blocking"} - {place}:
            del task[key]
    if place != "edges":
        at(state, EDGES).clear()
    assert _healed(state).state is state


def test_what_names_tasks_that_are_gone_is_archived() -> None:
    state = a_session(tasks=[a_task("T1", dependencies=["T9", "T2", "T2"]), a_task("T2")])
    at(state, NODES).update({"T8": {}, "release": {"type": "milestone"}})
    at(state, EDGES).extend([an_edge("T8", "T1"), an_edge("release", "T1"), {"weight": 1}, an_edge("T2", "T1")])
    at(state, BLOCKS).extend([{"task": "T7", "blocked_by": "T1"}, {"task": "T1", "blocked_by": "the lawyers"}])
    healed = _healed(state)
    assert at(healed.state, (*TASKS, "T1", "dependencies")) == ["T2"]
    assert set(at(healed.state, NODES)) == {"T1", "T2", "release"}
    assert len(at(healed.state, EDGES)) == 2
    assert at(healed.state, BLOCKS) == [{"task": "T1", "blocked_by": "the lawyers"}]
    assert sorted(each.kind for each in healed.archived) == [
        "block",
        "dependency",
        "dependency",
        "edge",
        "edge",
        "node",
    ]


def test_a_task_that_has_edges_is_a_node() -> None:
    state = a_session(tasks=[a_task("T1"), a_task("T2")], edges=[an_edge("T1", "T2")])
    del at(state, NODES)["T2"]
    healed = _healed(state)
    assert set(at(healed.state, NODES)) == {"T1", "T2"}
    assert len(healed.changes) == 1


def test_a_graph_of_something_else_is_left_alone() -> None:
    state = a_session(tasks=[a_task("T1")])
    state["communication"]["coordination"]["dependencies"]["graph"] = {
        "nodes": {"build": {}, "ship": {}},
        "edges": [an_edge("build", "ship")],
    }
    assert _healed(state).state is state


def test_of_agents_that_wait_for_each_others_locks_the_most_important_goes_first() -> None:
    state = a_session(
        tasks=[a_task("T1", "in_progress", assignee="A1", priority="critical")],
        agents=[an_agent("A1", waiting_for="b"), an_agent("A2", waiting_for=["c"]), an_agent("A3")],
        locks={"a": a_lock("A1", waiters=["A3"]), "b": a_lock("A2"), "c": a_lock("A3"), "d": a_lock("A1")},
    )
    healed = _healed(state)
    assert set(at(healed.state, LOCKS)) == {"a", "c", "d"}
    assert [(change.code, change.did) for change in healed.changes] == [
        ("DEPENDENCY_DEADLOCK", "released: A1 goes first")
    ]


def test_of_tasks_that_block_each_other_the_most_important_goes_first() -> None:
    tasks = [a_task("T1", "blocked", priority="low"), a_task("T2", "blocked", priority="critical", blocked_by=["T1"])]
    state = a_session(tasks=tasks)
    at(state, BLOCKS).extend([{"task": "T1", "blocked_by": ["T2", "the lawyers"]}, {"other": 1}])
    healed = _healed(state)
    assert at(healed.state, (*TASKS, "T2", "status")) == "pending"
    assert at(healed.state, (*TASKS, "T2", "blocked_by")) == []
    assert at(healed.state, (*TASKS, "T1", "status")) == "blocked"
    assert at(healed.state, BLOCKS) == at(state, BLOCKS)
    assert "DEPENDENCY_DEADLOCK" in _codes(healed)


def test_a_block_loses_only_what_closes_the_circle() -> None:
    tasks = [a_task("T1", priority="critical"), a_task("T2", dependencies=["T1"])]
    state = a_session(tasks=tasks)
    at(state, BLOCKS).append({"task": "T1", "blocked_by": ["T2", "the lawyers"]})
    healed = _healed(state)
    assert at(healed.state, BLOCKS) == [{"task": "T1", "blocked_by": ["the lawyers"]}]
    assert [each.kind for each in healed.archived] == ["block"]


def test_a_task_that_no_agent_there_can_do_is_told_and_left() -> None:
    task = a_task("T1", required_role="reviewer")
    state = a_session(tasks=[task], agents=[an_agent("A1")])
    healed = _healed(state)
    assert healed.state is state
    assert [(issue.code, issue.repairable) for issue in issues_of(healed)] == [("TASK_ORPHANED", False)]
    for others in ({"agents": [an_agent("A1", role="reviewer")]}, {"pool": [an_agent("P1", skills=["reviewer"])]}, {}):
        more: Any = others
        assert not issues_of(_healed(a_session(tasks=[task], **more)))


@pytest.mark.parametrize("status", ["pending", "blocked", "completed"])
@pytest.mark.parametrize("waits", [[], [""], ["T1"], ["", "T1"]])
def test_a_task_without_a_name_is_healed_once(waits: list[str], status: str) -> None:
    state = a_session(tasks=[a_task("T1", dependencies=[""], blocking=[""])])
    state["execution"]["tasks"][""] = a_task("", status, dependencies=waits, blocking=waits)
    state["communication"]["coordination"]["dependencies"]["graph"]["edges"] = [an_edge("", "T1"), an_edge("T1", "")]
    healed = _healed(state)
    again = _healed(healed.state)
    assert (again.changes, again.archived) == ((), ())
