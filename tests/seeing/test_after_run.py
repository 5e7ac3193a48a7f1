"""What is due after a scheduled run: when, in which time, and that none of it can hurt the run."""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, strategies as st

from miyabi.after_run import METRICS, PREDICTIONS, REPORTS, RETRY, TRACES, Mark, due, marks_of
from miyabi.monitoring import Monitoring, Period, Predictions, Reports
from miyabi.run_afterwards import MARKS, Afterwards
from miyabi.single_flight import elapsed
from tests.fleet.machine import Machine
from tests.fleet.waiting import wait_until
from tests.schedule.running import TABLE, WAITING, Clone, ends, is_gone

NOW = 1_790_000_000.0
HOUR = 3600.0
DAY = 86400.0
TABLE_OF_A_RUN = TABLE.format(hosts=1, success="-", error="-", no_change=1)

TEXTFILE = Monitoring(textfile="~/miyabi.prom")
LOOKING_AHEAD = Monitoring(predictions=Predictions(every=HOUR))


def reporting(*periods: Period, at: int = 7 * 60) -> Monitoring:
    return Monitoring(reports=Reports(periods=periods, at=at))


def names(monitoring: Monitoring, marks: Mapping[str, Mark] | None = None, now: float = NOW, **more: Any) -> list[str]:
    return [each.name for each in due(monitoring, marks or {}, now, more.pop("environment", {}), **more)]


# --- When -----------------------------------------------------------------------------------------------------------


def test_nothing_is_due_by_default() -> None:
    assert names(Monitoring()) == []
    assert names(Monitoring(), environment={"OTEL_EXPORTER_OTLP_ENDPOINT": ""}) == []


def test_metrics_and_traces_follow_each_run() -> None:
    [task] = due(TEXTFILE, {METRICS: Mark(NOW, NOW)}, NOW, {})
    assert (task.arguments, task.seconds) == (("metrics", "--textfile", "~/miyabi.prom"), 20.0)
    for name in ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"):
        [task] = due(Monitoring(), {}, NOW, {name: "http://localhost:4318"})
        assert (task.name, task.arguments, task.seconds) == (TRACES, ("trace", "--since-last"), 20.0)


@pytest.mark.parametrize(
    ("mark", "is_due"),
    [
        (None, True),
        (Mark(NOW - HOUR, NOW - HOUR), True),
        (Mark(NOW - HOUR + 20, NOW - HOUR + 20), True),
        (Mark(NOW - HOUR + 40, NOW - HOUR + 40), False),
        (Mark(NOW - 300, NOW - 300), False),
        # It came to no good end: not again in each run.
        (Mark(NOW - 300, None), False),
        (Mark(NOW - 300, NOW - 5 * HOUR), False),
        (Mark(NOW - HOUR, NOW - 5 * HOUR), True),
        # The clock was set back.
        (Mark(NOW + DAY, NOW + DAY), True),
    ],
)
def test_when_a_run_looks_ahead(mark: Mark | None, is_due: bool) -> None:
    tasks = due(LOOKING_AHEAD, {PREDICTIONS: mark} if mark else {}, NOW, {})
    assert [each.name for each in tasks] == [PREDICTIONS] * is_due
    for task in tasks:
        assert (task.arguments, task.seconds, task.good) == (("predict", "--keep", "--tell"), 120.0, (0, 2))


