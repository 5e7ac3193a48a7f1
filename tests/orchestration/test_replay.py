"""A session's state out of the events of its log."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from miyabi.orchestration.event_log import EventLog, read_events
from miyabi.orchestration.replay import Replayed, replay
from miyabi.orchestration.session_state import AGENTS, CHANNELS, EDGES, LOCKS, QUEUES, TASKS, State, at
from tests.orchestration.states import SESSION_ID, a_full_session, a_message, a_session, a_task, ago, an_agent

CHECKPOINT = ("persistence", "checkpoint")


def log_of(*events: tuple[str, dict[str, Any]], since: int = 1, session_id: str = SESSION_ID) -> EventLog:
    """Events with their data, numbered from ``since`` on, a second apart."""
    lines = [
        {"id": f"{session_id[:4]}-{number}", "type": kind, "session_id": session_id, "data": data}
        | {"sequence": number, "timestamp": ago(1000 - number)}
        for number, (kind, data) in enumerate(events, since)
    ]
    return read_events([("events.jsonl", b"\n".join(json.dumps(each).encode() for each in lines))])


def begun(*events: tuple[str, dict[str, Any]], state: State | None = None) -> Replayed:
    """What events make of a state that the log begins with."""
    created = ("session_created", {"state": state if state is not None else a_session()})
    return replay(None, log_of(created, *events), SESSION_ID)


def made(*events: tuple[str, dict[str, Any]], state: State | None = None) -> State:
    replayed = begun(*events, state=state)
    assert replayed.state is not None
    assert not replayed.skipped
    return replayed.state


def test_the_life_of_a_task() -> None:
    created = ("task_created", {"task": a_task("T1")})
    spawned = ("agent_spawned", {"agent_id": "A1", "agent_type": "engineer", "status": "idle"})
    assigned = ("task_assigned", {"task_id": "T1", "agent_id": "A1"})
    state = made(created, spawned, assigned)
    assert (at(state, (*TASKS, "T1"))["status"], at(state, (*TASKS, "T1"))["assignee"]) == ("assigned", "A1")
    assert at(state, (*AGENTS, "A1"))["current_task"] == "T1"
    state = made(created, spawned, assigned, ("task_completed", {"task_id": "T1", "result": "done"}))
    task = at(state, (*TASKS, "T1"))
    assert (task["status"], task["result"], task["completed_at"]) == ("completed", "done", ago(995))
    assert at(state, (*AGENTS, "A1"))["current_task"] is None


@pytest.mark.parametrize(
    "data",
    [
        {"task_id": "T1", "changes": {"status": "review"}},
        {"task_id": "T1", "updates": {"status": "review"}},
        {"task_id": "T1", "status": "review"},
        {"id": "T1", "status": "review"},
        {"task": {"id": "T1", "status": "review"}},
    ],
)
def test_what_an_event_is_about_is_told_in_many_ways(data: dict[str, Any]) -> None:
    state = made(("task_updated", data), state=a_session(tasks=[a_task("T1", note="mine")]))
    assert at(state, (*TASKS, "T1"))["status"] == "review"
    assert at(state, (*TASKS, "T1"))["note"] == "mine"


def test_agents_that_fail_stay_for_the_healing() -> None:
    state = made(
        ("agent_failed", {"agent_id": "A1"}),
        ("agent_terminated", {"agent_id": "A2"}),
        ("agent_failed", {"agent_id": "gone long ago"}),
        state=a_session(agents=[an_agent("A1"), an_agent("A2")]),
    )
    assert {name: agent["status"] for name, agent in at(state, AGENTS).items()} == {"A1": "failed", "A2": "terminated"}


def test_messages_stand_once_in_the_queue_of_who_is_to_have_them() -> None:
    sent = ("message_sent", {"message": a_message("M1", to="A7")})
    state = made(sent, sent, ("message_sent", {"message": a_message("M2"), "channel": "broadcast"}))
    assert [each["id"] for each in at(state, (*QUEUES, "A7"))] == ["M1"]
    assert [each["id"] for each in at(state, (*CHANNELS, "broadcast"))] == ["M2"]
    delivered = made(sent, ("message_delivered", {"message_id": "M1"}))
    assert at(delivered, (*QUEUES, "A7"))[0]["status"] == "delivered"


def test_locks_and_dependencies() -> None:
    tasks = a_session(tasks=[a_task("T1"), a_task("T2")])
    edge = {"from_task": "T1", "to_task": "T2"}
    locked = ("lock_acquired", {"resource": "db", "agent_id": "A1"})
    state = made(("dependency_added", edge), ("dependency_added", edge), locked, state=tasks)
    assert [(each["from"], each["to"]) for each in at(state, EDGES)] == [("T1", "T2")]
    assert (at(state, (*TASKS, "T2"))["dependencies"], at(state, (*TASKS, "T1"))["blocking"]) == (["T1"], ["T2"])
    assert at(state, (*LOCKS, "db"))["locked_by"] == "A1"
    state = made(
        ("dependency_added", edge),
        ("dependency_removed", edge),
        locked,
        ("lock_released", {"resource": "db"}),
        state=tasks,
    )
    assert (at(state, EDGES), at(state, (*TASKS, "T2"))["dependencies"], at(state, LOCKS)) == ([], [], {})


def test_a_place_is_dotted_or_exact() -> None:
    state = a_session(tasks=[a_task("T1"), a_task("v1.2")])
    state = made(
        ("state_updated", {"path": "execution.tasks.v1.2.status", "value": "review"}),
        ("state_updated", {"path": ["execution", "tasks", "v1", "title"], "value": "another"}),
        ("state_updated", {"path": "observability.metrics.new.deep", "value": [1]}),
        ("state_deleted", {"path": "execution.tasks.T1"}),
        state=state,
    )
    assert at(state, (*TASKS, "v1.2"))["status"] == "review"
    assert at(state, (*TASKS, "v1")) == {"title": "another"}
    assert at(state, ("observability", "metrics", "new")) == {"deep": [1]}
    assert "T1" not in at(state, TASKS)


def test_a_task_that_is_set_to_nothing_is_gone() -> None:
    state = made(
        ("state_updated", {"path": "execution.tasks.T1", "value": None}), state=a_session(tasks=[a_task("T1")])
    )
    assert at(state, TASKS) == {}


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ({"path": "execution.tasks.__proto__.x", "value": 1}, "its path holds __proto__"),
        ({"path": ["a"] * 10_000, "value": 1}, "its path is 10000 keys deep"),
        ({"path": "a." * 10_000, "value": 1}, "its path is more than 64 keys deep"),
        ({"path": "communication.channels.broadcast.0.x", "value": 1}, "communication.channels.broadcast is no object"),
        ({"path": "", "value": {}}, "its path is empty"),
        ({"path": [], "value": {}}, "its path is empty"),
        ({"path": ["a", 1], "value": 1}, "its path is neither a text nor a list of texts"),
        ({"value": 1}, "its path is neither a text nor a list of texts"),
        ({"path": "a"}, "it tells no value"),
        ({"path": "session.id", "value": "another"}, "the session's own id is not changed"),
        ({"path": "session", "value": {"id": "another"}}, "the session's own id is not changed"),
        ({"path": "session", "value": []}, "the session's own id is not changed"),
    ],
)
def test_hostile_places_are_told_and_change_nothing(data: dict[str, Any], reason: str) -> None:
    replayed = begun(("state_updated", data), ("task_created", {"task_id": "T1"}))
    assert [each.reason for each in replayed.skipped] == [reason]
    assert replayed.applied == 1
    assert any(reason in each for each in replayed.missing)


@pytest.mark.parametrize("path", ["session.id", "session", "execution"])
def test_what_a_state_must_have_is_not_deleted(path: str) -> None:
    assert begun(("state_deleted", {"path": path})).skipped_count == 1


def test_unknown_types_are_counted_and_change_nothing() -> None:
    state = a_full_session()
    replayed = begun(*[("weather_changed", {"x": 1})] * 3, state=state)
    assert replayed.unknown == {"weather_changed": 3}
    assert replayed.state == state


def test_it_begins_with_the_newest_checkpoint() -> None:
    old, new = a_session(tasks=[a_task("old")]), a_session(tasks=[a_task("new")])
    before = (("session_created", {"state": old}), ("task_created", {"task_id": "between"}))
    replayed = replay(None, log_of(*before, ("checkpoint", {"state": new}), ("task_created", {"task_id": "after"})))
    assert replayed.beginning == "checkpoint"
    assert set(at(replayed.state, TASKS)) == {"new", "after"}
    assert at(replayed.state, CHECKPOINT)["sequence"] == 4
    assert replayed.is_whole


def test_a_backup_is_brought_up_to_date_with_what_came_after_it() -> None:
    base = a_session(tasks=[a_task("T1")])
    base["persistence"]["checkpoint"]["sequence"] = 3
    events = [("task_updated", {"task_id": "T1", "title": f"number {number}"}) for number in range(1, 6)]
    before = deepcopy(base)
    replayed = replay(base, log_of(*events))
    assert (replayed.beginning, replayed.applied, replayed.missing) == ("base", 2, ())
    assert at(replayed.state, (*TASKS, "T1"))["title"] == "number 5"
    assert base == before
    assert replay(replayed.state, log_of(*events)).applied == 0


def test_events_that_the_log_has_no_more_are_told() -> None:
    base = a_session()
    base["persistence"]["checkpoint"]["sequence"] = 3
    replayed = replay(base, log_of(("task_created", {"task_id": "T9"}), since=8))
    assert replayed.missing == ("events 4 to 7: the log begins after them",)
    assert "T9" in at(replayed.state, TASKS)


def test_a_backup_without_a_number_goes_by_the_time() -> None:
    base = a_session(tasks=[a_task("T1")])
    base["persistence"]["checkpoint"] = {"last_saved": ago(998)}
    events = [("task_updated", {"task_id": "T1", "title": f"number {number}"}) for number in range(1, 4)]
    replayed = replay(base, log_of(*events))
    assert (replayed.applied, at(replayed.state, (*TASKS, "T1"))["title"]) == (1, "number 3")


def test_a_checkpoint_that_is_newer_than_the_backup_counts() -> None:
    base = a_session(tasks=[a_task("T1")])
    base["persistence"]["checkpoint"]["sequence"] = 3
    log = log_of(("checkpoint", {"state": a_session(tasks=[a_task("T2")])}), since=7)
    assert set(at(replay(base, log).state, TASKS)) == {"T2"}


def test_a_log_that_begins_in_the_middle_is_said_to() -> None:
    replayed = replay(None, log_of(("task_created", {"task": a_task("T9")}), since=40), SESSION_ID)
    assert (replayed.beginning, replayed.is_whole) == ("middle", False)
    assert replayed.missing == ("what happened before event 40: the log begins there, with no whole state",)
    assert at(replayed.state, ("session", "id")) == SESSION_ID
    assert set(at(replayed.state, TASKS)) == {"T9"}


def test_no_other_session_is_taken_for_this_one() -> None:
    theirs = log_of(("session_created", {"state": a_session(session_id="theirs")}), session_id="theirs")
    assert replay(None, theirs, SESSION_ID).state is None
    disguised = log_of(("checkpoint", {"state": a_session(session_id="theirs", tasks=[a_task("T1")])}))
    assert replay(None, disguised, SESSION_ID).state is None


def test_the_same_events_make_the_same_state() -> None:
    events = [("task_created", {"task": a_task(f"T{number}")}) for number in range(9)]
    assert begun(*events) == begun(*events)


def test_the_last_activity_is_that_of_the_last_event() -> None:
    state = made(("task_created", {"task_id": "T1"}), state=a_session(active=5000))
    assert at(state, ("session", "lifecycle", "last_activity")) == ago(998)


_ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.sampled_from(["T1", "A1", "execution.tasks"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
_KEYS = st.sampled_from(
    ["task_id", "agent_id", "task", "agent", "path", "value", "message", "to", "resource", "from", "edge"]
)
_TYPES = st.sampled_from(
    [
        *("state_updated", "state_deleted", "task_created", "task_updated", "task_completed", "task_assigned"),
        *("agent_spawned", "agent_failed", "message_sent", "message_delivered", "lock_acquired", "lock_released"),
        *("dependency_added", "dependency_removed", "checkpoint", "session_created"),
    ]
)


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(_TYPES, st.dictionaries(_KEYS, _ANYTHING, max_size=4)), max_size=8))
def test_whatever_the_events_say_it_is_never_an_exception(events: list[tuple[str, dict[str, Any]]]) -> None:
    full = ("checkpoint", {"state": a_full_session()})
    state = replay(None, log_of(full, *events), SESSION_ID).state
    assert state is not None
    assert at(state, ("session", "id")) == SESSION_ID
