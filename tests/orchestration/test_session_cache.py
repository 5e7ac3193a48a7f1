"""What was judged of contents is kept by their digests; whatever is wrong with it costs time, never a run."""

from __future__ import annotations

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from miyabi.orchestration.analysis import Analysis
from miyabi.orchestration.findings import Issue
from miyabi.orchestration.rules import Orchestration
from miyabi.session_cache import MOST_ENTRIES, cache_folder, keep_analyses, read_analyses

RULES = Orchestration("~/app")
KNOWN = {
    "a" * 64: Analysis(session_id="a", counts={"tasks": 3}, pids={"A1": 77}, next_due=5.0),
    "b" * 64: Analysis((Issue("SESSION_CORRUPTED", "critical", "", "no JSON"),), "critical"),
}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "miyabi" / "sessions"


def test_what_was_kept_is_known_for_that_host_and_those_rules(folder: Path) -> None:
    assert read_analyses("mugen", RULES) == {}
    keep_analyses("mugen", RULES, KNOWN)
    assert read_analyses("mugen", RULES) == KNOWN
    assert read_analyses("pixel", RULES) == {}
    assert read_analyses("mugen", Orchestration("~/app", stale_after=60)) == {}
    assert cache_folder() == folder
    [entry] = folder.iterdir()
    assert (stat.S_IMODE(entry.stat().st_mode), stat.S_IMODE(folder.stat().st_mode)) == (0o600, 0o700)


@pytest.mark.parametrize(
    "content", [b"", b"{", b"null", b"[]", b'{"form": 1}', b'{"form": 1, "analyses": {"a": 1}}', b"\xff"]
)
def test_what_is_torn_or_anything_else_is_ignored(folder: Path, content: bytes) -> None:
    keep_analyses("mugen", RULES, KNOWN)
    [entry] = folder.iterdir()
    entry.write_bytes(content)
    assert read_analyses("mugen", RULES) == {}
    keep_analyses("mugen", RULES, KNOWN)
    assert read_analyses("mugen", RULES) == KNOWN


def test_torn_anywhere_it_is_ignored(folder: Path) -> None:
    keep_analyses("mugen", RULES, KNOWN)
    [entry] = folder.iterdir()
    whole = entry.read_bytes()
    for length in range(0, len(whole), 7):
        entry.write_bytes(whole[:length])
        assert read_analyses("mugen", RULES) == {}


def test_what_others_could_have_written_is_not_believed(folder: Path) -> None:
    keep_analyses("mugen", RULES, KNOWN)
    [entry] = folder.iterdir()
    entry.chmod(0o666)
    assert read_analyses("mugen", RULES) == {}
    entry.chmod(0o600)
    if os.geteuid() == 0:
        os.chown(entry, 65534, 65534)
        assert read_analyses("mugen", RULES) == {}


def test_where_nothing_can_be_kept_nothing_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    keep_analyses("mugen", RULES, KNOWN)
    assert read_analyses("mugen", RULES) == {}


def test_it_does_not_grow_for_ever(folder: Path) -> None:
    for number in range(MOST_ENTRIES + 5):
        keep_analyses(f"host-{number}", RULES, KNOWN)
    assert len(list(folder.iterdir())) == MOST_ENTRIES
    old = next(folder.iterdir())
    os.utime(old, (1, 1))
    keep_analyses("mugen", RULES, KNOWN)
    assert not old.exists()


def test_several_at_once_leave_a_whole_one(folder: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: keep_analyses("mugen", RULES, KNOWN), range(40)))
    assert read_analyses("mugen", RULES) == KNOWN
    assert len(list(folder.iterdir())) == 1
