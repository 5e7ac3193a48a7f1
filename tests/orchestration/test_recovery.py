"""The decision tree: what becomes of a session's file, out of what there is."""

from __future__ import annotations

import time
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from miyabi.orchestration.event_log import EventLog
from miyabi.orchestration.findings import Evidence
from miyabi.orchestration.healing import heal
from miyabi.orchestration.recovery import Backup, Recovery, recover
from miyabi.orchestration.rules import Orchestration
from miyabi.orchestration.session_json import read_state
from miyabi.orchestration.session_schema import schema_flaws
from miyabi.orchestration.session_state import AGENTS, LOCKS, QUEUES, TASKS, State, at, ids, structure
from tests.orchestration.measure import outcome
from tests.orchestration.states import (
    NOW,
    SESSION_ID,
    a_full_session,
    a_lock,
    a_message,
    a_session,
    a_task,
    an_agent,
    as_content,
)
from tests.orchestration.test_replay import log_of

RULES = Orchestration("/srv/project")
EVIDENCE = Evidence(now=NOW)
NO_LOG = EventLog()
FULL = a_full_session()


def recovered(content: bytes | None, *backups: bytes, log: EventLog = NO_LOG, name: str = "") -> Recovery:
    """What is made of a content, proved to be valid, and to be left as it is the next time."""
    kept = [Backup(f"session-7.json/{number}.json", NOW - 60, each) for number, each in enumerate(backups)]
    found = recover(content, log, kept, EVIDENCE, RULES, name)
    if found.method not in {"none", "quarantine"}:
        assert found.content is not None
        assert read_state(found.content).state == found.state
        assert found.state is not None
        assert not heal(found.state, EVIDENCE, RULES).changes
        assert recover(found.content, log, kept, EVIDENCE, RULES, name).method == "none"
    return found


def torn(state: State, at_text: bytes) -> bytes:
    """The file of a state, cut off before a text."""
    content = as_content(state)
    assert at_text in content
    return content[: content.index(at_text)]


def test_a_valid_state_is_left_as_it_is() -> None:
    found = recovered(as_content(FULL), as_content(a_session()))
    assert (found.method, found.content, found.changes) == ("none", as_content(FULL), ())


def test_minor_is_repaired_in_place() -> None:
    found = recovered(as_content(FULL).replace(b'"T5": {', b'"T5" {', 1), as_content(a_session()))
    assert (found.method, found.state, found.missing, found.steps) == ("repair", FULL, (), ())
    assert [change.code for change in found.changes] == ["SESSION_CORRUPTED"]


def test_what_a_valid_file_says_twice_is_archived() -> None:
    content = as_content(FULL).replace(b'"version": "2.0.0"', b'"version": "1.0.0", "version": "2.0.0"')
    found = recovered(content)
    assert (found.method, found.state) == ("repair", FULL)
    assert [(each.id, each.value) for each in found.archived] == [("version", "1.0.0")]


def test_a_part_whose_name_is_damaged_is_not_taken_for_missing() -> None:
    found = recovered(as_content(FULL).replace(b'"agents"', b'"aGents"'))
    assert found.method == "repair"
    assert set(ids(found.state)) == set(ids(FULL))
    assert at(found.state, LOCKS) == at(FULL, LOCKS)


def test_major_is_rebuilt_from_the_event_log() -> None:
    log = log_of(("session_created", {"state": FULL}), ("task_created", {"task": a_task("T99")}))
    found = recovered(torn(FULL, b'"communication"'), log=log)
    assert found.method == "replay"
    assert set(ids(found.state)) == {*ids(FULL), ("task", "T99")}
    assert found.steps[0].startswith("repair in place: of its parts: communication, observability, persistence")


def test_critical_is_the_newest_valid_backup_brought_up_to_date() -> None:
    base = deepcopy(FULL)
    base["persistence"]["checkpoint"]["sequence"] = 4
    log = log_of(("task_created", {"task": a_task("old")}), ("task_created", {"task": a_task("new")}), since=4)
    found = recovered(
        b"\0" * 4096, b"{}", as_content(a_session(session_id="theirs")), as_content(base), log=log, name=SESSION_ID
    )
    assert found.method == "backup"
    assert set(ids(found.state)) == {*ids(FULL), ("task", "new")}
    assert [step.partition(":")[0] for step in found.steps[1:]] == [
        "event log",
        "backup session-7.json/0.json",
        "backup session-7.json/1.json",
    ]
    assert found.steps[3].endswith("it is of the session theirs")