def local(text: str, zone: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()


@pytest.mark.parametrize(
    ("periods", "done", "now", "is_due"),
    [
        (("daily",), "2026-11-20 07:00", "2026-11-21 06:59", False),
        (("daily",), "2026-11-20 07:00", "2026-11-21 07:00", True),
        (("daily",), "2026-11-21 07:02", "2026-11-21 23:59", False),
        # 2026-11-23 is a Monday.
        (("weekly",), "2026-11-16 07:00", "2026-11-22 12:00", False),
        (("weekly",), "2026-11-16 07:00", "2026-11-23 06:00", False),
        (("weekly",), "2026-11-16 07:00", "2026-11-23 07:05", True),
        (("weekly",), "2026-11-16 07:00", "2026-11-26 03:00", True),
        (("weekly",), "2026-11-23 07:05", "2026-11-29 12:00", False),
        (("monthly",), "2026-11-01 07:00", "2026-11-30 23:00", False),
        (("monthly",), "2026-11-01 07:00", "2026-12-01 07:00", True),
        (("monthly", "weekly"), "2026-11-23 07:05", "2026-11-30 07:00", True),
    ],
)
def test_when_a_report_is_due(periods: tuple[Period, ...], done: str, now: str, is_due: bool) -> None:
    zone = "Asia/Tokyo"
    marks = {REPORTS: Mark(local(done, zone), local(done, zone))}
    found = names(reporting(*periods), marks, local(now, zone), zone=ZoneInfo(zone))
    assert found == [REPORTS] * is_due


def test_a_report_that_failed_is_tried_again_an_hour_later() -> None:
    zone = ZoneInfo("UTC")
    monitoring, seven = reporting("daily"), local("2026-11-21 07:00", "UTC")
    marks = {REPORTS: Mark(seven + 10, seven - DAY)}
    assert names(monitoring, marks, seven + RETRY - 100, zone=zone) == []
    assert names(monitoring, marks, seven + RETRY, zone=zone) == [REPORTS]


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "UTC"])
@pytest.mark.parametrize("at", [0, 90, 2 * 60 + 30, 23 * 60 + 29])
@pytest.mark.parametrize("begin", ["2026-03-06", "2026-03-27", "2026-04-03", "2026-10-02", "2026-10-23", "2026-10-30"])
def test_each_day_has_one_report_however_long_it_is(zone: str, at: int, begin: str) -> None:
    there = ZoneInfo(zone)
    monitoring, mark, done = reporting("daily", at=at), Mark(0.0, 0.0), []
    now = datetime.fromisoformat(begin).replace(tzinfo=there).timestamp() + 60
    mark = Mark(now, now)
    for _ in range(4 * 48):
        now += 1800
        if names(monitoring, {REPORTS: mark}, now, zone=there):
            mark = Mark(now, now)
            done.append(datetime.fromtimestamp(now, UTC).astimezone(there).date())
    assert len(done) == len(set(done)) in {3, 4, 5}
    assert [later - earlier for earlier, later in pairwise(done)] == [timedelta(1)] * (len(done) - 1)


@given(
    now=st.floats(0, 4e9),
    tried=st.none() | st.floats(-1e10, 1e10),
    done=st.none() | st.floats(-1e10, 1e10),
    at=st.integers(0, 1439),
)
def test_any_moment_has_an_answer(now: float, tried: float | None, done: float | None, at: int) -> None:
    marks = {PREDICTIONS: Mark(tried, done), REPORTS: Mark(tried, done)}
    monitoring = Monitoring(predictions=Predictions(every=HOUR), reports=Reports(("daily", "weekly", "monthly"), at))
    found = names(monitoring, marks, now, zone=UTC)
    assert set(found) <= {PREDICTIONS, REPORTS}
    # What was just done is never due.
    assert names(monitoring, {PREDICTIONS: Mark(now, now), REPORTS: Mark(now, now)}, now, zone=UTC) == []


@pytest.mark.parametrize("told", [None, 3, [], {"reports": 3}, {"reports": {"tried": "x", "done": True}}, {3: {}}])
def test_marks_that_make_no_sense_are_none(told: Any) -> None:
    assert all(mark == Mark() for mark in marks_of(told).values())


# --- Doing it -------------------------------------------------------------------------------------------------------

# An imitation of the command: notes how it was called, and does what the file of that name says.
_COMMAND = """
import os, pathlib, sys, time
with open("called", "a") as file:
    print(os.getpriority(os.PRIO_PROCESS, 0), *sys.argv[1:], file=file)
print("I am", sys.argv[1])
does = pathlib.Path(sys.argv[1] + ".does")
exec(does.read_text() if does.exists() else "")
"""


