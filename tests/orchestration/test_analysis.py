"""How a session is judged, by its content and by what is seen of its workspace."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, strategies as st

from miyabi.orchestration.analysis import Analysis, analyse, judge_session
from miyabi.orchestration.findings import SessionStatus
from miyabi.orchestration.rules import Orchestration, StateLimits
from miyabi.orchestration.session_state import State
from miyabi.orchestration.workspace import Holder, SeenFile, SeenLock, SeenProcess, SeenWorkspace
from tests.orchestration.corrupt import corrupted
from tests.orchestration.states import (
    HOUR,
    NOW,
    a_full_session,
    a_lock,
    a_message,
    a_session,
    a_task,
    ago,
    an_agent,
    an_event,
    as_content,
)

_NAME = "session-1.json"
_RULES = Orchestration("/srv/project")
_CHANGED = NOW - 60


def _file(content: bytes) -> SeenFile:
    return SeenFile(_NAME, len(content), _CHANGED, "d", content)


def _seen(**more: Any) -> SeenWorkspace:
    return SeenWorkspace("/srv/project", NOW, **more)


def _judged(state: State | bytes, seen: SeenWorkspace | None = None, rules: Orchestration = _RULES) -> Any:
    content = state if isinstance(state, bytes) else as_content(state)
    return judge_session(_file(content), None, seen or _seen(), rules)


def _codes(report: Any) -> list[str]:
    return [issue.code for issue in report.issues]


def _locked(holder: Holder) -> SeenWorkspace:
    return _seen(locks=(SeenLock("session-2.json", "gone"), SeenLock(_NAME, holder, 4711, NOW - 5)))


_SICK_TASK = a_task("T1", "in_progress", assignee="nobody")


def test_a_valid_session_is_healthy_and_counted() -> None:
    report = _judged(a_full_session())
    assert (report.status, report.issues, report.repair) == ("healthy", (), "none")
    assert report.counts == {
        "tasks": 12,
        "open_tasks": 9,
        "agents": 3,
        "pooled": 2,
        "messages": 32,
        "dead_letters": 0,
        "locks": 2,
        "events": 20,
    }
    assert report.last_activity == NOW - 60


@pytest.mark.parametrize(
    ("content", "code", "severity"),
    [
        (b"", "SESSION_INIT_FAILED", "critical"),
        (b"\0" * 100, "SESSION_CORRUPTED", "critical"),
        (b"[1, 2]", "SESSION_CORRUPTED", "critical"),
        (as_content(a_full_session())[:-1], "SESSION_CORRUPTED", "minor"),
        (b"\xef\xbb\xbf" + as_content(a_full_session()), "SESSION_CORRUPTED", "minor"),
        (as_content(a_full_session())[:9000], "SESSION_CORRUPTED", "major"),
    ],
)
def test_a_content_that_is_no_state_is_corrupted(content: bytes, code: str, severity: str) -> None:
    report = _judged(content)
    assert report.status == "corrupted"
    assert (report.issues[0].code, report.issues[0].severity) == (code, severity)
    assert report.repair == severity
    assert "\n" not in report.issues[0].message


def test_a_state_that_contradicts_itself_is_corrupted() -> None:
    report = _judged(a_session(tasks=[_SICK_TASK]))
    assert (report.status, report.repair) == ("corrupted", "minor")
    assert "nobody" in report.issues[0].message


def test_a_repeated_key_is_told() -> None:
    content = as_content(a_session(tasks=[a_task("T1")])).replace(
        b'"status": "pending"', b'"status": 1, "status": "pending"'
    )
    report = _judged(content)
    assert (report.status, report.repair) == ("corrupted", "minor")
    assert report.issues[0].path == "execution.tasks.T1.status"


def test_what_healing_cannot_make_good_is_told_and_no_corruption() -> None:
    report = _judged(a_session(tasks=[a_task("T1", title=7)]))
    assert (report.status, report.repair, _codes(report)) == ("healthy", "none", ["STATE_VALIDATION_FAILED"])


@pytest.mark.parametrize(
    ("holder", "status", "repair"),
    [("gone", "zombie", "minor"), ("alive", "locked", "none"), ("unknown", "locked", "none")],
)
def test_the_holder_of_its_lock_decides(holder: Holder, status: SessionStatus, repair: str) -> None:
    report = _judged(a_session(), _locked(holder))
    assert (report.status, report.repair) == (status, repair)
    assert "4711" in report.issues[0].message


def test_an_agent_whose_process_is_gone_makes_a_zombie() -> None:
    state = a_session(agents=[an_agent("A1", pid=11), an_agent("A2", pid=12), an_agent("A3", pid=13), an_agent("A4")])
    running = (SeenProcess(11, NOW - HOUR), SeenProcess(12, NOW - 1))
    report = _judged(state, _seen(asked=(11, 12, 13), running=running))
    assert report.status == "zombie"
    gone = {issue.path for issue in report.issues if issue.code == "AGENT_CRASHED"}
    assert gone == {"execution.agents.active.A2", "execution.agents.active.A3"}


def test_an_agent_whose_process_was_not_asked_for_is_left_alone() -> None:
    report = _judged(a_session(agents=[an_agent("A1", pid=11)]), _seen())
    assert (report.status, report.issues) == ("healthy", ())


def test_a_large_session_says_how_large() -> None:
    state = a_session(tasks=[a_task(f"T{number}") for number in range(20)])
    report = _judged(state, rules=replace(_RULES, limits=StateLimits(session_size=1000)))
    assert (report.status, report.repair) == ("large", "none")
    done = a_session(tasks=[a_task("T1", "completed", since=100 * HOUR)])
    report = _judged(done, rules=replace(_RULES, limits=StateLimits(session_size=1000)))
    assert (report.status, report.repair) == ("large", "minor")


def test_limits_are_told() -> None:
    state = a_session(agents=[an_agent(f"A{n}") for n in range(4)], events=[an_event(f"E{n}") for n in range(6)])
    report = _judged(state, rules=replace(_RULES, limits=StateLimits(agents=3, events=5)))
    assert set(_codes(report)) == {"AGENT_CAPACITY_EXCEEDED", "STATE_SIZE_LIMIT_EXCEEDED"}
    assert (report.status, report.repair) == ("healthy", "none")


@pytest.mark.parametrize(
    ("activity", "status"),
    [
        (ago(25 * HOUR), "stale"),
        (ago(23 * HOUR), "healthy"),
        (ago(25 * HOUR).replace("+00:00", "Z"), "stale"),
        (ago(25 * HOUR).replace("+00:00", ""), "stale"),
        ("2026-01-15T13:00:00+09:00", "healthy"),
        (NOW - 25 * HOUR, "stale"),
        ((NOW - 25 * HOUR) * 1000, "stale"),
        (str(NOW - 25 * HOUR), "stale"),
        (NOW + 25 * HOUR, "healthy"),
        ("9999-12-31T23:59:59Z", "healthy"),
        ("yesterday", "healthy"),
        (None, "healthy"),
        ("", "healthy"),
        (-1, "healthy"),
        (1e300, "healthy"),
        (10**400, "healthy"),
    ],
)
def test_age_is_counted_from_whatever_tells_it(activity: object, status: SessionStatus) -> None:
    state = a_session()
    state["session"]["lifecycle"]["last_activity"] = activity
    assert _judged(state).status == status


def test_without_an_activity_the_file_tells_its_age() -> None:
    state = a_session()
    del state["session"]["lifecycle"]["last_activity"]
    content = as_content(state)
    old = replace(_file(content), changed_at=NOW - 25 * HOUR)
    assert judge_session(old, None, _seen(), _RULES).status == "stale"


def test_an_activity_in_the_future_is_none() -> None:
    content = as_content(a_session(active=-30 * HOUR))
    old = replace(_file(content), changed_at=NOW - 25 * HOUR)
    assert judge_session(old, None, _seen(), _RULES).status == "stale"


def test_the_worst_counts() -> None:
    small = replace(_RULES, limits=StateLimits(session_size=100))
    sick, old = a_session(tasks=[_SICK_TASK], active=99 * HOUR), a_session(active=99 * HOUR)
    statuses = [
        _judged(sick, _locked("gone"), small).status,
        _judged(old, _locked("gone"), small).status,
        _judged(old, _locked("alive"), small).status,
        _judged(old, None, small).status,
        _judged(old).status,
    ]
    assert statuses == ["corrupted", "zombie", "locked", "large", "stale"]


def test_what_was_not_read_is_unknown() -> None:
    file = replace(_file(b""), content=None, size=99_000_000)
    report = judge_session(file, None, _locked("alive"), _RULES)
    assert (report.status, report.repair) == ("unknown", "none")
    assert _codes(report) == ["SESSION_LOCKED", "STATE_SIZE_EXCEEDED"]


def test_what_time_makes_due_is_known_beforehand() -> None:
    state = a_session(agents=[an_agent("A1")], locks={"db": a_lock("A1", expires_at=ago(-30))})
    content = as_content(state)
    analysis = analyse(content, _CHANGED, _RULES)
    assert (analysis.issues, analysis.next_due) == ((), NOW + 30)
    assert analysis.due
    known = replace(_file(content), content=None)
    assert judge_session(known, analysis, _seen(), _RULES).repair == "none"
    later = judge_session(known, analysis, replace(_seen(), now=NOW + 31), _RULES)
    assert (later.repair, later.issues) == ("minor", analysis.due)


def test_what_will_be_due_does_not_repeat_what_is() -> None:
    state = a_session(tasks=[_SICK_TASK], agents=[an_agent("A1")], locks={"db": a_lock("A1", expires_at=ago(-30))})
    analysis = analyse(as_content(state), _CHANGED, _RULES)
    assert analysis.issues
    assert analysis.due
    assert not set(analysis.issues) & set(analysis.due)


@pytest.mark.parametrize(
    "state",
    [a_full_session(), a_session(tasks=[_SICK_TASK], locks={"db": a_lock("A1", expires_at=ago(-30))})],
)
def test_an_analysis_is_kept_as_json(state: State) -> None:
    analysis = analyse(as_content(state), _CHANGED, _RULES)
    kept = json.loads(json.dumps(analysis.to_json()))
    assert Analysis.from_json(kept) == analysis


def test_the_content_of_a_known_digest_is_not_read() -> None:
    content = as_content(a_full_session())
    analysis = analyse(content, _CHANGED, _RULES)
    known = replace(_file(content), content=None)
    assert judge_session(known, analysis, _seen(), _RULES) == judge_session(_file(content), None, _seen(), _RULES)


@given(st.integers(0, 10_000), st.integers(1, 3))
def test_any_damage_is_judged(seed: int, most: int) -> None:
    content = corrupted(as_content(a_full_session(4, 2, 2, 2)), seed, most).content
    report = _judged(content)
    json.dumps(report.to_json())
    for issue in report.issues:
        assert issue.message.isprintable(), issue


@pytest.mark.parametrize("value", [None, 0, "x", [], {}, [[]], {"a": None}, True, -1.5, {"pid": {}}, {"status": []}])
@pytest.mark.parametrize("part", ["session", "execution", "communication", "observability", "persistence"])
def test_a_part_of_any_type_is_judged(part: str, value: object) -> None:
    assert _judged(a_full_session() | {part: value}).issues
    state = a_full_session()
    for key in state[part]:
        assert _judged(state | {part: state[part] | {key: value}}).name == _NAME


def test_messages_of_the_queues_and_channels_are_counted() -> None:
    state = a_session(
        agents=[an_agent("A1")],
        queues={"A1": [a_message("M1")]},
        channels={"broadcast": [a_message("M2")], "dead_letter": [a_message("M3")]},
    )
    counts = _judged(state).counts
    assert (counts["messages"], counts["dead_letters"]) == (2, 1)


@pytest.mark.slow
def test_a_thousand_sessions_are_analysed_within_seconds() -> None:
    contents = [as_content(a_full_session(138 + number)) for number in range(4)]
    assert sum(map(len, contents)) > 400_000
    began = time.process_time()
    for _ in range(250):
        for content in contents:
            analyse(content, _CHANGED, _RULES)
    # It takes about 2.7 s of one core that does nothing else.
    assert time.process_time() - began < 10
