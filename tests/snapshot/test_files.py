"""Snapshots on disk: whole or not at all, the last N, and each host in a folder of its own."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from miyabi import snapshot_files as files
from miyabi.errors import SnapshotError
from miyabi.snapshot_model import (
    PaneRecord,
    SessionRecord,
    Snapshot,
    WindowRecord,
    snapshot_from_json,
    snapshot_to_json,
)
from tests.fleet.waiting import wait_until

REPOSITORY = Path(__file__).parents[2]
NOW = 1_795_235_400.0
PANE = PaneRecord("%0", 0, 7, active=True, path="/日本", scrollback="one\ntwo ' \" \\ é")
WINDOW = WindowRecord("@0", 0, "w", active=True, layout="b25d,80x24,0,0,0", panes=(PANE,))
TAKEN = Snapshot("", "", sessions=(SessionRecord("$0", "s", 5, windows=(WINDOW,)),))


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state folder of this test's own."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return tmp_path


def test_a_snapshot_is_kept_for_its_user_alone() -> None:
    old = os.umask(0)
    try:
        path = files.keep_snapshot(TAKEN, "mugen", NOW)
    finally:
        os.umask(old)
    assert (path.stem, path.parent.name) == ("20261121T043000Z", "mugen")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert files.read_snapshot(path) == replace(TAKEN, host="mugen", taken="20261121T043000Z")
    assert files.hosts_with_snapshots() == ["mugen"]


def test_the_last_ones_stay_and_nothing_else_is_removed() -> None:
    folder = files.keep_snapshot(TAKEN, "mugen", NOW - 9).parent
    for name in ("mine.json", "20261121T043000Z.txt", "notes"):
        (folder / name).touch()
    for second in range(5):
        files.keep_snapshot(TAKEN, "mugen", NOW + second // 2, keep=3)
    assert [path.stem for path in files.kept_snapshots("mugen")] == [
        "20261121T043002Z",
        "20261121T043001Z-02",
        "20261121T043001Z",
    ]
    assert len(list(folder.iterdir())) == 6


@pytest.mark.parametrize(
    "host", ["../../x", "..", ".", "@ssh/a b", "a/b", "a%2Fb", "203.0.113.7", "日本", "-x", "x\ny"]
)
def test_every_host_has_a_folder_of_its_own(host: str, state: Path) -> None:
    files.keep_snapshot(TAKEN, "other", NOW)
    path = files.keep_snapshot(TAKEN, host, NOW)
    assert path.resolve().parent.parent == state / "miyabi/snapshots/hosts"
    assert [files.read_snapshot(each).host for each in files.kept_snapshots(host)] == [host]
    assert sorted(files.hosts_with_snapshots()) == sorted([host, "other"])


def test_an_empty_snapshot_replaces_nothing() -> None:
    path = files.keep_snapshot(TAKEN, "mugen", NOW, keep=1)
    with pytest.raises(SnapshotError, match="empty"):
        files.keep_snapshot(Snapshot("", ""), "mugen", NOW + 1, keep=1)
    assert files.kept_snapshots("mugen") == [path]


def _writer(state: Path, *, lines: int, limit: int | None = None, rounds: int = 1) -> str:
    """A program that keeps big snapshots."""
    return f"""
import resource, signal
from miyabi.snapshot_files import keep_snapshot
from tests.snapshot.test_files import NOW, PANE, TAKEN, WINDOW
from dataclasses import replace
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
if {limit}: resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))
window = replace(WINDOW, panes=(replace(PANE, scrollback="x" * 80 * {lines}),))
session = replace(TAKEN.sessions[0], windows=(window,))
print("ready", flush=True)
for second in range({rounds}):
    keep_snapshot(replace(TAKEN, sessions=(session,)), "mugen", NOW + 10 + second, keep=3)
"""


def _run(script: str, state: Path) -> subprocess.Popen[str]:
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY), "XDG_STATE_HOME": str(state)}
    return subprocess.Popen(
        [sys.executable, "-c", script], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def test_a_disk_that_takes_no_more_costs_no_old_snapshot(state: Path) -> None:
    old = [files.keep_snapshot(TAKEN, "mugen", NOW + second) for second in range(3)]
    with _run(_writer(state, lines=5000, limit=100_000), state) as process:
        _, said = process.communicate(timeout=60)
    assert "SnapshotError" in said
    assert "cannot be written: File too large; old ones stay" in said
    assert sorted(old[0].parent.iterdir()) == old


@pytest.mark.parametrize("delay", [0.0, 0.004, 0.01, 0.03, 0.06])
def test_a_kill_at_any_instant_leaves_whole_snapshots(state: Path, delay: float) -> None:
    files.keep_snapshot(TAKEN, "mugen", NOW)
    with _run(_writer(state, lines=20_000, rounds=1000), state) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        wait_until(lambda: len(list(files.host_folder("mugen").iterdir())) > 1)
        # Whoever reads meanwhile never sees half of one.
        for _ in range(30):
            _read_newest()
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(delay)
        process.send_signal(signal.SIGKILL)
        process.wait()
    kept = files.kept_snapshots("mugen")
    assert 1 <= len(kept) <= 4
    for path in kept:
        files.read_snapshot(path)
    # What was left aside goes when it is surely nobody's any more.
    left = list(files.host_folder("mugen").glob(".new-*"))
    for path in left:
        os.utime(path, (0, 0))
    files.keep_snapshot(TAKEN, "mugen", NOW + 5000, keep=3)
    assert not list(files.host_folder("mugen").glob(".new-*"))


def _read_newest() -> None:
    newest = files.kept_snapshots("mugen")[0]
    try:
        content = newest.read_bytes()
    except FileNotFoundError:
        return
    snapshot_from_json(content, newest.name)


def test_a_snapshot_is_found_by_number_or_name() -> None:
    paths = [files.keep_snapshot(TAKEN, "mugen", NOW + second) for second in range(3)]
    assert files.find_snapshot("mugen") == files.find_snapshot("mugen", "1") == paths[2]
    assert files.find_snapshot("mugen", "3") == files.find_snapshot("mugen", paths[0].name) == paths[0]
    for which in ("0", "4", "-1", "²", "x", "", "../x", "1e0", "9" * 400):
        with pytest.raises(SnapshotError) as error:
            files.find_snapshot("mugen", which)
        assert "allowed: 1 to 3 (1 is the newest), or a name: 20261121T043002Z, " in str(error.value)
    with pytest.raises(SnapshotError, match=r"^pixel: no snapshot is kept; .* hosts that have some: mugen$"):
        files.find_snapshot("pixel")


def test_every_cut_or_twisted_file_is_told() -> None:
    content = snapshot_to_json(replace(TAKEN, host="mugen", taken="x"))
    assert snapshot_from_json(content, "x").host == "mugen"
    for length in range(0, len(content), 7):
        with pytest.raises(SnapshotError, match=r"^x: .*take another one$"):
            snapshot_from_json(content[:length], "x")
    for old, new in [(b'"%0"', b"7"), (b"snapshot-1", b"snapshot-2"), (b'"sessions"', b'"sesions"'), (b"[", b"{")]:
        twisted = content.replace(old, new, 1)
        assert twisted != content
        if b"sesions" not in twisted:
            with pytest.raises(SnapshotError, match=r"^x: "):
                snapshot_from_json(twisted, "x")