def test_critical_is_the_backup_also_where_the_log_is_whole() -> None:
    log = log_of(("session_created", {"state": FULL}))
    assert recovered(b"", as_content(FULL), log=log, name=SESSION_ID).method == "backup"
    assert recovered(b"", log=log, name=SESSION_ID).method == "replay"


def test_a_log_that_begins_in_the_middle_is_the_last_that_is_tried() -> None:
    log = log_of(("task_created", {"task": a_task("T9")}), since=40)
    found = recovered(b"", log=log, name=SESSION_ID)
    assert (found.method, set(at(found.state, TASKS))) == ("replay", {"T9"})
    assert found.missing == ("what happened before event 40: the log begins there, with no whole state",)


def test_a_backup_without_a_log_says_that_what_came_after_it_is_missing() -> None:
    found = recovered(b"", as_content(FULL))
    assert (found.method, found.state) == ("backup", FULL)
    assert found.missing == ("what happened after it was kept: there is no event log",)


def test_without_anything_what_the_file_holds_stands_in_a_fresh_structure() -> None:
    found = recovered(torn(FULL, b'"observability"'))
    assert found.method == "critical-data"
    assert found.state is not None
    assert found.state.keys() >= structure().keys()
    assert {each for each in ids(FULL) if each[0] != "event"} == set(ids(found.state))
    assert "of its parts: observability, persistence" in found.missing


@pytest.mark.parametrize(
    "content", [b"", b"\0" * 512, b"garbage", b"[1, 2]", b"{}", b'{"a": 1}', b"\xff\xfe\x00", b"{" * 9999]
)
def test_nothing_valid_is_for_a_human(content: bytes) -> None:
    found = recovered(content)
    assert (found.method, found.content) == ("quarantine", None)
    assert found.missing
    assert len(found.steps) >= 3


def test_a_file_that_is_not_there_is_made_of_what_there_is() -> None:
    assert recovered(None).method == "none"
    assert recovered(None, as_content(FULL)).state == FULL


def test_an_empty_state_never_replaces_a_full_one() -> None:
    """The backup and the log know of nothing: all that the broken file holds is put in."""
    broken = torn(FULL, b'"observability"')
    empty = a_session()
    for found in (
        recovered(broken, as_content(empty)),
        recovered(broken, log=log_of(("session_created", {"state": empty}))),
    ):
        assert found.method in {"backup", "replay"}
        assert {each for each in ids(FULL) if each[0] != "event"} <= set(ids(found.state))
        assert any(change.found == "task T12 is only in the broken file" for change in found.changes)


def test_of_two_that_say_otherwise_one_counts_and_the_other_is_archived() -> None:
    newer = deepcopy(FULL)
    newer["execution"]["tasks"]["T5"]["title"] = "newer"
    broken = torn(newer, b'"observability"')
    found = recovered(broken, as_content(FULL))
    assert at(found.state, (*TASKS, "T5"))["title"] == "newer"
    assert [(each.kind, each.id, each.value["title"]) for each in found.archived] == [("task", "T5", "Do T5")]
    log = log_of(("session_created", {"state": FULL}), ("task_updated", {"task_id": "T5", "title": "newest"}))
    found = recovered(broken, log=log)
    assert at(found.state, (*TASKS, "T5"))["title"] == "newest"
    assert ("task", "T5", "newer") in [(each.kind, each.id, each.value["title"]) for each in found.archived]


def test_critical_data_of_a_torn_file_is_kept() -> None:
    state = a_session(
        tasks=[a_task("T1", "in_progress", assignee="A1"), a_task("T2")],
        agents=[an_agent("A1")],
        queues={"A1": [a_message("M1", "critical")]},
        locks={"db": a_lock("A1")},
    )
    found = recovered(torn(state, b'"dependencies": {'), as_content(a_session()))
    assert set(at(found.state, TASKS)) == {"T1", "T2"}
    assert set(at(found.state, AGENTS)) == {"A1"}
    assert [each["id"] for each in at(found.state, (*QUEUES, "A1"))] == ["M1"]
    assert set(at(found.state, LOCKS)) == {"db"}


def test_what_stands_behind_the_end_is_archived() -> None:
    found = recovered(as_content(FULL) + as_content(a_session(tasks=[a_task("older")], active=9999)))
    assert (found.method, set(ids(found.state))) == ("repair", set(ids(FULL)))
    assert ("task", "older") in [(each.kind, each.id) for each in found.archived]


def test_what_stands_before_the_beginning_is_archived() -> None:
    found = recovered(b'"a lonely text" ' + as_content(FULL))
    assert set(ids(found.state)) == set(ids(FULL))
    assert [(each.kind, each.value) for each in found.archived] == [("text", '"a lonely text"')]
    assert found.missing == ("1 piece of its text, which could not be read; the archive has them",)


