"""Pauses: nobody who wants to be left alone is forgotten."""

from __future__ import annotations

import fcntl
import math
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from miyabi import file_lock
from miyabi.errors import PauseError
from miyabi.gate import Pause
from miyabi.gate_pauses import emergency_stop
from miyabi.pauses import PAUSES, add_pause, clear_pauses, read_pauses
from tests.fleet.machine import Machine
from tests.history.ground import HOUR, NOW
from tests.history.test_journal import REPOSITORY

KAEDE = Pause("mugen", "work:main.kaede", NOW + HOUR, "I debug", NOW)
MUGEN = Pause("mugen", "", NOW + 2 * HOUR, "", NOW)


def test_pauses_are_read_until_they_are_over(tmp_path: Path) -> None:
    folder = tmp_path / "memory"
    assert read_pauses(folder, NOW) == ()
    assert not folder.exists()
    add_pause(folder, KAEDE)
    add_pause(folder, MUGEN)
    assert read_pauses(folder, NOW) == (KAEDE, MUGEN)
    assert read_pauses(folder, NOW + HOUR) == (MUGEN,)
    assert read_pauses(folder, NOW - HOUR) == (KAEDE, MUGEN)
    assert (folder / PAUSES).stat().st_mode & 0o777 == 0o600


def test_a_later_one_replaces_the_one_before(tmp_path: Path) -> None:
    longer = Pause("mugen", "work:main.kaede", NOW + 3 * HOUR, "still", NOW + 60)
    for pause in (KAEDE, MUGEN, longer):
        add_pause(tmp_path, pause)
    assert read_pauses(tmp_path, NOW) == (MUGEN, longer)


def test_past_ones_go_when_another_comes(tmp_path: Path) -> None:
    add_pause(tmp_path, KAEDE)
    add_pause(tmp_path, later := Pause("pixel", "", NOW + 3 * HOUR, "", NOW + 2 * HOUR))
    assert read_pauses(tmp_path, 0) == (later,)


def test_exactly_what_was_paused_is_taken_back(tmp_path: Path) -> None:
    for pause in (KAEDE, MUGEN):
        add_pause(tmp_path, pause)
    assert clear_pauses(tmp_path, "mugen", "work:main") == ()
    assert clear_pauses(tmp_path, "", "") == ()
    assert clear_pauses(tmp_path, "mugen", "") == (MUGEN,)
    assert clear_pauses(tmp_path, "mugen", "") == ()
    assert read_pauses(tmp_path, NOW) == (KAEDE,)


def test_odd_words(tmp_path: Path) -> None:
    odd = Pause("mugen", 'log /tmp/"\udcff\0', NOW + 1, "\N{SNOWMAN}\n", NOW)
    add_pause(tmp_path, odd)
    assert read_pauses(tmp_path, NOW) == (odd,)


@pytest.mark.parametrize("until", [math.inf, math.nan])
def test_a_pause_has_an_end(tmp_path: Path, until: float) -> None:
    with pytest.raises(PauseError, match="a pause needs an end"):
        add_pause(tmp_path, Pause("mugen", "", until))


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "null",
        '{"pauses": [{}]}',
        '{"pauses": [{"host": 1, "target": "", "until": 1, "reason": "", "since": 0}]}',
        '{"pauses": [{"host": "a", "target": "", "until": Infinity, "reason": "", "since": 0}]}',
        '{"pauses": [{"host": "a", "target": "", "until": "soon", "reason": "", "since": 0}]}',
        "[" * 100_000,
    ],
)
def test_a_file_that_makes_no_sense_is_an_error_and_stays(tmp_path: Path, content: str) -> None:
    (tmp_path / PAUSES).write_text(content)
    for change in (
        lambda: read_pauses(tmp_path, NOW),
        lambda: add_pause(tmp_path, KAEDE),
        lambda: clear_pauses(tmp_path, "mugen", ""),
    ):
        with pytest.raises(PauseError, match=r"the pauses make no sense .* repair the file, or remove it") as caught:
            change()
        assert str(tmp_path / PAUSES) in str(caught.value)
    assert (tmp_path / PAUSES).read_text() == content


def test_a_later_version_may_say_more(tmp_path: Path) -> None:
    (tmp_path / PAUSES).write_text(
        '{"pauses": [{"host": "a", "target": "", "until": 9, "reason": "", "since": 0, "by": "me"}], "version": 2}'
    )
    assert read_pauses(tmp_path, 1) == (Pause("a", "", 9.0),)


def test_what_cannot_be_read_or_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / PAUSES).mkdir()
    with pytest.raises(PauseError, match="the pauses cannot be read: Is a directory"):
        read_pauses(tmp_path, NOW)
    (tmp_path / "file").write_text("")
    with pytest.raises(PauseError, match="the pauses cannot be changed: "):
        add_pause(tmp_path / "file", KAEDE)


def test_a_full_disk_keeps_the_old_ones(small_disk: tuple[Machine, Path]) -> None:
    _, disk = small_disk
    add_pause(disk, KAEDE)
    with (disk / "filler").open("wb", buffering=0) as filler, suppress(OSError):
        while True:
            filler.write(b"x" * 512)
    with pytest.raises(PauseError, match="cannot be changed: No space left on device"):
        add_pause(disk, Pause("mugen", "", NOW + HOUR, "x" * 20_000, NOW))
    assert read_pauses(disk, NOW) == (KAEDE,)
    assert not list(disk.glob("pauses.[0-9]*"))


def test_somebody_who_never_lets_go_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_lock, "_PATIENCE", 0.05)
    add_pause(tmp_path, KAEDE)
    with (tmp_path / "pauses.lock").open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(PauseError, match=r"pauses\.lock: .*: locked by another process"):
            add_pause(tmp_path, MUGEN)
        # Reading needs no lock.
        assert read_pauses(tmp_path, NOW) == (KAEDE,)


def test_an_emergency_stop_takes_no_humans_place(tmp_path: Path) -> None:
    everything = Pause("", "", NOW + 8 * HOUR, "we move", NOW)
    stop = emergency_stop(NOW + HOUR / 2, "3 critical incidents", NOW)
    add_pause(tmp_path, everything)
    add_pause(tmp_path, stop)
    assert read_pauses(tmp_path, NOW) == (everything, stop)
    assert read_pauses(tmp_path, NOW + HOUR) == (everything,)
    shorter = Pause("", "", NOW + 60, "", NOW)
    add_pause(tmp_path, shorter)
    assert read_pauses(tmp_path, NOW) == (stop, shorter)
    clear_pauses(tmp_path, "", "")
    assert read_pauses(tmp_path, NOW) == ()


ADDING = """
import sys
from contextlib import suppress
from pathlib import Path
from miyabi.gate import Pause
from miyabi.pauses import add_pause
for number in range(40):
    add_pause(Path(sys.argv[1]), Pause(sys.argv[2], str(number), 9e9, "", 1.0))
"""


def test_two_who_pause_at_once(tmp_path: Path) -> None:
    both = [
        subprocess.Popen([sys.executable, "-c", ADDING, str(tmp_path), name], cwd=REPOSITORY) for name in ("a", "b")
    ]
    assert [each.wait(30) for each in both] == [0, 0]
    assert len(read_pauses(tmp_path, NOW)) == 80
