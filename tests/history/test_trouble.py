"""A database that is locked, full, read-only, damaged, somebody else's or not there: said in bounded time."""

from __future__ import annotations

import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from miyabi import history_engine
from miyabi.errors import HistoryError
from miyabi.history import open_history
from miyabi.journal import append, journal_size
from miyabi.records import Decided, RunStarted
from tests.fleet.machine import Machine
from tests.history.ground import NOW, Ground, make
from tests.history.postgresql import Postgresql
from tests.history.test_journal import REPOSITORY


@pytest.fixture
def clock() -> Iterator[None]:
    """Whatever happens in the test, it does not take long."""
    begun = time.monotonic()
    yield
    assert time.monotonic() - begun < 8


def test_its_files_are_for_their_owner_alone(sqlite_ground: Ground) -> None:
    before = os.umask(0)
    try:
        with sqlite_ground.open() as history:
            history.write([make(RunStarted)])
            modes = {path.name: path.stat().st_mode & 0o777 for path in sqlite_ground.folder.iterdir()}
    finally:
        os.umask(before)
    assert modes == {"history.db": 0o600, "history.db-wal": 0o600, "history.db-shm": 0o600}
    assert sqlite_ground.folder.stat().st_mode & 0o777 == 0o700
    sqlite_ground.file.chmod(0o644)
    sqlite_ground.open().close()
    assert sqlite_ground.file.stat().st_mode & 0o777 == 0o600


def test_it_is_written_ahead(sqlite_ground: Ground) -> None:
    sqlite_ground.open().close()
    assert sqlite_ground.ask("PRAGMA journal_mode") == [("wal",)]


@pytest.mark.parametrize("begin", ["BEGIN EXCLUSIVE", "PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE"])
def test_a_locked_file(sqlite_ground: Ground, clock: None, begin: str) -> None:
    """Nothing is lost: it is taken in when the lock is gone."""
    with sqlite_ground.open() as history:
        history.write([first := make(RunStarted)])
    append(sqlite_ground.folder, [second := make(RunStarted)])
    with closing(sqlite3.connect(sqlite_ground.file, isolation_level=None)) as holder:
        holder.executescript(begin)
        begun = time.monotonic()
        with pytest.raises(HistoryError, match=r"history\.db: database is locked; another program") as caught:
            sqlite_ground.open()
        assert 1 < time.monotonic() - begun < 4
        assert str(caught.value).count("\n") == 0
        holder.execute("ROLLBACK")
    with sqlite_ground.open() as history:
        assert history.records(RunStarted) == [second, first]
    assert journal_size(sqlite_ground.folder) == 0


def test_a_locked_table_of_postgresql(postgresql: Postgresql, tmp_path: Path, clock: None) -> None:
    database = postgresql.new_database()
    ground = Ground(tmp_path, postgresql.url(database))
    ground.open().close()
    append(tmp_path, [record := make(RunStarted)])
    import psycopg  # noqa: PLC0415

    with psycopg.connect(postgresql.url(database)) as holder:
        holder.execute("LOCK TABLE miyabi.runs")
        with pytest.raises(HistoryError, match="lock timeout; another program keeps it locked"):
            ground.open()
    with ground.open() as history:
        assert history.records(RunStarted) == [record]
    postgresql.drop(database)


def test_a_full_disk(small_disk: tuple[Machine, Path], clock: None) -> None:
    """What cannot be taken in stays in the journal, and comes once when there is space again."""
    machine, disk = small_disk
    # The database itself needs more than that disk has.
    done = machine.run("mount", "-o", "remount,size=2m", str(disk))
    assert done.code == 0, done.output
    ground = Ground(disk / "memory", None)
    ground.open().close()
    records = [make(Decided, reason="x" * 900) for _ in range(100)]
    append(ground.folder, records)
    with (disk / "filler").open("wb", buffering=0) as filler, suppress(OSError):
        while True:
            filler.write(b"x" * 4096)
    with pytest.raises(HistoryError, match=r"there is no space left: free some|cannot be opened: No space left"):
        ground.open()
    (disk / "filler").unlink()
    with ground.open() as history:
        assert history.records(Decided) == records[::-1]
        assert history.messages == []


AS_ANOTHER = """
import os, sys
from pathlib import Path
from miyabi.errors import MiyabiError
from miyabi.history import open_history
from miyabi.journal import append, set_attention, taking
from miyabi.pauses import add_pause, read_pauses
from miyabi.gate import Pause
from miyabi.records import RunStarted
import sqlalchemy.dialects.sqlite.pysqlite
folder = Path(sys.argv[1])
record = RunStarted(event="x.1", run="x", at=1.0, command="", controller="")
if os.geteuid() == 0:
    os.setuid(12345)
for attempt in (
    lambda: append(folder, [record]),
    lambda: set_attention(folder, True),
    lambda: open_history(folder, now=1.0),
    lambda: add_pause(folder, Pause("a", "", 9.0)),
):
    try:
        attempt()
        print("done")
    except (MiyabiError, OSError) as error:
        print(type(error).__name__, error)
"""


