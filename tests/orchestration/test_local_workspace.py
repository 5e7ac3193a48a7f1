"""Workspaces of this machine, looked at and written by the scripts that hosts run."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from miyabi.errors import ParseError
from miyabi.local_workspace import apply, look, read_plain, uploaded
from miyabi.orchestration.state_write_script import BUSY, CHANGED, replace_script
from miyabi.orchestration.workspace_script import MOST_SENT
from tests.fleet.machine import Machine
from tests.recovery.playbook import on


@pytest.fixture
def workspace(machine: Machine) -> Iterator[Path]:
    folder = machine.home / "my app"
    (folder / ".claude" / "state").mkdir(parents=True)
    with on(machine):
        yield folder


def digest(content: bytes) -> str:
    return sha256(content).hexdigest()


def test_contents_come_from_the_disk_however_large_they_are(workspace: Path) -> None:
    state = workspace / ".claude" / "state"
    large = b"x" * (MOST_SENT + 1)
    (state / "session-large.json").write_bytes(large)
    (state / "session-a.json").write_bytes(b"{}")
    (state / "session-link.json").symlink_to("/etc/passwd")
    seen = look(workspace)
    assert (seen.path, seen.trouble) == (str(workspace), "")
    assert {each.name: each.content for each in seen.sessions} == {
        "session-large.json": large,
        "session-a.json": b"{}",
        "session-link.json": None,
    }
    assert [each.content for each in look(workspace, {digest(large)}).sessions] == [b"{}", None, None]
    assert [each.content for each in look(workspace, contents=False).sessions] == [None] * 3
    assert look(workspace, pids=[os.getpid()]).running[0].pid == os.getpid()
    assert look(workspace / "nowhere").trouble == "is not there"


def test_what_cannot_be_looked_at_says_so(workspace: Path, machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    (machine.root / "bin").mkdir()
    (machine.root / "bin" / "stat").write_text("#!/bin/sh\nexit 1\n")
    (machine.root / "bin" / "stat").chmod(0o755)
    (workspace / ".claude" / "state" / "session-a.json").write_bytes(b"{}")
    monkeypatch.setenv("PATH", f"{machine.root / 'bin'}:{os.environ['PATH']}")
    assert look(workspace).trouble == "changes all the time"
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(ParseError, match="could not be looked at: the shell does not start"):
        look(workspace)


def test_a_file_is_replaced_by_what_was_uploaded(workspace: Path) -> None:
    file = workspace / ".claude" / "state" / "session-a.json"
    file.write_bytes(b"old")
    upload = Path(uploaded(str(workspace), b"new"))
    assert stat.S_IMODE(upload.stat().st_mode) == 0o600
    assert apply(replace_script(str(workspace), file.name, digest(b"old"), str(upload))).code == 0
    assert (file.read_bytes(), upload.exists()) == (b"new", False)
    again = uploaded(str(workspace), b"newer")
    done = apply(replace_script(str(workspace), file.name, digest(b"old"), again))
    assert (done.code, done.reason) == (
        CHANGED,
        "session-a.json: it was written meanwhile, and is left as it is",
    )


def test_what_was_uploaded_while_another_run_writes_waits_for_it(workspace: Path, machine: Machine) -> None:
    file = workspace / ".claude" / "state" / "session-a.json"
    file.write_bytes(b"old")
    locks = machine.home / ".local" / "state" / "miyabi" / "locks"
    locks.mkdir(parents=True)
    start = Path(f"/proc/{os.getpid()}/stat").read_text().rpartition(")")[2].split()[19]
    (locks / "state").symlink_to(f"{os.getpid()}@{start}")
    upload = uploaded(str(workspace), b"new")
    script = replace_script(str(workspace), file.name, digest(b"old"), upload).replace("-le 50", "-le 0")
    done = apply(script)
    assert (done.code, done.reason) == (BUSY, "another run is at work here (state): try again later")
    assert file.read_bytes() == b"old"


def test_nothing_is_uploaded_where_nothing_may_be_written(workspace: Path, machine: Machine) -> None:
    outside = machine.root / "outside"
    outside.mkdir()
    (workspace / ".claude" / "recovery").symlink_to(outside)
    with pytest.raises(OSError, match=r"uploads: \.claude/recovery is a link"):
        uploaded(str(workspace), b"new")
    assert list(outside.iterdir()) == []


def test_links_and_pipes_are_not_read(machine: Machine) -> None:
    folder = machine.home
    (folder / "file").write_bytes(b"x")
    (folder / "link").symlink_to("file")
    os.mkfifo(folder / "pipe")
    assert [read_plain(folder / name) for name in ("file", "link", "pipe", "none", "a\0b")] == [b"x", *[None] * 4]
