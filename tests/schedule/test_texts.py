"""miyabi/schedule.py: what is written into the schedulers is what they understand."""

from __future__ import annotations

import plistlib
import re
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from miyabi.schedule import (
    Job,
    SchedulerName,
    cron_line,
    launchd_plist,
    parse_interval,
    parse_scheduler,
    parse_switch,
    systemd_service,
    systemd_timer,
)
from tests.fleet import programs

ALLOWED = [*(each for each in range(1, 60) if 60 % each == 0), *(each * 60 for each in range(1, 25) if 24 % each == 0)]


def job(minutes: int = 5, repository: str = "/repository", python: str = "/venv/bin/python") -> Job:
    return Job(repository, python, (("TMUX_TMPDIR", '/run/a "b" %c'),), minutes)


@pytest.mark.parametrize("minutes", ALLOWED)
def test_every_allowed_interval_is_even(minutes: int) -> None:
    """Over a day, launchd's and cron's runs are ``minutes`` apart, across hours and midnight."""
    assert parse_interval(f"{minutes}m", "cron") == minutes
    launchd = {
        hour * 60 + each["Minute"]
        for each in plistlib.loads(launchd_plist(job(minutes)).encode())["StartCalendarInterval"]
        for hour in ([each["Hour"]] if "Hour" in each else range(24))
    }
    assert sorted(launchd) == list(range(0, 1440, minutes))
    minute, hour = cron_line(job(minutes)).split(" ")[:2]
    cron = [at for at in range(1440) if _fits(minute, at % 60, 60) and _fits(hour, at // 60, 24)]
    assert cron == list(range(0, 1440, minutes))


def _fits(field: str, value: int, end: int) -> bool:
    first, _, step = field.partition("/")
    return value in (range(0, end, int(step or 1)) if first == "*" else [int(first)])


@pytest.mark.parametrize("minutes", ALLOWED)
def test_systemd_understands_the_calendar(minutes: int) -> None:
    analyze = programs.required("systemd-analyze")
    [calendar] = [line for line in systemd_timer(job(minutes)).splitlines() if line.startswith("OnCalendar=")]
    done = subprocess.run(
        [analyze, "calendar", "--iterations=4", "--base-time=2026-05-04 00:00:00", calendar.partition("=")[2]],
        env={"LC_ALL": "C", "TZ": "UTC", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    times = [
        datetime.strptime(found[1], "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
        for found in re.finditer(r"(?:Next elapse|Iteration #\d|Iter\. #\d): \w+ (\S+ \S+) UTC", done.stdout)
    ]
    assert [after - before for before, after in pairwise(times)] == [timedelta(minutes=minutes)] * 3, done.stdout


@pytest.mark.parametrize("name", ["plain", "a b 'c' \"d\" 100% $HOME ${PATH} é\\x", "-dash;#&|"])
def test_systemd_takes_the_units(tmp_path: Path, name: str) -> None:
    analyze = programs.required("systemd-analyze")
    repository = tmp_path / name
    repository.mkdir()
    python = repository / "python"
    shutil.copy("/bin/true", python)
    written = job(repository=str(repository), python=str(python))
    service, timer = tmp_path / "miyabi-recover.service", tmp_path / "miyabi-recover.timer"
    service.write_text(systemd_service(written))
    timer.write_text(systemd_timer(written))
    done = subprocess.run(
        [analyze, "verify", "--user", "--man=no", str(service), str(timer)],
        env={"HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path), "PATH": "/usr/bin:/bin", "LC_ALL": "C"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    # Of a unit that it cannot make sense of it speaks, and says which; of others of this machine it may speak, too.
    assert "miyabi-recover" not in done.stderr


def test_what_a_run_starts_outlives_its_unit() -> None:
    service = systemd_service(job()).splitlines()
    assert {"Type=oneshot", "KillMode=process", "OOMPolicy=continue", "TimeoutStartSec=660"} <= {*service}
    assert "Persistent=true" in systemd_timer(job()).splitlines()


@pytest.mark.parametrize("scheduler", ["systemd", "launchd", "cron"])
def test_what_divides_neither_hour_nor_day_is_refused(scheduler: SchedulerName) -> None:
    for minutes in set(range(1, 1441)) - set(ALLOWED):
        with pytest.raises(ValueError, match="must divide an hour or a day"):
            parse_interval(f"{minutes}m", scheduler)


def test_termux_takes_any_whole_minutes_from_fifteen() -> None:
    assert parse_interval("17m", "termux") == 17
    assert parse_interval(900, "termux") == 15
    for every in ("14m", "899s", "25h", "15m1s"):
        with pytest.raises(ValueError, match="every"):
            parse_interval(every, "termux")


def test_words() -> None:
    assert parse_scheduler("auto") is None
    assert [parse_switch("remove", each) for each in ("yes", True, 1, "no", False, 0)] == [True] * 3 + [False] * 3


def test_this_interpreter_is_no_trouble() -> None:
    assert cron_line(job(python=sys.executable)).endswith("-m miyabi run >/dev/null # miyabi-recover")
