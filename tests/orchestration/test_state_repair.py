"""Looking, deciding, writing and looking again, on files that other programs write meanwhile."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from typing_extensions import override

from miyabi.local_state import LocalState
from miyabi.orchestration.rules import Orchestration
from miyabi.orchestration.session_json import read_state
from miyabi.orchestration.session_state import TASKS, objects
from miyabi.orchestration.workspace import EVENTS_FOLDER, RECOVERY_FOLDER, STATE_FOLDER
from miyabi.state_decisions import repairing, resetting, restoring
from miyabi.state_material import Decide, Decision, Material, Wish, Written
from miyabi.state_repair import Settled, look_and_decide, settle
from tests.orchestration import states
from tests.orchestration.states import a_session, a_task, as_content

NAME = "session-1.json"


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(states, "NOW", time.time())
    (tmp_path / EVENTS_FOLDER).mkdir(parents=True)
    return tmp_path


@pytest.fixture
def there(path: Path) -> LocalState:
    return LocalState(str(path), Orchestration(str(path)))


def sick(*names: str) -> bytes:
    """A state whose first task's agent is not there."""
    first, *others = names or ("T1",)
    tasks = [a_task(first, "in_progress", assignee="NOBODY"), *map(a_task, others)]
    return as_content(a_session(tasks=tasks, session_id="1"))


def well(*names: str) -> bytes:
    """A state that needs nothing."""
    return as_content(a_session(tasks=map(a_task, names), session_id="1"))


def put(path: Path, content: bytes, name: str = NAME) -> None:
    """Write a session as an orchestrator does: beside its place, then into it."""
    file = path / STATE_FOLDER / name
    beside = file.with_name(f".{name}.{os.getpid()}.{threading.get_ident()}")
    beside.write_bytes(content)
    beside.replace(file)


def tasks_in(path: Path, name: str = NAME) -> list[str]:
    state = read_state((path / STATE_FOLDER / name).read_bytes()).state
    assert state is not None
    return list(objects(state, TASKS))


def meanwhile(decide: Decide, acts: list[Callable[[], None]]) -> Decide:
    """Decide, and let another program do the next of ``acts`` before it is written."""

    def decided(material: Material) -> Decision | None:
        decision = decide(material)
        if decision is not None and acts:
            acts.pop(0)()
        return decision

    return decided


def test_a_writer_that_is_faster_wins_and_it_is_decided_again(path: Path, there: LocalState) -> None:
    put(path, sick("T1"))
    faster = [lambda: put(path, sick("T1", "NEW")), lambda: put(path, sick("T1", "NEW", "NEWER"))]
    [settled] = settle(there, [NAME], meanwhile(repairing(there.rules), faster))
    assert (settled.outcome, settled.tries) == ("done", 3)
    assert tasks_in(path) == ["T1", "NEW", "NEWER"]


def test_a_writer_that_never_lets_it_through_is_told(path: Path, there: LocalState) -> None:
    put(path, sick("T1"))
    number = iter(range(100))
    acts = [lambda: put(path, sick("T1", f"N{next(number)}")) for _ in range(3)]
    [settled] = settle(there, [NAME], meanwhile(repairing(there.rules), acts), tries=3)
    assert (settled.outcome, settled.code, settled.tries) == ("failed", "STATE_CONFLICT", 3)
    assert "written meanwhile" in settled.reason
    assert tasks_in(path) == ["T1", "N2"]


def test_who_heals_it_himself_is_left_alone(path: Path, there: LocalState) -> None:
    put(path, sick("T1"))
    [settled] = settle(there, [NAME], meanwhile(repairing(there.rules), [lambda: put(path, well("T1", "T2"))]))
    assert (settled.outcome, settled.tries) == ("nothing", 2)
    assert tasks_in(path) == ["T1", "T2"]


@dataclass(frozen=True, slots=True)
class Overtaken(LocalState):
    """A workspace in which another program writes again as soon as something was written."""

    content: bytes = b""

    @override
    def write(self, wish: Wish) -> Written:
        answer = LocalState.write(self, wish)
        if answer.outcome == "written":
            put(Path(self.path), self.content)
        return answer