class Ground:
    """A clone whose ``miyabi`` is an imitation, and whose fleet.yaml says what a test wants."""

    def __init__(self, root: Path) -> None:
        self.clone = root / "clone"
        self.state = root / "state"
        self.log = root / "run.log"
        self.log.write_text("what pyinfra said\n")
        for folder in (self.clone / "miyabi", self.clone / "inventory"):
            folder.mkdir(parents=True)
        (self.clone / "miyabi" / "__init__.py").touch()
        (self.clone / "miyabi" / "__main__.py").write_text(_COMMAND)
        self.wants("predictions: {every: 1h}\nmetrics: {textfile: /x/m.prom}\nreports: {daily: true}\n")

    def wants(self, text: str) -> None:
        """From now on fleet.yaml says this."""
        (self.clone / "inventory" / "fleet.yaml").write_text(text)

    def does(self, name: str, python: str) -> None:
        """From now on a command does this."""
        (self.clone / f"{name}.does").write_text(python)

    def do(self, now: float = NOW, seconds: float = 60.0) -> tuple[str, ...]:
        """Do what is due; no process is left."""
        groups: list[int] = []
        made = Afterwards(self.clone, self.state, self.log, elapsed() + seconds, groups.append)
        said = made.do(now)
        assert all(is_gone(group) for group in groups)
        return said

    def called(self) -> list[str]:
        """How commands were called, each with its priority."""
        path = self.clone / "called"
        return path.read_text().splitlines() if path.exists() else []


