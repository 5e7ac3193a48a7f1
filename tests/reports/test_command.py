"""The command ``miyabi report``, run for real in a clone: what it prints, writes and refuses."""

from __future__ import annotations

import json
import stat
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
import yaml

from miyabi.history import open_history
from tests.cli.acting import Clone
from tests.fleet.control import Fleet
from tests.reports.making import incident, looks
from tests.reports.test_commits import commit, git

DAY = 86400.0


@pytest.fixture
def clone(ssh_fleet: Fleet) -> Clone:
    """A clone whose control machine has looked at itself yesterday; its clock shows Tokyo's time."""
    made = Clone.of(ssh_fleet)
    ssh_fleet.control.environment["TZ"] = "Asia/Tokyo"
    since = float(int(time.time() // DAY) - 2) * DAY
    with open_history(memory(made), None, now=time.time()) as history:
        history.write([*looks("@local", since, since + 2 * DAY), *incident("one", since + DAY, None, host="@local")])
    return made


def memory(clone: Clone) -> Path:
    return clone.fleet.control.home / ".local" / "state" / "miyabi"


@pytest.mark.slow
def test_reports_are_printed_written_and_sent(clone: Clone) -> None:
    repository = clone.fleet.control.home / "app"
    repository.mkdir()
    git(repository, "init", "-q")
    commit(repository, at=time.time() - 60)
    reports = {"repositories": [str(repository), "/nowhere"], "daily": True}
    (clone.folder / "inventory" / "fleet.yaml").write_text(yaml.safe_dump({"reports": reports}))
    (clone.folder / "inventory" / "alerts.yaml").write_text("channels: {file: }\n")
    printed = clone.miyabi("report", "daily")
    assert printed.code == 0, printed.output
    yesterday = datetime.fromtimestamp(time.time(), UTC) + timedelta(hours=9) - timedelta(1)
    assert printed.stdout.startswith(f"# Miyabi Recovery, day {yesterday:%Y-%m-%d}\n")
    assert "no host was down" in printed.stdout
    assert "- **commits of /nowhere**: there is no such folder" in printed.stdout
    assert "JST" in printed.stdout
    today = f"{yesterday.date() + timedelta(1)}"
    told = clone.miyabi("report", "daily", "--date", today, "--format", "json")
    answer = json.loads(told.stdout)
    assert (answer["so_far"], answer["commits"]["total"], answer["since"][10:]) == (True, 1, "T15:00:00Z")
    folder = clone.fleet.control.home / "kept"
    kept = clone.miyabi("report", "weekly", "--format", "html", "--output", f"{folder}/", "--send")
    assert kept.code == 0, kept.output
    path = Path(kept.stdout.strip())
    assert path.parent == folder
    assert path.read_text().startswith("<!doctype html>")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert f"all of it: {path}" in (memory(clone) / "alerts.log").read_text()
    sent = clone.miyabi("report", "daily", "--send")
    assert sent.code == 0, sent.output
    assert f"all of it: miyabi report daily --date {yesterday:%Y-%m-%d}" in (memory(clone) / "alerts.log").read_text()


def test_what_is_due(clone: Clone) -> None:
    fleet = clone.folder / "inventory" / "fleet.yaml"
    fleet.write_text(yaml.safe_dump({"reports": {"daily": True, "at": "00:00"}}))
    first = clone.miyabi("report", "--due")
    assert first.code == 0, first.output
    assert [Path(line).suffix for line in first.stdout.splitlines()] == [".md", ".html"]
    again = clone.miyabi("report", "--due")
    assert (again.code, again.output) == (0, "")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        ((), 2, "Error: which one? miyabi report daily|weekly|monthly"),
        (("yearly",), 2, "'yearly' is not one of"),
        (("daily", "--date", "2026-02-30"), 2, "'2026-02-30'; allowed: a day such as 2026-11-20"),
        (("daily", "--date", "20261120"), 2, "allowed: a day such as 2026-11-20"),
        (("daily", "--date", "0001-01-01"), 2, "allowed: a day such as 2026-11-20"),
        (("daily", "--date", "8999-01-01"), 2, "8999-01-01 has not begun"),
        (("daily", "--output", "/dev/null"), 1, "Error: /dev/null: it is no regular file"),
        (("daily", "--output", "/proc/nothing/x"), 1, "Error: /proc/nothing/x: the report cannot be written: "),
        (("daily", "--due"), 2, "--due takes nothing else"),
    ],
)
def test_what_is_refused(clone: Clone, arguments: tuple[str, ...], code: int, told: str) -> None:
    done = clone.miyabi("report", *arguments)
    assert done.code == code, done.output
    assert told in done.stderr
    assert done.stdout == ""
    errors = [line for line in done.stderr.splitlines() if line.startswith("Error: ")]
    assert len(errors) == 1, "an error is one line"


def test_far_away_days_are_empty(clone: Clone) -> None:
    done = clone.miyabi("report", "monthly", "--date", f"{date(1999, 12, 31)}")
    assert done.code == 0, done.output
    assert "Nobody looked: of this month nothing is known" in done.stdout