def test_unreadable_pieces_are_archived_as_they_stand() -> None:
    found = recovered(as_content(FULL)[:-1] + b'}} ]] "a lonely text" "and one more" {{')
    assert found.method == "repair"
    assert set(ids(found.state)) == set(ids(FULL))
    assert found.content is not None
    kept = found.content.decode() + "".join(str(each.value) for each in found.archived)
    assert "a lonely text" in kept
    assert "and one more" in kept


def test_what_cannot_be_written_back_is_never_taken() -> None:
    found = recovered(
        as_content(FULL).replace(b'"version": "2.0.0"', b'"version": "\\ud800", "n": 1e999, "m": ' + b"9" * 700)[:-1]
    )
    assert found.method == "repair"
    assert found.content is not None
    assert b"1e999" in found.content
    assert b"9" * 700 in found.content


def test_the_same_inputs_make_the_same_output() -> None:
    broken = as_content(FULL)[:-700]
    assert recovered(broken, as_content(a_session())) == recovered(broken, as_content(a_session()))


def test_dead_agents_are_healed_on_the_way() -> None:
    found = recover(as_content(FULL)[:-1], NO_LOG, (), Evidence(NOW, frozenset({"A1"})), RULES)
    assert found.method == "repair"
    assert at(found.state, (*TASKS, "T1"))["status"] == "pending"


def test_a_state_without_an_id_gets_the_one_that_is_known() -> None:
    state: dict[str, Any] = deepcopy(FULL)
    content = as_content(state)
    content = content[content.index(b'"organization"') :]
    found = recovered(b"{" + content[:-1])
    assert at(found.state, ("session", "id")) == SESSION_ID
    assert not schema_flaws(found.state or {})
    bare = a_session(tasks=[a_task("T1")])
    content = b"{" + as_content(bare)[as_content(bare).index(b'"organization"') : -1]
    assert at(recovered(content, name=f"session-{SESSION_ID}.json").state, ("session", "id")) == SESSION_ID


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=300), st.integers(0, 4000), st.integers(0, 300))
def test_whatever_a_file_holds_it_is_never_an_exception(garbage: bytes, place: int, gone: int) -> None:
    content = as_content(a_full_session(4, 2, 2, 2))
    place = min(place, len(content))
    recovered(content[:place] + garbage + content[place + gone :])
    recovered(garbage)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [
                *(
                    b"{",
                    b"}",
                    b"[",
                    b"]",
                    b",",
                    b":",
                    b'"',
                    b"\\",
                    b" ",
                    b"\n",
                    b"\0",
                    b"1",
                    b"x",
                    b"null",
                    b'"id"',
                    b'"T1"',
                ),
                *(b'"execution"', b'"tasks"', b'"communication"', b'"message_queues"', b'"locks"', b'"agents"'),
            ]
        ),
        max_size=80,
    ).map(b"".join)
)
def test_whatever_is_like_json_it_is_never_an_exception(content: bytes) -> None:
    recovered(content)
    recovered(b'{"session": {"id": "s"}, ' + content, as_content(FULL))


@pytest.mark.parametrize(
    "content",
    [
        *(b'{"a":' * 20_000, b"{}" * 20_000, b'{"' + b'\\"' * 20_000, b"{" + b"a " * 20_000, b'{"a' + b'"' * 20_000),
        *(
            b'{"id":{"id":"id",' * 5_000,
            b'{"execution":{"tasks":' + b"[{" * 20_000,
            b'{"session": {"lifecycle": {' * 2_000,
        ),
        *(b'{"execution":{"tasks":{' + b'"T":{"id":"T","title":"x"},' * 5_000, b'{"x":{' + b'"k":[],{"id":1},' * 5_000),
    ],
)
def test_a_hostile_file_costs_little(content: bytes) -> None:
    began = time.process_time()
    recovered(content)
    assert time.process_time() - began < 10


def test_no_name_is_lost() -> None:
    for seed in range(40):
        each = outcome(seed)
        assert not each.crash
        assert not each.lost


@pytest.mark.slow
@pytest.mark.parametrize("first", [3_000_000, 3_000_500])
def test_a_thousand_damaged_states(first: int) -> None:
    outcomes = [outcome(seed) for seed in range(first, first + 500)]
    assert not [each for each in outcomes if each.crash or each.lost]
    repairable = [each for each in outcomes if each.is_repairable]
    repaired = [each for each in repairable if not each.not_in_state and each.method != "quarantine"]
    assert len(repairable) > 350
    assert len(repaired) >= 0.97 * len(repairable)