def test_what_was_put_back_and_written_over_stays_written_over(path: Path, there: LocalState) -> None:
    put(path, well("OLD"))
    there.back_up("kept")
    put(path, well("NOW"))
    overtaken = Overtaken(there.path, there.rules, well("LATER"))
    [settled] = settle(overtaken, [NAME], restoring(there.rules, "backup-kept"), insist=False)
    assert settled.outcome == "overtaken"
    assert tasks_in(path) == ["LATER"]


def test_who_goes_on_with_what_was_repaired_is_no_trouble(path: Path, there: LocalState) -> None:
    put(path, sick("T1"))
    overtaken = Overtaken(there.path, there.rules, well("T1", "T2"))
    [settled] = settle(overtaken, [NAME], repairing(there.rules))
    assert (settled.outcome, settled.tries) == ("done", 2)
    assert "has gone on with it" in settled.reason
    assert tasks_in(path) == ["T1", "T2"]


@pytest.mark.slow
def test_one_that_cannot_be_written_stops_no_other(path: Path, there: LocalState) -> None:
    put(path, sick("T1"))
    put(path, sick("T2"), "session-2.json")
    (path / STATE_FOLDER / f"{NAME}.lock").write_text(str(os.getpid()))
    heard: list[Settled] = []
    settled = settle(there, [NAME, "session-2.json"], repairing(there.rules), heard.append)
    assert [(each.name, each.outcome, each.code) for each in settled] == [
        (NAME, "failed", "SESSION_LOCKED"),
        ("session-2.json", "done", ""),
    ]
    assert [each.name for each in heard] == [NAME, "session-2.json"]


def test_a_plan_changes_nothing(path: Path, there: LocalState) -> None:
    put(path, sick("T1"))
    before = {file: file.read_bytes() for file in path.rglob("*") if file.is_file()}
    [planned] = look_and_decide(there, [NAME], repairing(there.rules))
    assert planned.outcome == "done"
    assert {file: file.read_bytes() for file in path.rglob("*") if file.is_file()} == before


def test_a_repair_reads_the_log_and_the_backups_only_when_it_needs_them(path: Path, there: LocalState) -> None:
    put(path, sick("T1"))
    asked: list[bool] = []

    def decide(material: Material) -> Decision | None:
        asked.append(material.log is not None)
        return repairing(there.rules)(material)

    settle(there, [NAME], decide)
    assert asked == [False]
    put(path, b"")
    settle(there, [NAME], decide)
    assert asked[1:] == [False, True]


def test_a_file_that_can_be_nothing_goes_into_the_quarantine(path: Path, there: LocalState) -> None:
    put(path, b"\x00" * 400)
    [settled] = settle(there, [NAME], repairing(there.rules))
    assert settled.outcome == "quarantined"
    assert not (path / STATE_FOLDER / NAME).exists()
    [kept] = (path / RECOVERY_FOLDER / "quarantine").iterdir()
    assert kept.read_bytes() == b"\x00" * 400


def test_what_is_gone_meanwhile_needs_nothing(path: Path, there: LocalState) -> None:
    put(path, well("T1"))
    file = path / STATE_FOLDER / NAME
    [settled] = settle(there, [NAME], meanwhile(resetting(), [file.unlink]))
    assert settled.outcome == "nothing"


@pytest.fixture
def orchestrator(path: Path) -> Iterator[list[str]]:
    """An orchestrator that never stops: it reads its session, adds a task, and writes it; the tasks it has added."""
    added: list[str] = []
    stop = threading.Event()

    def work() -> None:
        while not stop.wait(0.05):
            name = f"N{len(added)}"
            put(path, sick(*tasks_in(path), name))
            added.append(name)

    put(path, sick("T1"))
    thread = threading.Thread(target=work)
    thread.start()
    yield added
    stop.set()
    thread.join()


def test_with_a_live_orchestrator_nothing_of_its_own_is_lost(
    path: Path, there: LocalState, orchestrator: list[str]
) -> None:
    for _ in range(4):
        [settled] = settle(there, [NAME], repairing(there.rules), tries=3)
        assert settled.outcome in {"done", "failed", "nothing"}
        assert settled.code in {"", "STATE_CONFLICT"}
    kept = (file.read_text() for file in (path / RECOVERY_FOLDER / "backups").rglob("*.json"))
    known = "".join([*kept, (path / STATE_FOLDER / NAME).read_text()])
    assert orchestrator
    assert [name for name in list(orchestrator) if f'"{name}"' not in known] == []
