"""The journal: cheap, whole, and nothing lost or double, whoever is killed when."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from miyabi import journal
from miyabi.journal import append, attention, journal_size, set_attention, taking
from miyabi.records import Record, RunStarted, from_line
from tests.fleet.machine import Machine
from tests.history.ground import make

REPOSITORY = Path(__file__).resolve().parents[2]
JOURNAL = "journal.jsonl"


def take(folder: Path) -> list[Record | None]:
    """Everything that waits."""
    taken: list[Record | None] = []
    while True:
        with taking(folder) as lines:
            if lines is None:
                return taken
            taken += [from_line(line) for line in lines]


@contextmanager
def running(script: str, *arguments: str | Path) -> Iterator[subprocess.Popen[str]]:
    """A Python program beside us, which is killed in the end."""
    with subprocess.Popen(
        [sys.executable, "-c", script, *map(str, arguments)], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def test_what_is_appended_is_taken_once_in_its_order(tmp_path: Path) -> None:
    folder = tmp_path / "far" / "memory"
    records = [make(RunStarted) for _ in range(5)]
    append(folder, records[:2])
    append(folder, [])
    append(folder, records[2:], sync=True)
    assert journal_size(folder) == len((folder / JOURNAL).read_bytes())
    assert take(folder) == records
    assert take(folder) == []
    assert journal_size(folder) == 0
    assert list(folder.iterdir()) == []


def test_only_its_owner_can_read_it(tmp_path: Path) -> None:
    folder = tmp_path / "memory"
    before = os.umask(0)
    try:
        append(folder, [make(RunStarted)])
        set_attention(folder, wanted=True)
    finally:
        os.umask(before)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    (folder / JOURNAL).chmod(0o644)
    append(folder, [make(RunStarted)])
    assert (folder / JOURNAL).stat().st_mode & 0o777 == 0o600


def test_nothing_is_made_by_asking(tmp_path: Path) -> None:
    folder = tmp_path / "memory"
    assert journal_size(folder) == 0
    assert not attention(folder)
    assert take(folder) == []
    set_attention(folder, wanted=False)
    assert not folder.exists()


def test_attention(tmp_path: Path) -> None:
    for wanted in (True, True, False, False):
        set_attention(tmp_path, wanted=wanted)
        assert attention(tmp_path) is wanted


def test_a_torn_line_is_not_continued(tmp_path: Path) -> None:
    first, second = make(RunStarted), make(RunStarted)
    append(tmp_path, [first])
    with (tmp_path / JOURNAL).open("a") as file:
        file.write('{"table":"runs","event":"to')
    append(tmp_path, [second])
    assert take(tmp_path) == [first, None, second]


def test_what_could_not_be_taken_in_comes_again_first(tmp_path: Path) -> None:
    first, second = make(RunStarted), make(RunStarted)
    append(tmp_path, [first])
    with pytest.raises(ZeroDivisionError), taking(tmp_path):
        raise ZeroDivisionError
    append(tmp_path, [second])
    assert journal_size(tmp_path) == sum(path.stat().st_size for path in tmp_path.iterdir())
    with taking(tmp_path) as lines:
        assert lines is not None
        assert [from_line(line) for line in lines] == [first]
    assert take(tmp_path) == [second]


def test_two_who_take_the_same(tmp_path: Path) -> None:
    """Both may read it; neither removes what came meanwhile."""
    first, second, third = (make(RunStarted) for _ in range(3))
    append(tmp_path, [first])
    with taking(tmp_path) as lines:
        append(tmp_path, [second])
        assert take(tmp_path) == [first, second]
        append(tmp_path, [third])
        assert lines is not None
        assert [from_line(line) for line in lines] == []
    assert take(tmp_path) == [third]


def test_what_another_has_just_moved_aside_is_not_removed(tmp_path: Path) -> None:
    append(tmp_path, [first := make(RunStarted)])
    with ExitStack() as slow:
        slow.enter_context(taking(tmp_path))
        assert take(tmp_path) == [first]
        append(tmp_path, [second := make(RunStarted)])
        fast = taking(tmp_path)
        fast.__enter__()
        slow.close()
        # The fast one comes to nothing.
        assert not fast.__exit__(ZeroDivisionError, ZeroDivisionError(), None)
    assert take(tmp_path) == [second]


def test_a_writer_whose_file_is_moved_aside_writes_where_it_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between opening and locking, another takes the journal: the line goes to the new one."""
    append(tmp_path, [first := make(RunStarted)])
    lock = journal._lock

    def taken_meanwhile(descriptor: int) -> bool:
        if not (tmp_path / "journal.aside-1").exists():
            (tmp_path / JOURNAL).rename(tmp_path / "journal.aside-1")
        return lock(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr(journal, "_lock", taken_meanwhile)
        append(tmp_path, [second := make(RunStarted)])
    assert (tmp_path / "journal.aside-1").read_text().count("\n") == 1
    assert take(tmp_path) == [first, second]


def test_somebody_who_never_lets_go_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "_PATIENCE", 0.05)
    append(tmp_path, [make(RunStarted)])
    with (tmp_path / JOURNAL).open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(TimeoutError, match=r"locked by another process for 0\.05 s") as caught:
            append(tmp_path, [make(RunStarted)])
        assert caught.value.filename == str(tmp_path / JOURNAL)
        with pytest.raises(TimeoutError):
            take(tmp_path)
    append(tmp_path, [make(RunStarted)])
    assert len(take(tmp_path)) == 2


