"""`miyabi state` on workspaces of this machine, as a human and as a script use it."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from miyabi.orchestration.session_json import read_state
from miyabi.orchestration.session_state import TASKS, State, objects
from miyabi.orchestration.workspace import EVENTS_FOLDER, RECOVERY_FOLDER, STATE_FOLDER
from tests.fleet.machine import Finished, Machine
from tests.fleet.waiting import wait_until
from tests.orchestration import states
from tests.orchestration.states import a_session, a_task, an_agent, an_event, as_content

REPOSITORY = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Ground:
    """A workspace on a machine, and the command run in it."""

    machine: Machine
    path: Path

    @classmethod
    def on(cls, machine: Machine, path: Path) -> Ground:
        """A new workspace without sessions."""
        (path / EVENTS_FOLDER).mkdir(parents=True)
        machine.environment["PYTHONPATH"] = str(REPOSITORY)
        return cls(machine, path)

    def file(self, name: str = "session-1.json") -> Path:
        """A session's file."""
        return self.path / STATE_FOLDER / name

    def write(self, state: State, name: str = "session-1.json") -> bytes:
        """Write a session as an orchestration does; what was written."""
        content = as_content(state)
        self.file(name).write_bytes(content)
        return content

    def state(self, name: str = "session-1.json") -> State:
        """What a session's file holds."""
        state = read_state(self.file(name).read_bytes()).state
        assert state is not None
        return state

    def miyabi(self, *arguments: str, stdin: str = "", cwd: Path | None = None) -> Finished:
        """Run the real ``miyabi state ARGUMENTS`` in the workspace."""
        done = self.machine.run("python3", "-m", "miyabi", "state", *arguments, cwd=cwd or self.path, stdin=stdin)
        assert "Traceback" not in done.output, done.output
        return done

    def told(self, *arguments: str, code: int = 0) -> dict[str, Any]:
        """What ``miyabi state ARGUMENTS --json`` prints."""
        done = self.miyabi(*arguments, "--json")
        assert done.code == code, done.output
        answer = json.loads(done.stdout)
        assert isinstance(answer, dict)
        return answer

    def kept(self) -> list[str]:
        """The files below .claude/recovery."""
        folder = self.path / RECOVERY_FOLDER
        return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.fixture