@pytest.fixture
def ground(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ground:
    """A clone of its own, for which nothing in the environment asks for traces."""
    for name in ("HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))
    for name in [name for name in os.environ if name.startswith("OTEL_")]:
        monkeypatch.delenv(name)
    return Ground(tmp_path)


def test_all_that_is_due_is_done_with_low_priority_and_said_in_the_log(ground: Ground) -> None:
    assert ground.do() == ()
    assert ground.called() == ["10 metrics --textfile /x/m.prom", "10 predict --keep --tell", "10 report --due"]
    log = ground.log.read_text()
    assert log.startswith("what pyinfra said\n--> After the run: miyabi metrics --textfile /x/m.prom\nI am metrics\n")
    assert log.endswith("--> After the run: miyabi report --due\nI am report\n")
    path = ground.state / MARKS
    assert path.stat().st_mode & 0o777 == 0o600
    assert json.loads(path.read_text()) == {name: {"tried": NOW, "done": NOW} for name in (PREDICTIONS, REPORTS)}
    # The next run has only its metrics to write.
    assert ground.do(NOW + 300) == ()
    assert len(ground.called()) == 4


def test_something_that_is_foretold_is_a_good_end(ground: Ground) -> None:
    ground.does("predict", "sys.exit(2)")
    assert ground.do() == ()


def test_what_fails_is_a_word_and_keeps_nothing_else_from_its_turn(ground: Ground) -> None:
    ground.does("metrics", "print('Error: /x: no such folder'); sys.exit(1)")
    ground.does("predict", "os.kill(os.getpid(), 9)")
    assert ground.do() == ("metrics: Error: /x: no such folder", "predictions: it was ended by signal 9")
    assert len(ground.called()) == 3
    # The metrics belong to each run, a look ahead that failed waits.
    ground.do(NOW + 300)
    assert [each.split()[1] for each in ground.called()[3:]] == ["metrics"]
    ground.do(NOW + RETRY)
    assert [each.split()[1] for each in ground.called()[4:]] == ["metrics", "predict"]


@pytest.mark.slow
def test_each_has_its_time(ground: Ground) -> None:
    ground.does("metrics", "time.sleep(60)")
    assert ground.do(seconds=2.5) == (
        "metrics: it took longer than 2 s",
        "predictions: no time was left",
        "reports: no time was left",
    )
    # What was not begun is due in the next run.
    ground.does("metrics", "")
    assert ground.do(NOW + 1) == ()


def test_what_cannot_be_remembered_is_not_done(ground: Ground) -> None:
    (ground.state / MARKS).mkdir(parents=True)
    said = ground.do()
    assert [each.split(": ")[0] for each in said] == [PREDICTIONS, REPORTS]
    assert [each.split()[1] for each in ground.called()] == ["metrics"]


def test_a_fleet_file_that_is_wrong_or_says_nothing_does_nothing(ground: Ground) -> None:
    for text in ("predictions: {every: soon}\n", "lease: 10m\n", "", "\t- {"):
        ground.wants(text)
        assert ground.do() == ()
    assert ground.called() == []
    assert not (ground.state / MARKS).exists()


def test_traces_are_sent_where_the_environment_says_so(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    ground.wants("")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    assert ground.do() == ()
    assert ground.called() == ["10 trace --since-last"]


# --- With `miyabi run` ----------------------------------------------------------------------------------------------


@pytest.fixture
def clone(machine: Machine) -> Clone:
    """A clone with an imitation of pyinfra, and one of all of ``miyabi`` but ``miyabi run``."""
    made = Clone.build(machine, f"print({TABLE_OF_A_RUN!r})")
    site = machine.root / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(
        "import sys\nif 'miyabi' in sys.orig_argv and 'run' not in sys.orig_argv:\n    sys.argv = sys.orig_argv\n"
        "    words = sys.orig_argv[sys.orig_argv.index('miyabi'):]\n    sys.argv = words\n"
        f"    exec({_COMMAND!r})\n    sys.stdout.flush()\n    import os\n    os._exit(0)\n"
    )
    machine.environment["PYTHONPATH"] += f":{site}"
    (made.folder / "inventory").mkdir()
    return made


def fleet_of(clone: Clone, text: str) -> None:
    (clone.folder / "inventory" / "fleet.yaml").write_text(text)


def test_a_run_does_what_is_due_within_its_log(clone: Clone) -> None:
    fleet_of(clone, "metrics: {textfile: /x/m.prom}\n")
    done = clone.run()
    assert done.code == 0, done.output
    assert (clone.folder / "called").read_text() == "10 metrics --textfile /x/m.prom\n"
    [log] = (clone.state / "runs").iterdir()
    assert "Grand total" in log.read_text()
    assert log.read_text().endswith("--> After the run: miyabi metrics --textfile /x/m.prom\nI am metrics\n")
    assert clone.lines[0].startswith("ok changes=0")


def test_what_fails_after_a_run_is_a_word_in_its_line_alone(clone: Clone) -> None:
    fleet_of(clone, "metrics: {textfile: /x/m.prom}\n")
    (clone.folder / "metrics.does").write_text("print('Error: no such folder'); sys.stdout.flush(); os._exit(1)")
    done = clone.run()
    assert done.code == 0
    assert clone.lines[0].startswith("ok changes=0")
    assert clone.lines[0].endswith("metrics: Error: no such folder")


def test_it_belongs_to_the_run_and_ends_with_it(clone: Clone) -> None:
    fleet_of(clone, "metrics: {textfile: /x/m.prom}\n")
    (clone.folder / "metrics.does").write_text(WAITING)
    started = clone.start()
    child = wait_until(lambda: clone._noted("pid"), 60, what="what is due after the run")
    # It is a part of the run: another one leaves at once.
    assert "busy" in clone.run().stdout
    os.kill(started.pid, signal.SIGTERM)
    code, _ = ends(started)
    assert is_gone(child)
    # The run itself had come to its end, and says so.
    assert code == 0
    assert clone.lines[-1].startswith("ok changes=0")
    assert clone.lines[-1].endswith("what is due after the run was cut short by SIGTERM")
    assert clone.record is None


@pytest.mark.slow
def test_the_deadline_is_that_of_all_together(clone: Clone) -> None:
    fleet_of(clone, "metrics: {textfile: /x/m.prom}\n")
    (clone.folder / "metrics.does").write_text("time.sleep(60)")
    done = clone.run("--deadline", "5s")
    assert done.code == 0
    # On a busy machine all of it may have passed before.
    assert re.search(r"metrics: (it took longer than [0-5] s|no time was left)", clone.lines[0])


def test_who_asks_for_nothing_more_pays_for_nothing_more(clone: Clone) -> None:
    fleet_of(clone, "# metrics: {textfile: /x/m.prom}\n  # predictions: {every: 1h}\nlease: 10m\n")
    clone.machine.environment["PYTHONPROFILEIMPORTTIME"] = "1"
    done = clone.run()
    assert done.code == 0
    assert "miyabi.single_flight" in done.output
    for module in ("miyabi.run_afterwards", "miyabi.after_run", "miyabi.fleet_file", "miyabi.spec_cache", "yaml"):
        assert module not in done.output
    assert not (clone.folder / "called").exists()
