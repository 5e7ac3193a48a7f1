"""A memory that cannot be read or written: the recovery happens all the same, and the trouble is said once."""

from __future__ import annotations

import os
import socket
import sqlite3
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, TypeVar

import pytest

from miyabi.journal import waiting
from miyabi.records import Decided, IncidentChanged, Record, from_line
from tests.fleet.machine import Machine
from tests.fleet.tmux import TmuxServer
from tests.recovery.operating import kill
from tests.runs import agents
from tests.runs.play import Play, Played

R = TypeVar("R", bound=Record)

SPEC: dict[str, Any] = {
    "session_name": "work",
    "windows": [{"window_name": "main", "panes": [agents.steady(name) for name in ("kaede", "sakura", "botan")]}],
}


def repaired(play: Play, words: str) -> Played:
    """Break an agent, and repair it, within a time; ``words`` of the trouble are said once."""
    before = play.pids()
    kill(play.tmux, "kaede")
    started = time.monotonic()
    run = play.run(3600)
    assert time.monotonic() - started < 20
    assert not run.failed, run.output
    assert "kaede" in play.pids()
    assert {name: pid for name, pid in play.pids().items() if name != "kaede"}.items() <= before.items()
    assert run.output.count(words) == 1, run.output
    assert "Traceback" not in run.output
    return run


def built(play: Play) -> Play:
    play.wants(SPEC)
    run = play.run()
    assert not run.failed, run.output
    return play


@contextmanager
def locked(play: Play) -> Iterator[None]:
    """Another program keeps the history to itself."""
    lock = sqlite3.connect(play.folder / "history.db", isolation_level=None)
    try:
        lock.execute("BEGIN EXCLUSIVE")
        yield
    finally:
        lock.close()


def test_a_history_that_another_program_keeps_locked(play: Play) -> None:
    built(play)
    with locked(play):
        repaired(play, "the history cannot be asked")
    # What was not taken in is not lost.
    assert [each.target for each in play.tries()] == ["work:main.kaede"]


def test_a_history_that_is_no_database_any_more(play: Play) -> None:
    built(play)
    for path in play.folder.glob("history.db*"):
        path.unlink()
    (play.folder / "history.db").write_bytes(b"no database at all, but long enough to be one" * 100)
    run = repaired(play, "the history was damaged")
    assert "history.db.broken-" in run.output
    assert [each.target for each in play.tries()] == ["work:main.kaede"]
    assert not play.run().failed


def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("postgresql://miyabi@127.0.0.1:{port}/miyabi", "check that the server runs"),
        ("postgresql://miyabi:$NOWHERE_SET@127.0.0.1:{port}/miyabi", "$NOWHERE_SET"),
        ("mysql://nowhere", "the history cannot be kept"),
        ("sqlite:////proc/no/such/folder/history.db", "history.db: the history cannot be opened"),
    ],
)
def test_a_database_that_is_not_there(play: Play, url: str, words: str) -> None:
    play.wants(SPEC)
    play.rules({"history": {"url": url.format(port=unused_port())}})
    first = play.run()
    assert not first.failed, first.output
    assert first.output.count("goes on without it") == 1, first.output
    repaired(play, words)


@pytest.mark.slow
def test_what_was_tried_counts_while_the_database_is_away(play: Play) -> None:
    play.wants(SPEC)
    play.rules({"history": {"url": f"postgresql://miyabi@127.0.0.1:{unused_port()}/miyabi"}})
    assert not play.run().failed
    for _ in range(8):
        if "kaede" in play.pids():
            kill(play.tmux, "kaede")
        play.run(1)
    waits = [record for record in journal(play, Decided) if not record.allowed]
    tried = [record for record in journal(play, Decided) if record.allowed and record.target == "work:main.kaede"]
    assert len(tried) <= 2, tried
    assert {record.rule for record in waits} == {"backoff"}
    assert len([each for each in journal(play, IncidentChanged) if each.change == "opened"]) <= 1


def journal(play: Play, kind: type[R]) -> list[R]:
    """The records of a kind that wait in the journal."""
    found = [from_line(line) for line in waiting(play.folder)]
    return [record for record in found if isinstance(record, kind)]


def as_a_file(play: Play) -> None:
    """The folder of the memory is a file."""
    for path in play.folder.iterdir():
        path.unlink()
    play.folder.rmdir()
    play.folder.write_text("in the way")


def as_a_link_to_nothing(play: Play) -> None:
    for path in play.folder.iterdir():
        path.unlink()
    play.folder.rmdir()
    play.folder.symlink_to("/proc/nothing/here")


@pytest.mark.parametrize("damage", [as_a_file, as_a_link_to_nothing], ids=lambda each: each.__name__)
def test_a_folder_that_is_none(play: Play, damage: Callable[[Play], None]) -> None:
    built(play)
    damage(play)
    kill(play.tmux, "kaede")
    run = play.run(3600)
    assert "Traceback" not in run.output
    assert str(play.folder) in run.output
    # Whether somebody wants to be left alone cannot be told where there is no folder.
    assert run.failed is ("pauses cannot be read" in run.summary)
    assert ("kaede" in play.pids()) is not run.failed
    assert "could not be closed" not in run.output


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Nobody may write there: by its mode for a user, and by a mount for root."""
    folder.chmod(stat.S_IRUSR | stat.S_IXUSR)
    try:
        yield
    finally:
        folder.chmod(stat.S_IRWXU)


def mounted_read_only(play: Play) -> bool:
    done = play.machine.sh(f"mount --bind '{play.folder}' '{play.folder}' && mount -o remount,bind,ro '{play.folder}'")
    return done.code == 0


def test_a_folder_that_is_read_only(play: Play) -> None:
    built(play)
    is_mounted = os.geteuid() == 0 and mounted_read_only(play)
    try:
        with nullcontext() if is_mounted else read_only(play.folder):
            repaired(play, "nothing can be remembered")
            repaired(play, "nothing can be remembered")
    finally:
        if is_mounted:
            assert play.machine.sh(f"umount '{play.folder}'").code == 0


def test_a_disk_that_is_full(small_disk: tuple[Machine, Path]) -> None:
    machine, disk = small_disk
    play = Play(machine, TmuxServer(machine))
    play.rules({"state": str(disk / "miyabi")})
    play.wants(SPEC)
    first = play.run()
    assert not first.failed, first.output
    for path in (disk / "miyabi").glob("history.db*"):
        path.unlink()
    (disk / "fill").write_bytes(b"")
    with (disk / "fill").open("wb", buffering=0) as fill:
        try:
            while True:
                fill.write(b"x" * 512)
        except OSError:
            pass
    kill(play.tmux, "kaede")
    started = time.monotonic()
    run = play.run(3600)
    assert time.monotonic() - started < 20
    assert not run.failed, run.output
    assert "kaede" in play.pids()
    assert "Traceback" not in run.output
    said = [line for line in run.said if line.startswith("--> ") and ("history" in line or "remembered" in line)]
    assert 1 <= len(said) == len(set(said)) <= 2, run.output
