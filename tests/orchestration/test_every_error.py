"""Each error that a state can have, in a workspace on the disk: found, and healed or left, with nothing lost."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from miyabi.local_state import LocalState
from miyabi.orchestration.rules import Orchestration, StateLimits
from miyabi.orchestration.session_json import read_state
from miyabi.orchestration.session_state import ids
from miyabi.orchestration.workspace import EVENTS_FOLDER, RECOVERY_FOLDER, STATE_FOLDER
from miyabi.state_decisions import repairing, replaying
from miyabi.state_repair import look_and_decide, settle
from tests.orchestration import states
from tests.orchestration.states import a_lock, a_message, a_session, a_task, an_agent, as_content

NAME = "session-1.json"
HOUR = 3600.0

# More than any pid of a system may be, so that no process has it.
NO_PROCESS = 2**22 + 17


@dataclass(frozen=True, slots=True)
class Ground:
    """A workspace of its own, under rules with small limits."""

    path: Path

    @property
    def file(self) -> Path:
        """The session's file."""
        return self.path / STATE_FOLDER / NAME

    @property
    def state(self) -> LocalState:
        """The workspace as it is reached."""
        limits = StateLimits(session_size=200_000, agents=2, queue=60, events=20)
        return LocalState(str(self.path), Orchestration(str(self.path), limits=limits))

    def codes(self) -> set[str]:
        """The errors that a look finds."""
        _, reports = self.state.judged()
        return {issue.code for report in reports for issue in report.issues}

    def kept(self) -> str:
        """All that is kept of what was taken out or replaced."""
        folder = self.path / RECOVERY_FOLDER
        return "\n".join(path.read_text(errors="replace") for path in folder.rglob("*") if path.is_file())