def ground(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> Ground:
    monkeypatch.setattr(states, "NOW", time.time())
    return Ground.on(machine, machine.home / "it's a workspace")


def sick() -> State:
    """A state that heals in place: its task's agent is not there."""
    return a_session(tasks=[a_task("T1", "in_progress", assignee="NOBODY"), a_task("T2")], session_id="1")


def well(*tasks: str) -> State:
    """A state that needs nothing."""
    return a_session(tasks=[a_task(name) for name in tasks or ("T1",)], session_id="1")


def test_a_workspace_that_is_well(ground: Ground) -> None:
    ground.write(well())
    done = ground.miyabi("analyze")
    assert done.code == 0, done.output
    assert "session-1.json  healthy" in done.stdout
    assert "1 session, 2 kB: 1 healthy; no backup" in done.stdout
    assert "to do" not in done.stdout
    # From a folder inside of it, too.
    inside = ground.path / "src" / "deep"
    inside.mkdir(parents=True)
    assert "session-1.json  healthy" in ground.miyabi("analyze", cwd=inside).stdout
    assert ground.told("analyze")["workspaces"][0]["sessions"][0]["status"] == "healthy"
    assert ground.kept() == []


def test_what_is_wrong_is_told_with_what_to_do(ground: Ground) -> None:
    ground.write(sick())
    done = ground.miyabi("analyze")
    assert done.code == 2
    assert "task T1 is assigned to NOBODY" in done.stdout
    assert "A task is given to nobody who is there (TASK_ASSIGNMENT_FAILED)" in done.stdout
    command = f"miyabi state repair --workspace '{ground.path}' session-1.json".replace("it's", "it'\"'\"'s")
    assert command in done.stdout
    told = ground.told("analyze", code=2)
    [workspace] = told["workspaces"]
    assert [each["code"] for each in workspace["errors"]] == ["TASK_ASSIGNMENT_FAILED"]
    assert command in [step["command"] for step in workspace["guidance"]["steps"]]
    assert (workspace["guidance"]["severity"], workspace["guidance"]["risk"]) == ("MEDIUM", "low")


def test_an_error_is_explained(ground: Ground) -> None:
    listed = ground.miyabi("explain")
    assert re.search(r"^SESSION_CORRUPTED +A session's state is damaged$", listed.stdout, re.MULTILINE)
    one = ground.miyabi("explain", "hook-timeout")
    assert one.stdout.startswith("A hook took too long (HOOK_TIMEOUT)\n")
    assert ground.told("explain", "HOOK_TIMEOUT")["errors"][0]["title"] == "A hook took too long"
    wrong = ground.miyabi("explain", "SESSION_CORUPTED")
    assert wrong.code == 1
    assert "did you mean SESSION_CORRUPTED" in wrong.stderr


def test_without_a_workspace_it_says_what_to_name(ground: Ground) -> None:
    outside = ground.machine.home / "elsewhere"
    outside.mkdir()
    for arguments, words in (
        ((), "has .claude/state; name one with --workspace PATH, or a host's with --host HOST"),
        (("--workspace", "nowhere"), "nowhere: no such folder"),
        (("--workspace", "."), "it has no .claude/state"),
    ):
        done = ground.miyabi("analyze", *arguments, cwd=outside)
        assert done.code == 1
        assert words.replace("a host's", "a host") in done.stderr.replace("a host's", "a host")
        assert done.stderr.count("\n") == 1


def test_a_workspace_that_may_not_be_read_is_told(ground: Ground) -> None:
    other = ground.machine.home / "closed"
    other.mkdir()
    # A user who may do all may not enter what is no folder, either.
    (other / ".claude").write_text("")
    done = ground.miyabi("analyze", "--workspace", str(other))
    assert done.code == 1
    assert "WORKSPACE_ACCESS_DENIED" in done.stdout
    assert f"ls -ld {other}" in done.stdout
    assert "repair" not in done.stdout


def test_a_repair_shows_asks_does_and_looks_again(ground: Ground) -> None:
    before = ground.write(sick())
    planned = ground.miyabi("repair", "--dry")
    assert planned.code == 2
    assert "session-1.json: would be repaired in place" in planned.stdout
    assert "task T1 is assigned to NOBODY, which is no agent -> " in planned.stdout
    assert ground.file().read_bytes() == before
    assert ground.kept() == []

    refused = ground.miyabi("repair", stdin="n\n")
    assert (refused.code, ground.file().read_bytes()) == (1, before)
    assert "nothing was changed" in refused.stderr

    done = ground.miyabi("repair", stdin="y\n")
    assert done.code == 0, done.output
    assert "session-1.json: repaired in place" in done.stdout
    assert "1 session, 2 kB: 1 healthy; 1 backup" in done.stdout
    assert objects(ground.state(), TASKS)["T1"]["status"] == "pending"
    [kept] = [name for name in ground.kept() if name.startswith("backups/")]
    assert (ground.path / RECOVERY_FOLDER / kept).read_bytes() == before
    assert any(name.startswith("archive/") for name in ground.kept())
    again = ground.miyabi("repair", "--yes")
    assert (again.code, again.stdout) == (0, "1 session: nothing to do\n\nnothing was changed\n")


@pytest.mark.parametrize("command", ["repair", "restore", "replay", "reset"])
def test_nobody_to_ask_is_a_refusal_in_one_line(ground: Ground, command: str) -> None:
    before = ground.write(sick())
    log = [an_event("E1", "session_created", session_id="1", data={"state": well("T1", "T9")})]
    (ground.path / EVENTS_FOLDER / "events.jsonl").write_text("".join(f"{json.dumps(each)}\n" for each in log))
    assert ground.miyabi("backup", "--name", "first").code == 0
    now = ground.write(well("T1", "T2", "T3")) if command == "restore" else before
    done = ground.miyabi(command)
    assert done.code == 1, done.output
    assert "nothing was changed: nobody has answered; --yes does it without asking" in done.stderr
    assert ground.file().read_bytes() == now


def test_a_backup_is_restored_and_what_it_replaces_is_kept(ground: Ground) -> None:
    before = ground.write(well("T1", "T2"))
    made = ground.told("backup")
    assert made["backup"].startswith("backup-20")
    later = ground.write(well("T1", "T3"))
    listed = ground.miyabi("restore", "--list")
    assert listed.stdout.startswith(f"{made['backup']}  ")

    planned = ground.miyabi("restore", "--dry", made["backup"])
    assert planned.code == 2
    assert "session-1.json: would be put back from a backup" in planned.stdout
    assert "! task T3 is in the file as it is now, and not in what replaces it" in planned.stdout

    done = ground.miyabi("restore", "--yes", made["backup"])
    assert done.code == 2, done.output
    assert ground.file().read_bytes() == before
    whole = [name for name in ground.kept() if name.endswith("/state/session-1.json")]
    assert later in [(ground.path / RECOVERY_FOLDER / name).read_bytes() for name in whole]
    assert ground.miyabi("restore", "--yes", made["backup"]).code == 0


def test_the_newest_backup_that_needs_no_repair_is_the_one(ground: Ground) -> None:
    ground.write(well("T1", "GOOD"))
    assert ground.miyabi("backup").code == 0
    ground.write(sick())
    assert ground.miyabi("backup", "--name", "sick").code == 0
    ground.file().write_bytes(b"")
    assert ground.miyabi("restore", "--yes").code == 0
    assert "GOOD" in objects(ground.state(), TASKS)


def test_a_session_that_is_gone_comes_back(ground: Ground) -> None:
    before = ground.write(well("T1"))
    assert ground.miyabi("backup").code == 0
    ground.file().unlink()
    assert ground.miyabi("restore", "--yes", "--session", "1").code == 0
    assert ground.file().read_bytes() == before


def test_a_replay_rebuilds_from_the_events(ground: Ground) -> None:
    log = [
        an_event("E1", "session_created", since=900, session_id="1", data={"state": well("T1")}),
        an_event("E2", "task_created", since=800, session_id="1", data={"task_id": "T2", "task": a_task("T2")}),
    ]
    (ground.path / EVENTS_FOLDER / "events.jsonl").write_text("".join(f"{json.dumps(each)}\n" for each in log))
    ground.write(well("T1", "BY_HAND"))
    planned = ground.miyabi("replay", "--dry")
    assert planned.code == 2, planned.output
    assert "would be rebuilt from the event log" in planned.stdout
    assert "! task BY_HAND is in the file as it is now" in planned.stdout
    done = ground.miyabi("replay", "--yes")
    assert done.code == 2, done.output
    assert list(objects(ground.state(), TASKS)) == ["T1", "T2"]


def test_a_log_that_says_nothing_replaces_nothing(ground: Ground) -> None:
    before = ground.write(well("T1"))
    done = ground.miyabi("replay", "--yes")
    assert done.code == 0, done.output
    assert "the event log says nothing of the session 1" in done.stdout
    assert ground.file().read_bytes() == before


def test_a_reset_asks_twice_and_deletes_nothing(ground: Ground) -> None:
    before = ground.write(well("T1"))
    assert ground.miyabi("reset", stdin="y\nno\n").code == 1
    assert ground.file().read_bytes() == before
    done = ground.miyabi("reset", stdin="y\nreset\n")
    assert done.code == 0, done.output
    assert "! open: task T1 (pending): Do T1" in done.stdout
    assert not ground.file().exists()
    copies = [name for name in ground.kept() if (ground.path / RECOVERY_FOLDER / name).read_bytes() == before]
    assert [name.split("/")[0].split("-")[0] for name in copies] == ["backup", "quarantine"]


def test_a_reset_is_refused_while_a_program_uses_a_session(ground: Ground) -> None:
    before = ground.write(well("T1") | {"execution": {"agents": {"active": {"A1": an_agent("A1", pid=os.getpid())}}}})
    done = ground.miyabi("reset", "--yes")
    assert done.code == 1
    assert "session-1.json: agents of it run; end them first, or add --force" in done.stderr
    lock = ground.file("session-1.json.lock")
    lock.write_text(str(os.getpid()))
    held = ground.miyabi("reset", "--yes", "--force")
    assert held.code == 1
    assert "a running program holds it" in held.stderr
    assert ground.file().read_bytes() == before
    lock.unlink()
    assert ground.miyabi("reset", "--yes", "--force").code == 0


@pytest.mark.slow
def test_a_session_that_is_held_is_left_and_said(ground: Ground) -> None:
    before = ground.write(sick())
    lock = ground.file("session-1.json.lock")
    lock.write_text(str(os.getpid()))
    start = time.monotonic()
    done = ground.miyabi("repair", "--yes")
    assert done.code == 1, done.output
    assert "session-1.json: left as it is: " in done.stdout
    assert "A session is held by a running program (SESSION_LOCKED)" in done.stdout
    assert ground.file().read_bytes() == before
    assert time.monotonic() - start < 60


def test_a_file_that_is_no_file_of_ours_is_left_and_said(ground: Ground) -> None:
    outside = ground.machine.home / "outside.json"
    outside.write_bytes(as_content(sick()))
    ground.file().symlink_to(outside)
    done = ground.miyabi("repair", "--yes")
    assert done.code == 1, done.output
    assert "it is no plain file of the user's own" in done.stdout
    assert outside.read_bytes() == as_content(sick())


def test_a_disk_that_is_full_leaves_the_state_as_it_is(small_disk: tuple[Machine, Path]) -> None:
    machine, disk = small_disk
    ground = Ground.on(machine, disk / "workspace")
    before = ground.write(sick())
    with suppress(OSError), (disk / "rest").open("wb", buffering=0) as rest:
        while rest.write(b"x" * 512):
            pass
    done = ground.miyabi("repair", "--yes")
    assert done.code == 1, done.output
    assert "A state could not be written (PERSISTENCE_FAILED)" in done.stdout
    assert f"df -h {ground.path}" in done.stdout
    assert ground.file().read_bytes() == before


def test_validate_is_strict_and_for_scripts(ground: Ground) -> None:
    ground.write(well())
    assert ground.miyabi("validate").stdout == f"ok  {ground.path}/session-1.json\n"
    ground.file("session-2.json").write_bytes(as_content(sick())[:-20])
    done = ground.miyabi("validate")
    assert done.code == 2
    assert "session-2.json: no JSON on line" in done.stdout
    assert ground.miyabi("validate", "--session", "session-1").code == 0
    one = ground.miyabi("validate", str(ground.file()))
    assert (one.code, one.stdout) == (0, f"ok  {ground.file()}\n")
    other = ground.told("validate", str(ground.file("session-2.json")), code=2)
    assert other["files"][0]["flaws"][0]["code"] == "SESSION_CORRUPTED"
    gone = ground.miyabi("validate", "nowhere.json")
    assert (gone.code, gone.stderr) == (1, "Error: nowhere.json: cannot be read: No such file or directory\n")


def test_a_session_that_is_not_there_is_said_with_what_there_is(ground: Ground) -> None:
    ground.write(well())
    for command in ("analyze", "validate", "repair"):
        done = ground.miyabi(command, "--session", "session-2")
        assert (done.code, done.stderr.count("\n")) == (1, 1)
        assert "session-2.json: no such session; there are session-1.json" in done.stderr


def test_names_and_words_from_files_are_shown_safely_and_without_secrets(ground: Ground) -> None:
    evil = "T\x1b[31m\n\u202e"
    state = a_session(
        tasks=[
            a_task(evil, "in_progress", assignee="--token=abcdefgh12345678"),
            a_task("T2", title="password=hunter22"),
        ]
    )
    ground.write(state, "session-\x1b]0;x\x07\n.json")
    for arguments in (("analyze",), ("validate",), ("repair", "--dry"), ("reset",), ("repair", "--yes")):
        done = ground.miyabi(*arguments)
        assert done.output.replace("\n", "").isprintable(), done.output
        for secret in ("abcdefgh12345678", "hunter22"):
            assert secret not in done.output
    assert read_state(ground.file("session-\x1b]0;x\x07\n.json").read_bytes()).state is not None


def on_terminal(ground: Ground, columns: int, arguments: Sequence[str], keys: str = "") -> str:
    """What ``miyabi state ARGUMENTS`` shows on a terminal of so many columns; ``keys`` are typed when it asks."""
    control, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    environment = {**ground.machine.environment, "COLUMNS": ""}
    process = subprocess.Popen(
        [sys.executable, "-m", "miyabi", "state", *arguments],
        cwd=ground.path, env=environment, stdin=terminal, stdout=terminal, stderr=terminal,
    )  # fmt: skip
    os.close(terminal)
    seen = b""
    try:
        while True:
            try:
                piece = os.read(control, 65536)
            except OSError:
                break
            if not piece:
                break
            seen += piece
            if keys and seen.rstrip().endswith((b"[y/N]:", b"anew:")):
                line, _, keys = keys.partition("\n")
                os.write(control, f"{line}\n".encode())
    finally:
        os.close(control)
        wait_until(lambda: process.poll() is not None, what="the command has ended")
    return seen.decode()


@pytest.mark.parametrize("columns", [44, 80, 120])
def test_it_fits_a_terminal(ground: Ground, columns: int) -> None:
    name = "session-0b6f2a0e-6f0e-4c0a-9a58-0d5a4f1c2e77.json"
    ground.write(sick(), name)
    text = on_terminal(ground, columns, ["analyze"])
    assert "\x1b[" in text
    plain = [line for line in _without_colours(text).splitlines() if "miyabi state" not in line and "/" not in line]
    assert [line for line in plain if len(line.rstrip()) > columns] == []
    assert name in "".join(line.strip() for line in plain).replace(" ", "")


def test_a_human_at_a_terminal_is_asked(ground: Ground) -> None:
    ground.write(sick())
    text = _without_colours(on_terminal(ground, 100, ["repair"], "y\n"))
    assert "Repair it? [y/N]:" in text
    assert "session-1.json: repaired in place" in text


def _without_colours(text: str) -> str:
    from miyabi.masking import plain  # noqa: PLC0415 - only here

    return plain(text.replace("\r\n", "\n").replace("\r", "\n"))


def test_a_thousand_sessions_are_listed_shortly(ground: Ground) -> None:
    content = as_content(well())
    for number in range(300):
        ground.file(f"session-{number:03}.json").write_bytes(content)
    ground.write(sick(), "session-sick.json")
    done = ground.miyabi("analyze")
    assert done.stdout.count("healthy") == 21
    assert "301 sessions" in done.stdout
    assert done.stdout.index("session-sick.json") < done.stdout.index("session-000.json")
    assert ground.miyabi("analyze", "--all").stdout.count("healthy") == 301
    assert len(ground.told("analyze", code=2)["workspaces"][0]["sessions"]) == 301
