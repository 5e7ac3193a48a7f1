"""What no whole run shows: a holder that nothing ends, a record that was settled already, and a machine that sleeps."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from miyabi import bounded_run, single_flight
from miyabi.bounded_run import run_bounded
from miyabi.single_flight import Lock, elapsed, identity_of
from tests.fleet.machine import Machine
from tests.fleet.waiting import wait_until
from tests.schedule.running import Clone, ends


def test_a_holder_that_nothing_ends_is_left_with_a_file_that_is_gone(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    clone = Clone.build(machine)
    holder, pyinfra = clone.start_waiting()
    clone.rewrite_record(until=0.0)
    sent: list[tuple[int, int]] = []

    def send_nothing(_send: Callable[[int, int], None], target: int, number: int) -> bool:
        sent.append((target, number))
        return target == holder.pid

    with monkeypatch.context() as patch:
        patch.setattr(single_flight, "_signal", send_nothing)
        patch.setattr(single_flight, "_PATIENCE", 0.2)
        lock = Lock(clone.state / "run.lock")
        assert lock.take("now", 60) is None
    # Then it is the turn of what the holder had started.
    assert sent == [(holder.pid, signal.SIGTERM), (holder.pid, signal.SIGKILL), (pyinfra, signal.SIGTERM)]
    assert lock.left_behind is not None
    assert lock.left_behind.pid == holder.pid
    # Now it is ours, and stays ours when the one before comes to its end after all.
    (clone.folder / "go").touch()
    assert ends(holder)[0] == 0
    assert "busy" in clone.run().stdout
    lock.release()
    assert " ok " in clone.run().stdout


def test_while_one_takes_over_another_leaves(machine: Machine) -> None:
    clone = Clone.build(machine)
    holder, _ = clone.start_waiting()
    clone.rewrite_record(until=0.0)
    descriptor = os.open(clone.state, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        assert "busy" in clone.run().stdout
        assert holder.poll() is None
    finally:
        os.close(descriptor)
    assert " ok " in _plain(clone)
    ends(holder)


def _plain(clone: Clone) -> str:
    """What a run says whose pyinfra does nothing."""
    clone.plays("")
    return clone.run().stdout


def test_a_lock_on_a_file_that_was_replaced_is_none(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    clone = Clone.build(machine)
    lock = Lock(clone.state / "run.lock")
    real = fcntl.flock
    replaced: list[object] = []

    def replace_first(descriptor: int, operation: int) -> None:
        if not replaced:
            replaced.append(lock.path)
            lock.path.unlink()
        real(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", replace_first)
    assert lock.take("now", 60) is None
    assert replaced
    assert "busy" in clone.run().stdout
    lock.release()
    assert " ok " in clone.run().stdout


def test_a_line_that_was_written_is_not_written_again(machine: Machine) -> None:
    clone = Clone.build(machine)
    clone.state.mkdir(parents=True)
    (clone.state / "runs.log").write_text("2026-01-01T00:00:00.000Z changed changes=1 seconds=1.0\n")
    record = {"pid": 1, "identity": None, "started": "2026-01-01T00:00:00.000Z", "until": 0.0}
    (clone.state / "run.lock").write_text(json.dumps(record))
    assert clone.run().code == 0
    assert [line.split()[0] for line in clone.lines] == ["changed", "ok"]
    (clone.state / "run.lock").write_text(json.dumps(record | {"started": "2026-01-02T00:00:00.000Z"}))
    assert clone.run().code == 0
    assert [line.split()[0] for line in clone.lines] == ["changed", "ok", "error", "ok"]


def test_a_process_is_told_from_the_next_one_with_its_pid() -> None:
    own = identity_of(os.getpid())
    assert own is not None
    assert own == identity_of(os.getpid())
    assert own != identity_of(1)
    assert identity_of(2**22 + 1) is None


def test_the_clock_goes_on() -> None:
    before, ordinary = elapsed(), time.monotonic()
    assert elapsed() - before <= time.monotonic() - ordinary + 1
    assert elapsed() >= before


def test_sleep_counts_against_the_deadline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slept = 0.0
    monkeypatch.setattr(bounded_run, "elapsed", lambda: time.monotonic() + slept)

    def fall_asleep(_group: int) -> None:
        nonlocal slept
        slept = 3600.0

    ended = run_bounded(["sleep", "60"], tmp_path, 600, None, fall_asleep)
    assert ended.timed_out
    assert 3599 < ended.asleep < 3601
    assert ended.seconds > 3600


def test_nothing_starts_that_was_not_recorded(tmp_path: Path) -> None:
    def die(_group: int) -> None:
        with contextlib.suppress(AssertionError):
            wait_until((tmp_path / "started").exists, 0.5)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_bounded(["touch", "started"], tmp_path, 60, None, die)
    assert not (tmp_path / "started").exists()