@pytest.fixture
def ground(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ground:
    monkeypatch.setattr(states, "NOW", time.time())
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    path = tmp_path / "it's a workspace"
    (path / EVENTS_FOLDER).mkdir(parents=True)
    return Ground(path)


Write = Callable[[Ground], None]


def _content(make: Callable[[], dict[str, Any]], **style: Any) -> Write:
    return lambda ground: void(ground.file.write_bytes(as_content(make(), **style)))


def void(_: object) -> None:
    """Forget a value."""


def _without(*path: str) -> dict[str, Any]:
    state = a_session(tasks=[a_task("T1")])
    part = state
    for key in path[:-1]:
        part = part[key]
    del part[path[-1]]
    return state


def _torn(ground: Ground) -> None:
    content = as_content(a_session(tasks=[a_task(f"T{number}") for number in range(5)]))
    ground.file.write_bytes(content.replace(b'"tasks": {', b'"tasks": {,', 1))


def _empty_with_backup(ground: Ground) -> None:
    ground.file.write_bytes(b"")
    kept = ground.path / RECOVERY_FOLDER / "backups" / NAME
    kept.mkdir(parents=True)
    (kept / "20260101T000000Z.json").write_bytes(as_content(a_session(tasks=[a_task("T1")], session_id="1")))


def _zombie(ground: Ground) -> None:
    ground.file.write_bytes(as_content(a_session(tasks=[a_task("T1")])))
    ground.file.with_name(f"{NAME}.lock").write_text(json.dumps({"pid": NO_PROCESS, "acquired_at": time.time()}))


def _locked(ground: Ground) -> None:
    ground.file.write_bytes(as_content(a_session(tasks=[a_task("T1")])))
    ground.file.with_name(f"{NAME}.lock").write_text(str(os.getpid()))


def _many_messages() -> dict[str, Any]:
    ordinary = [a_message(f"N{number}", since=1000 - number) for number in range(70)]
    return a_session(agents=[an_agent("A1")], queues={"A1": [*ordinary, a_message("C1", "critical")]})


def _undelivered() -> dict[str, Any]:
    tried: dict[str, Any] = {"status": "failed", "attempts": 3, "last_attempt_at": states.ago(HOUR)}
    sent = a_message("M1", to="A1", sender="A2", **tried)
    return a_session(agents=[an_agent("A1"), an_agent("A2")], queues={"A1": [sent]})


def _missed() -> dict[str, Any]:
    told: dict[str, Any] = {"recipients": ["A1", "A2"], "delivered_to": ["A1"], "status": "partial", "attempts": 1}
    sent = a_message("B1", to="*", sender="A1", last_attempt_at=states.ago(HOUR), **told)
    return a_session(agents=[an_agent("A1"), an_agent("A2")], channels={"broadcast": [sent]})


def _deadlock() -> dict[str, Any]:
    agents = [an_agent("A1", "busy", waiting_for="db"), an_agent("A2", "busy", waiting_for="src")]
    return a_session(agents=agents, locks={"src": a_lock("A1"), "db": a_lock("A2")})


def _circle_of_children() -> dict[str, Any]:
    return a_session(agents=[an_agent("A1", children=["A2"]), an_agent("A2", children=["A1"])])


def _too_large() -> dict[str, Any]:
    old = [a_task(f"T{number}", "completed", since=30 * HOUR, description="x" * 2000) for number in range(120)]
    return a_session(tasks=[*old, a_task("OPEN")])


# What a repair takes away.
HEALED: Mapping[str, Write] = {
    "SESSION_CORRUPTED": _torn,
    "SESSION_INIT_FAILED": _empty_with_backup,
    "SESSION_ZOMBIE": _zombie,
    "STATE_SIZE_EXCEEDED": _content(_too_large),
    "STATE_VALIDATION_FAILED": _content(lambda: a_session(tasks=[a_task("T1")]) | {"organization": "none"}),
    "STATE_CONSISTENCY_FAILED": _content(
        lambda: a_session(agents=[an_agent("A1", "busy", current_task="GONE")], tasks=[a_task("T1")])
    ),
    "STATE_CIRCULAR_REFERENCE": _content(_circle_of_children),
    "AGENT_CRASHED": _content(
        lambda: a_session(
            tasks=[a_task("T1", "in_progress", assignee="A1")],
            agents=[an_agent("A1", pid=NO_PROCESS)],
            locks={"db": a_lock("A1")},
        )
    ),
    "TASK_ASSIGNMENT_FAILED": _content(lambda: a_session(tasks=[a_task("T1", "assigned", assignee="NOBODY")])),
    "CIRCULAR_DEPENDENCY": _content(
        lambda: a_session(tasks=[a_task("T1", dependencies=["T2"]), a_task("T2", dependencies=["T1"])])
    ),
    "DEPENDENCY_DEADLOCK": _content(_deadlock),
    "MESSAGE_QUEUE_OVERFLOW": _content(_many_messages),
    "MESSAGE_DELIVERY_FAILED": _content(_undelivered),
    "MESSAGE_CORRUPTION": _content(
        lambda: a_session(agents=[an_agent("A1")], queues={"A1": ["no message", a_message("M1")]})
    ),
    "CHANNEL_UNAVAILABLE": _content(lambda: _without("communication", "channels", "broadcast")),
    "BROADCAST_FAILED": _content(_missed),
}

# What only a human can say, or what is nobody's fault.
LEFT: Mapping[str, Write] = {
    "SESSION_TIMEOUT": _content(lambda: a_session(tasks=[a_task("T1")], active=30 * HOUR)),
    "SESSION_LOCKED": _locked,
    "AGENT_CAPACITY_EXCEEDED": _content(lambda: a_session(agents=[an_agent(f"A{number}") for number in range(3)])),
    "STATE_SIZE_LIMIT_EXCEEDED": _content(
        lambda: a_session(events=[states.an_event(f"E{number}") for number in range(30)])
    ),
    "TASK_ORPHANED": _content(
        lambda: a_session(tasks=[a_task("T1", required_role="translator")], agents=[an_agent("A1")])
    ),
}


@pytest.mark.parametrize("code", HEALED)
def test_it_is_found_and_healed(code: str, ground: Ground) -> None:
    HEALED[code](ground)
    named = ids_of(ground.file.read_bytes())
    assert code in ground.codes()

    [settled] = settle(ground.state, [NAME], repairing(ground.state.rules))
    assert settled.outcome == "done", settled
    # What no repair in place can help is told as what it was replaced for.
    told = {change.code for change in settled.decision.changes}
    assert (code if settled.decision.method == "repair" else "SESSION_CORRUPTED") in told, settled.decision.changes
    assert code not in ground.codes()

    after = ids_of(ground.file.read_bytes())
    kept = ground.kept()
    assert [each for each in named - after if json.dumps(each[1]) not in kept] == []
    [again] = settle(ground.state, [NAME], repairing(ground.state.rules))
    assert again.outcome == "nothing", again


@pytest.mark.parametrize("code", LEFT)
def test_it_is_told_and_left(code: str, ground: Ground) -> None:
    LEFT[code](ground)
    before = ground.file.read_bytes()
    assert code in ground.codes()
    [settled] = look_and_decide(ground.state, [NAME], repairing(ground.state.rules))
    assert settled.outcome == "nothing", settled
    assert ground.file.read_bytes() == before
    assert code in ground.codes()


def test_a_damaged_log_is_told_by_a_replay(ground: Ground) -> None:
    made = a_session(tasks=[a_task("T1")], session_id="1")
    events = [
        states.an_event("E1", "session_created", session_id="1", sequence=1, data={"state": made}),
        states.an_event("E4", "task_created", session_id="1", sequence=4, data={"task_id": "T2", "task": a_task("T2")}),
    ]
    lines = [json.dumps(events[0]), '{"id": "E2", "torn', json.dumps(events[1])]
    (ground.path / EVENTS_FOLDER / "events.jsonl").write_text("\n".join(lines))
    [settled] = look_and_decide(ground.state, [NAME], replaying(ground.state.rules))
    told = [change.found for change in settled.decision.changes if change.code == "EVENT_LOG_DAMAGED"]
    assert len(told) == 2
    assert "events.jsonl:2" in told[0]
    assert "events 2 to 3" in told[1]


def ids_of(content: bytes) -> set[tuple[str, str]]:
    """What a content names."""
    state = read_state(content).state
    return set() if state is None else set(ids(state))