@pytest.mark.parametrize("kind", ["pipe", "link", "folder", "file above"])
def test_what_is_no_file_is_refused_at_once(tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "memory"
    folder.mkdir()
    if kind == "pipe":
        os.mkfifo(folder / JOURNAL)
    elif kind == "link":
        (folder / JOURNAL).symlink_to(tmp_path / "elsewhere")
    elif kind == "folder":
        (folder / JOURNAL).mkdir()
    else:
        folder.rmdir()
        folder.write_text("")
    with pytest.raises(OSError, match=r".") as caught:
        append(folder, [make(RunStarted)])
    assert caught.value.strerror
    assert str(caught.value.filename).startswith(str(folder))
    assert not (tmp_path / "elsewhere").exists()


def test_a_journal_that_nobody_takes_in_has_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "_LARGEST", 10_000)
    records = [make(RunStarted) for _ in range(500)]
    for record in records:
        append(tmp_path, [record])
    assert journal_size(tmp_path) < 20_500
    left = take(tmp_path)
    assert left == records[-len(left) :]
    assert len(left) > 80


def test_a_full_disk_costs_what_does_not_fit(small_disk: tuple[Machine, Path]) -> None:
    _, disk = small_disk
    folder = disk / "memory"
    written: list[Record] = []

    def fill() -> None:
        while True:
            append(folder, some := [make(RunStarted, command="x" * 300) for _ in range(7)])
            written.extend(some)

    with pytest.raises(OSError, match="No space left") as caught:
        fill()
    assert caught.value.errno == errno.ENOSPC
    assert caught.value.filename == str(folder / JOURNAL)
    with pytest.raises(OSError, match="No space left"):
        append(folder, [make(RunStarted, command="x" * 5000)])
    # Then there is space again.
    found = take(folder)
    append(folder, last := [make(RunStarted)])
    assert found[: len(written)] == written
    assert take(folder) == last


WRITING = """
import sys
from pathlib import Path
from miyabi.journal import append
from miyabi.records import RunStarted
number = 0
while True:
    number += 1
    event = f"{sys.argv[2]}.{number}"
    append(Path(sys.argv[1]), [RunStarted(event=event, run="x", at=1.0, command="y" * 200, controller="")])
    print(number, flush=True)
"""


@pytest.mark.parametrize("moment", [1, 20, 77, 250])
def test_kill_while_writing(tmp_path: Path, moment: int) -> None:
    """What append has come back from is there, and at most one line more, which may be torn."""
    with running(WRITING, tmp_path, "a") as writer:
        assert writer.stdout is not None
        said = [int(writer.stdout.readline()) for _ in range(moment)]
        writer.send_signal(signal.SIGKILL)
        said += [int(line) for line in writer.stdout.read().splitlines() if line]
        writer.wait()
    append(tmp_path, [make(RunStarted)])
    events = [each.event if each else "torn" for each in take(tmp_path)][:-1]
    assert events[: len(said)] == [f"a.{number}" for number in said]
    assert len(events) <= len(said) + 1


def test_writers_and_takers_at_once(tmp_path: Path) -> None:
    taken: list[Record | None] = []
    with running(WRITING, tmp_path, "a") as first, running(WRITING, tmp_path, "b") as second:
        assert first.stdout is not None
        assert second.stdout is not None
        first.stdout.readline()
        second.stdout.readline()
        while len(taken) < 1000:
            taken += take(tmp_path)
        for writer in (first, second):
            writer.kill()
        said = {
            name: int((writer.stdout.read().splitlines() or ["1"])[-1])
            for name, writer in (("a", first), ("b", second))
            if writer.stdout
        }
    taken += take(tmp_path)
    events = [each.event for each in taken if each is not None]
    assert len(events) == len(set(events))
    for name, last in said.items():
        numbers = [int(event.partition(".")[2]) for event in events if event.startswith(name)]
        assert numbers == list(range(1, len(numbers) + 1))
        assert len(numbers) >= last


def test_it_is_light() -> None:
    """A run that changes nothing imports it."""
    script = "import sys, miyabi.journal, miyabi.pauses; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    dear = {"sqlalchemy", "psycopg", "pydantic", "yaml", "rich", "tenacity", "sqlite3", "asyncio", "logging"}
    assert not dear & set(done.stdout.split())
