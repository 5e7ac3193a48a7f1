"""What is foretold is prevented where the spec wants it: once, through the gate, and nothing else is ever done."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st

from miyabi.foretold import FRESH, crossing_of, note_prevented, prevented_at, write_foretold
from miyabi.gate import Pause
from miyabi.limits import lasts
from miyabi.pauses import add_pause
from miyabi.prediction_judgement import Crossing
from miyabi.records import Decided
from miyabi.spec import McpServer, Relief
from operations.limits import within
from tests.fleet.machine import Machine
from tests.recovery.operating import Operated, operate
from tests.upkeep.test_limits import WELL, df

NOW = 1_790_000_000.0
HOUR = 3600.0
HOST = "@local"


# --- The file -------------------------------------------------------------------------------------------------------


def crossing(host: str = "mugen", subject: str = "disk", at: float = NOW, hours: float = 5.0) -> Crossing:
    return Crossing(host, subject, at, at + hours * HOUR, 90.0)


def test_what_is_written_is_read_for_some_hours_and_by_nobody_else(tmp_path: Path) -> None:
    folder = tmp_path / "memory"
    told = crossing()
    write_foretold(folder, [told], [("mugen", "disk"), ("mugen", "memory")], NOW)
    path = folder / "foretold.json"
    assert path.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in folder.iterdir()] == ["foretold.json"]
    assert crossing_of(folder, "mugen", "disk", NOW + FRESH) == told
    assert crossing_of(folder, "mugen", "disk", NOW + FRESH + 1) is None
    assert crossing_of(folder, "mugen", "disk", NOW - HOUR) is None
    assert crossing_of(folder, "mugen", "memory", NOW) is None
    assert crossing_of(folder, "pixel", "disk", NOW) is None
    path.chmod(0o666)
    assert crossing_of(folder, "mugen", "disk", NOW) is None


def test_a_word_about_one_host_leaves_those_about_others(tmp_path: Path) -> None:
    write_foretold(tmp_path, [crossing(), crossing("pixel")], [("mugen", "disk"), ("pixel", "disk")], NOW)
    write_foretold(tmp_path, [], [("mugen", "disk")], NOW + HOUR)
    assert crossing_of(tmp_path, "mugen", "disk", NOW + HOUR) is None
    assert crossing_of(tmp_path, "pixel", "disk", NOW + HOUR) == crossing("pixel")
    write_foretold(tmp_path, [], [("mugen", "disk")], NOW + FRESH + 1)
    assert "pixel" not in (tmp_path / "foretold.json").read_text()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        '{"crossings": 3}',
        '{"crossings": [3, null, {"host": "mugen"}]}',
        '{"crossings": [{"host": "mugen", "subject": "disk", "at": "soon", "crosses_at": 1, "limit": null}]}',
        '{"crossings": [{"host": "mugen", "subject": "disk", "at": 1790000000.0, "crosses_at": NaN, "limit": 1}]}',
        '{"crossings": [{"host": "mugen", "subject": "disk", "at": 1790000000.0, "crosses_at": 1, "more": 1}]}',
        "[" * 100_000,
    ],
)
def test_a_file_that_makes_no_sense_says_nothing(tmp_path: Path, text: str) -> None:
    for name in ("foretold.json", "prevented.json"):
        (tmp_path / name).write_text(text)
    assert crossing_of(tmp_path, "mugen", "disk", NOW) is None
    assert prevented_at(tmp_path, "mugen", "disk", NOW) is None
    note_prevented(tmp_path, "mugen", "disk", NOW)
    assert prevented_at(tmp_path, "mugen", "disk", NOW + 1) == NOW
    write_foretold(tmp_path, [crossing()], [], NOW)
    assert crossing_of(tmp_path, "mugen", "disk", NOW) == crossing()


def test_what_was_prevented_long_ago_is_forgotten(tmp_path: Path) -> None:
    note_prevented(tmp_path, "mugen", "disk", NOW)
    note_prevented(tmp_path, "pixel", "disk", NOW + 31 * 24 * HOUR)
    assert json.loads((tmp_path / "prevented.json").read_text()).keys() == {"pixel"}
    # A clock that was set back.
    assert prevented_at(tmp_path, "pixel", "disk", NOW) == NOW


@given(
    before=st.floats(0, 89), after=st.floats(0, 89), seconds=st.floats(1, 1e6, allow_nan=False), falling=st.booleans()
)
def test_what_makes_room_lasts_longer_at_the_same_pace(
    before: float, after: float, seconds: float, falling: bool
) -> None:
    limit = 90.0
    if falling:
        before, after, limit = 100 - before, 100 - after, 10.0
    left = lasts(before, after, limit, seconds)
    grown = (after > before) if falling else (after < before)
    assert (left > seconds * 1.000001) <= grown
    assert left >= 0


# --- The operation --------------------------------------------------------------------------------------------------

RELIEF = [Relief("prune", "~/cache/*"), Relief("prune", "~/more/*")]
PREVENT: dict[str, Any] = {"disk_warning": 85, "disk_critical": 90, "disk_relief": RELIEF, "disk_prevent": "24h"}


@pytest.fixture
def ground(machine: Machine) -> Machine:
    """A machine whose disk is 80 % full as long as ~/cache/big is there, and else 40 %."""
    (machine.root / "bin").mkdir()
    machine.environment["PATH"] = f"{machine.root}/bin:{machine.environment['PATH']}"
    df(machine, 'if [ -e "$HOME/cache/big" ]; then left=200000; else left=600000; fi')
    for name in ("cache/big", "more/other"):
        (machine.home / name).parent.mkdir()
        (machine.home / name).touch()
    return machine


def foretell(
    machine: Machine, subject: str = "disk", hours: float = 5.0, ago: float = 0.0, limit: float = 90.0
) -> None:
    now = time.time()
    told = Crossing(HOST, subject, now - ago, now + hours * HOUR, limit)
    write_foretold(memory(machine), [told], [], now - ago)


def memory(machine: Machine) -> Path:
    return machine.home / ".local" / "state" / "miyabi"


def within_limits(machine: Machine, **arguments: Any) -> Operated:
    return operate(machine, within, **(WELL | PREVENT | arguments))


def said(done: Operated) -> str:
    return "\n".join(done.said)


def test_nothing_foretold_costs_and_does_nothing(ground: Machine) -> None:
    for wanted in ("24h", None, "24h"):
        done = within_limits(ground, disk_prevent=wanted)
        assert (done.failed, done.commands, done.probes) == (False, [], 1)
    assert (ground.home / "cache" / "big").exists()


def test_it_is_relieved_before_it_is_critical_and_only_as_far_as_needed(ground: Machine) -> None:
    foretell(ground)
    done = within_limits(ground)
    assert not done.failed, said(done)
    assert not (ground.home / "cache" / "big").exists()
    # What the first one brought is enough: at the same pace the limit is further away than a day.
    assert (ground.home / "more" / "other").exists()
    finding = done.findings["disk"]
    assert finding.verdict == "tidied"
    assert "the disk is foretold to reach 90 % at " in finding.reason
    assert "pruned ~/cache/*: from 80.0 % to 40.0 %" in finding.reason.replace(str(ground.home), "~")


def test_it_goes_on_to_the_next_relief_when_the_first_one_helps_too_little(ground: Machine) -> None:
    df(ground, 'left=200000; [ -e "$HOME/cache/big" ] || left=210000; [ -e "$HOME/more/other" ] || left=600000')
    foretell(ground)
    assert not within_limits(ground).failed
    assert not (ground.home / "more" / "other").exists()


def test_it_is_not_done_again_before_a_quarter_of_the_time_has_passed(ground: Machine) -> None:
    foretell(ground)
    df(ground, "left=200000")
    assert within_limits(ground).commands
    (ground.home / "cache" / "big").touch()
    for _ in range(2):
        foretell(ground)
        done = within_limits(ground)
        assert (done.failed, done.commands) == (False, [])
    note_prevented(memory(ground), HOST, "disk", time.time() - 6 * HOUR - 60)
    assert within_limits(ground).commands


@pytest.mark.parametrize(
    ("told", "arguments"),
    [
        ({"hours": 25.0}, {}),
        ({"ago": FRESH + 60}, {}),
        ({"limit": 95.0}, {}),
        ({"subject": "memory"}, {}),
        ({}, {"disk_prevent": None}),
        ({}, {"disk_relief": []}),
    ],
    ids=["later", "stale", "another limit", "another measure", "not wanted", "no relief"],
)
def test_else_nothing_is_done(ground: Machine, told: dict[str, Any], arguments: dict[str, Any]) -> None:
    foretell(ground, **told)
    done = within_limits(ground, **arguments)
    assert (done.failed, done.commands, done.probes) == (False, [], 1)
    assert (ground.home / "cache" / "big").exists()


def test_an_unreadable_argument_touches_nothing(ground: Machine) -> None:
    foretell(ground)
    done = within_limits(ground, disk_prevent="tomorrow")
    assert done.failed
    assert "disk_prevent 'tomorrow': allowed:" in said(done)
    assert done.probes == 0


def test_what_the_gate_holds_is_not_done_and_fails_nothing(ground: Machine) -> None:
    foretell(ground)
    add_pause(memory(ground), Pause(HOST, "", time.time() + HOUR, "by hand"))
    done = within_limits(ground)
    assert (done.failed, done.commands) == (False, [])
    assert "by hand" in said(done)
    assert (ground.home / "cache" / "big").exists()
    # Nothing is wrong: no run counts it among what is held.
    journal = memory(ground) / "journal.jsonl"
    assert not journal.exists() or "decisions" not in journal.read_text()
    # Nobody has prevented anything: when the pause is over, it is done.
    assert prevented_at(memory(ground), HOST, "disk", time.time()) is None


def test_what_cannot_be_remembered_is_not_done(ground: Machine) -> None:
    foretell(ground)
    (memory(ground) / "prevented.json").mkdir()
    done = within_limits(ground)
    assert (done.failed, done.commands) == (False, [])
    assert "disk: nothing is prevented: " in said(done)
    assert (ground.home / "cache" / "big").exists()


def test_a_relief_that_brings_nothing_is_told_and_fails_nothing(ground: Machine) -> None:
    df(ground, "left=200000")
    foretell(ground)
    done = within_limits(ground)
    assert not done.failed
    assert "from 80.0 % to 80.0 %" in said(done)


def test_a_warning_stays_a_warning(ground: Machine) -> None:
    df(ground, 'left=120000; [ -e "$HOME/cache/big" ] || left=130000')
    foretell(ground)
    done = within_limits(ground)
    assert not done.failed
    assert done.findings["disk"].verdict == "warning"
    assert "from 88.0 % to 87.0 %" in done.findings["disk"].reason


def test_what_is_critical_is_relieved_as_ever(ground: Machine) -> None:
    df(ground, 'left=50000; [ -e "$HOME/cache/big" ] || left=600000')
    foretell(ground)
    done = within_limits(ground)
    assert done.findings["disk"].verdict == "repaired"
    assert prevented_at(memory(ground), HOST, "disk", time.time()) is None


def test_a_server_is_restarted_only_when_the_relief_names_it(ground: Machine) -> None:
    """Memory that runs out: its relief prunes and names no server."""
    server = McpServer("mcp", "touch restarted", match="index.js")
    foretell(ground, "memory", limit=1.0)
    done = within_limits(
        ground,
        memory_warning=2,
        memory_critical=1,
        memory_relief=[Relief("prune", "~/cache/*")],
        memory_prevent=24 * HOUR,
        servers=[server],
    )
    assert not done.failed, said(done)
    assert not list(ground.home.rglob("restarted"))
    assert not (ground.home / "cache" / "big").exists()


def test_it_is_no_drift_and_its_reason_is_kept(ground: Machine) -> None:
    foretell(ground)
    within_limits(ground)
    lines = [json.loads(line) for line in (memory(ground) / "journal.jsonl").read_text().splitlines()]
    tables = {each["table"] for each in lines}
    assert "drifts" not in tables
    assert "recoveries" not in tables
    [decided] = [each for each in lines if each["table"] == Decided.TABLE and each["target"] == "disk"]
    assert (decided["allowed"], decided["does"]) == (True, "tidy")
    assert decided["reason"].startswith("the disk is foretold to reach 90 % at ")


def test_a_real_disk(small_disk: tuple[Machine, Path]) -> None:
    """A disk of 64 KB, most of it a cache; what is remembered lies elsewhere."""
    machine, disk = small_disk
    del machine.environment["XDG_STATE_HOME"]
    (disk / "cache").mkdir()
    for name in ("old", "young"):
        (disk / "cache" / name).write_bytes(b"x" * 24_000)
    week = time.time() - 7 * 24 * HOUR
    os.utime(disk / "cache" / "old", (week, week))
    relief = [{"does": "prune", "target": f"{disk}/cache/*", "older_than": 86400}]
    wanted = {"disk_path": str(disk), "disk_relief": relief}
    assert within_limits(machine, **wanted).commands == []
    foretell(machine)
    done = within_limits(machine, **wanted)
    assert not done.failed, said(done)
    assert sorted(each.name for each in (disk / "cache").iterdir()) == ["young"]
    assert done.findings["disk"].verdict == "tidied"
    assert within_limits(machine, **wanted).commands == []