@pytest.mark.parametrize("before", ["nothing", "a history"])
def test_a_read_only_folder(before: str, clock: None) -> None:
    """To root the permissions of a folder mean nothing, so another user tries."""
    shared = Path(tempfile.mkdtemp(dir="/tmp"))
    folder = shared / "memory"
    try:
        folder.mkdir()
        if before == "a history":
            open_history(folder, now=NOW).close()
            (folder / "history.db").chmod(0o444)
        shared.chmod(0o755)
        folder.chmod(0o555)
        done = subprocess.run(
            [sys.executable, "-c", AS_ANOTHER, folder],
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            check=False,
            env=os.environ | {"USER": "kaede"},
        )
    finally:
        shutil.rmtree(shared)
    assert done.stderr == ""
    journal, mark, history, pause = done.stdout.splitlines()
    assert journal == f"PermissionError [Errno 13] Permission denied: '{folder}/journal.jsonl'"
    assert mark == f"PermissionError [Errno 13] Permission denied: '{folder}/attention'"
    assert history == (
        f"HistoryError {folder}/history.db: the history cannot be opened: Permission denied; "
        f"make {folder} writable for kaede"
    )
    assert pause.startswith(f"PauseError {folder}/pauses.lock: the pauses cannot be changed: Permission denied")


# --- Damaged --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("content", [b"no database\n" * 100, b"\0" * 8192, b"SQLite format 3\0" + b"\xff" * 4080])
def test_a_file_that_is_no_database(sqlite_ground: Ground, content: bytes) -> None:
    sqlite_ground.folder.mkdir()
    sqlite_ground.file.write_bytes(content)
    append(sqlite_ground.folder, [record := make(RunStarted)])
    with sqlite_ground.open() as history:
        assert history.records(RunStarted) == [record]
        [message] = history.messages
    broken = sqlite_ground.file.with_name("history.db.broken-20260921T141320Z")
    assert message == f"{sqlite_ground.file}: the history was damaged; it is now {broken}, and a new one begins"
    assert broken.read_bytes() == content
    with sqlite_ground.open() as history:
        assert history.messages == []


def test_pages_that_are_damaged_show_up_later(sqlite_ground: Ground) -> None:
    """It opens as ever; the question that meets the damage is answered by a new history."""
    with sqlite_ground.open() as history:
        history.write(make(Decided, reason="x" * 500) for _ in range(500))
    [(page,)] = sqlite_ground.ask("SELECT rootpage FROM sqlite_master WHERE name = 'decisions'")
    with sqlite_ground.file.open("r+b") as file:
        file.seek((page - 1) * 4096)
        file.write(b"\xff" * 4096)
    with sqlite_ground.open() as history:
        assert history.messages == []
        assert history.records(Decided) == []
        assert history.write([record := make(Decided)]) == 1
        assert len(history.messages) == 1
    with sqlite_ground.open() as history:
        assert history.records(Decided) == [record]
    assert len(list(sqlite_ground.folder.glob("history.db.broken-*"))) == 1


def test_two_who_find_it_damaged(sqlite_ground: Ground) -> None:
    """The second sees that a new one has begun, and does not put that aside."""
    with sqlite_ground.open() as first, sqlite_ground.open() as second:
        first.write([make(RunStarted)])
        second.records(RunStarted)
    sqlite_ground.file.write_bytes(b"x" * 4096)
    inode = history_engine.inode_of(sqlite_ground.file)
    with sqlite_ground.open() as history:
        history.write([record := make(RunStarted)])
    assert history_engine.set_aside(sqlite_ground.file, NOW, inode) is None
    with sqlite_ground.open() as history:
        assert history.records(RunStarted) == [record]


def test_damaged_more_than_once_in_a_second(sqlite_ground: Ground) -> None:
    for number in range(3):
        sqlite_ground.open().close()
        sqlite_ground.file.write_bytes(b"x" * (4096 + number))
        sqlite_ground.open().close()
    assert len(list(sqlite_ground.folder.glob("history.db.broken-*"))) == 3


def test_what_makes_no_sense_in_a_row(ground: Ground) -> None:
    with ground.open() as history:
        history.write([make(Decided)])
    if ground.url is None:
        ground.ask("SELECT 1")
        with closing(sqlite3.connect(ground.file)) as lite:
            lite.execute("UPDATE decisions SET at = 'noon'")
            lite.execute("UPDATE about SET value = 'noon' WHERE name <> 'version'")
            lite.commit()
    else:
        ground.ask("UPDATE about SET value = 'noon'")
    with pytest.raises(HistoryError, match=r"makes no sense|this is no history") as caught, ground.open() as history:
        history.prune_daily(NOW)
    assert "Traceback" not in str(caught.value)


# --- Not there, or not ours -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("nonsense", "the history's url is none; allowed: sqlite:////"),
        ("", "the history's url is none; allowed: sqlite:////"),
        ("postgresql://u:s3cret@[::1/x", "the history's url is none"),
        ("mysql://u:s3cret@h/x", "the history cannot be kept in mysql x; allowed: "),
        ("sqlite://", "the history cannot be kept in sqlite ; allowed: "),
        ("sqlite:///:memory:", "the history cannot be kept in sqlite :memory:"),
        ("sqlite:////proc/nowhere/x.db", "/proc/nowhere/x.db: the history cannot be opened: "),
        ("sqlite:////dev/null/x.db", "/dev/null/x.db: the history cannot be opened: "),
        ("sqlite:////dev", "/dev: the history cannot be opened: Is a directory; make / writable for"),
        ("postgresql://u:s3cret@127.0.0.1:1/x", "PostgreSQL 127.0.0.1:1/x: "),
        ("postgres://u:s3cret@127.0.0.1:1/x", "check that the server runs, and `history: {url: ...}`"),
        ("postgresql://u@127.0.0.1:1/x?password=s3cret", "PostgreSQL 127.0.0.1:1/x: "),
        ("postgresql://u@127.0.0.1:1/x?sslmode=s3cret", "PostgreSQL 127.0.0.1:1/x: "),
        ("postgresql://u@no-such-host.invalid/x", "PostgreSQL no-such-host.invalid/x: "),
        ("postgresql:///x?host=/nowhere", "PostgreSQL "),
    ],
)
def test_an_address_that_leads_nowhere(tmp_path: Path, url: str, words: str) -> None:
    with pytest.raises(HistoryError) as caught:
        open_history(tmp_path, url, now=NOW)
    assert words in str(caught.value)
    if "sslmode" not in url:
        assert "s3cret" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_server_that_never_answers(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        begun = time.monotonic()
        with pytest.raises(HistoryError, match="timeout"):
            open_history(tmp_path, f"postgresql://127.0.0.1:{silent.getsockname()[1]}/x", now=NOW)
        assert time.monotonic() - begun < 5


def test_a_server_that_goes_away(postgresql: Postgresql, tmp_path: Path) -> None:
    database = postgresql.new_database()
    append(tmp_path, [make(RunStarted)])
    with open_history(tmp_path, postgresql.url(database), now=NOW) as history:
        ended = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'miyabi'"
        postgresql.execute(ended)
        with pytest.raises(HistoryError, match=r"terminat|closed"):
            history.runs()
        # The next question connects again.
        assert len(history.runs()) == 1
    postgresql.drop(database)


def test_without_the_driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(HistoryError, match=r"the driver is missing; .*: `pip install 'psycopg\[binary\]'`"):
        open_history(tmp_path, "postgresql://h/x", now=NOW)


def test_no_right_to_make_a_schema(postgresql: Postgresql, tmp_path: Path) -> None:
    database = postgresql.new_database()
    with suppress(Exception):
        postgresql.execute("CREATE ROLE guest LOGIN")
    url = postgresql.url(database).replace("//miyabi@", "//guest@")
    with pytest.raises(HistoryError, match=r"permission denied for database .*; give its user the right"):
        open_history(tmp_path, url, now=NOW)
    # Whoever made it for that user, it is enough.
    postgresql.execute("CREATE SCHEMA miyabi AUTHORIZATION guest", database)
    open_history(tmp_path, url, now=NOW).close()
    with pytest.raises(HistoryError, match="make the database first: `createdb nowhere`"):
        open_history(tmp_path, postgresql.url("nowhere"), now=NOW)
    postgresql.drop(database)
    postgresql.execute("DROP ROLE guest")


def test_tables_of_somebody_else(ground: Ground) -> None:
    if ground.url is None:
        ground.folder.mkdir()
        ground.file.touch()
    else:
        ground.ask("CREATE SCHEMA miyabi")
    ground.ask("CREATE TABLE runs (distance INTEGER)")
    with pytest.raises(HistoryError, match="this is no history: it has a table runs of somebody else's"):
        ground.open()
    assert ground.ask("SELECT distance FROM runs") == []
