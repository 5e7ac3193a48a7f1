"""operations/schedule.py: a run is installed, changed and removed in each scheduler, and nothing else is touched."""

from __future__ import annotations

import plistlib
import re
import shlex
from pathlib import Path

import pytest

from miyabi.schedule import SCHEDULERS, Job
from miyabi.schedule_script import install_script, remove_script
from operations import schedule
from tests.fleet.machine import Machine
from tests.recovery.operating import Operated, operate
from tests.schedule.imitations import calls, imitate

REPOSITORY, PYTHON = "/home/kaede/miyabi-recovery", "/home/kaede/miyabi-recovery/.venv/bin/python"
# What a recovery every 20 minutes looks like in each scheduler, and every 30.
TWENTY = {"systemd": "OnCalendar=*:0/20", "launchd": "40", "cron": "*/20 * * * *", "termux": "(periodic: 1200000ms)"}
THIRTY = {"systemd": "OnCalendar=*:0/30", "launchd": "30", "cron": "*/30 * * * *", "termux": "(periodic: 1800000ms)"}


def recovery(machine: Machine, **arguments: object) -> Operated:
    return operate(machine, schedule.recovery, **{"repository": REPOSITORY, "python": PYTHON} | arguments)


def written(machine: Machine, state: Path, scheduler: str) -> str:
    """What a scheduler has, in the order of its parts."""
    places = {
        "systemd": [
            machine.home / ".config/systemd/user/miyabi-recover.timer",
            machine.home / ".config/systemd/user/miyabi-recover.service",
            state / "timer-active",
        ],
        "launchd": [state / "agent-loaded"],
        "cron": [state / "crontab"],
        "termux": [state / "jobs", machine.home / ".local/share/miyabi/miyabi-recover"],
    }
    return "".join(place.read_text() for place in places[scheduler] if place.exists())


@pytest.fixture(params=list(SCHEDULERS))
def scheduler(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_installed_changed_and_removed(machine: Machine, scheduler: str) -> None:
    state = imitate(machine, scheduler)
    first = recovery(machine, every="20m", scheduler=scheduler)
    assert not first.failed, first.said
    assert len(first.commands) == 1
    assert TWENTY[scheduler] in written(machine, state, scheduler)
    assert f"{PYTHON}" in written(machine, state, scheduler)

    again = recovery(machine, every="20m", scheduler=scheduler)
    assert (again.failed, again.commands, again.probes) == (False, [], 1)

    before = written(machine, state, scheduler)
    changed = recovery(machine, every="30m", scheduler=scheduler)
    assert not changed.failed, changed.said
    assert len(changed.commands) == 1
    assert THIRTY[scheduler] in written(machine, state, scheduler) != before

    removed = recovery(machine, remove="yes")
    assert not removed.failed, removed.said
    assert not written(machine, state, scheduler)
    assert not list(machine.home.rglob("miyabi-recover*"))
    nothing = recovery(machine, remove="yes", scheduler=scheduler)
    assert (nothing.failed, nothing.commands) == (False, [])


def test_what_somebody_has_undone_comes_back(machine: Machine, scheduler: str) -> None:
    state = imitate(machine, scheduler)
    recovery(machine, every="20m", scheduler=scheduler)
    before = written(machine, state, scheduler)
    damage = {
        "systemd": [state / "timer-active"],
        "launchd": [state / "agent-loaded"],
        "cron": [state / "crontab"],
        "termux": [state / "jobs"],
    }
    for place in damage[scheduler]:
        place.unlink()
    repaired = recovery(machine, every="20m", scheduler=scheduler)
    assert not repaired.failed, repaired.said
    assert written(machine, state, scheduler) == before
    assert recovery(machine, every="20m", scheduler=scheduler).commands == []


def test_a_unit_that_systemd_has_not_read_is_read(machine: Machine) -> None:
    state = imitate(machine, "systemd")
    recovery(machine)
    (state / "loaded").write_text("what was there when it was killed")
    assert recovery(machine).commands
    assert recovery(machine).commands == []


def test_a_change_that_does_not_come_about_fails(machine: Machine) -> None:
    state = imitate(machine, "systemd", "cron")
    (state / "broken-start").touch()
    done = recovery(machine, scheduler="systemd")
    assert done.failed
    assert "a systemd user timer did not come about: there is a timer that is not running" in str(done.said)
    (state / "cron-loses").touch()
    done = recovery(machine, scheduler="cron")
    assert done.failed
    assert "a line in the crontab did not come about: there is no line" in str(done.said)


# --- Which scheduler ------------------------------------------------------------------------------------------------


def test_linux_with_a_user_manager_gets_a_timer(machine: Machine) -> None:
    state = imitate(machine, "systemd", "cron")
    assert not recovery(machine).failed
    assert "OnCalendar=*:0/5" in written(machine, state, "systemd")
    assert not written(machine, state, "cron")


def test_linux_without_one_gets_a_line_in_the_crontab(machine: Machine) -> None:
    state = imitate(machine, "systemd", "cron")
    (state / "no-bus").touch()
    assert not recovery(machine).failed
    assert written(machine, state, "cron").startswith("*/5 * * * * cd /home/kaede/miyabi-recovery && exec env ")


def test_termux_gets_a_job(machine: Machine) -> None:
    machine.environment["PREFIX"] = str(machine.root / "com.termux" / "files" / "usr")
    state = imitate(machine, "termux", "cron")
    refused = recovery(machine)
    assert refused.failed
    assert "every '5m' is too short: a job of termux-job-scheduler runs every 15 minutes at the most often" in str(
        refused.said
    )
    assert not (state / "crontab").exists()
    assert not recovery(machine, every="17m").failed
    assert "(periodic: 1020000ms) (persisted)" in written(machine, state, "termux")
    script = written(machine, state, "termux")
    assert f"#!{machine.environment['PREFIX']}/bin/sh\n" in script


def test_a_systemd_that_no_longer_answers_is_not_replaced(machine: Machine) -> None:
    state = imitate(machine, "systemd", "cron")
    recovery(machine)
    (state / "no-bus").touch()
    done = recovery(machine)
    assert done.failed
    assert done.commands == []
    assert "systemd cannot be used: this user has no systemd of its own: Failed to connect to bus" in str(done.said)


def test_a_host_without_any_scheduler(machine: Machine) -> None:
    imitate(machine)
    done = recovery(machine)
    assert done.failed
    assert done.commands == []
    assert "this host has no scheduler: systemctl is not installed on this host; crontab is not" in str(done.said)


def test_another_scheduler_takes_over(machine: Machine) -> None:
    state = imitate(machine, "systemd", "cron")
    recovery(machine, scheduler="cron")
    done = recovery(machine, scheduler="systemd")
    assert not done.failed, done.said
    assert "Removing a line in the crontab" in str(done.said)
    assert "OnCalendar" in written(machine, state, "systemd")
    assert not written(machine, state, "cron")
    assert recovery(machine).commands == []


def test_remove_names_one_scheduler_or_means_all(machine: Machine) -> None:
    state = imitate(machine, "systemd", "cron")
    recovery(machine, scheduler="systemd")
    (state / "crontab").write_text("0 0 * * * cd / && exec x # miyabi-recover\n")
    assert not recovery(machine, remove="yes", scheduler="cron").failed
    assert written(machine, state, "systemd")
    (state / "crontab").write_text("0 0 * * * cd / && exec x # miyabi-recover\n")
    assert not recovery(machine, remove=True).failed
    assert not written(machine, state, "systemd") + written(machine, state, "cron")


# --- Unknown, refused -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"scheduler": "at"}, "scheduler 'at' is not supported; allowed: systemd, launchd, cron, termux, or auto"),
        ({"scheduler": "launchd"}, "launchd cannot be used: launchctl is not installed on this host"),
        ({"scheduler": "termux", "every": "15m"}, "termux-job-scheduler is not installed on this host: pkg install"),
        ({"every": "12 bananas"}, "every '12 bananas' is no duration: a number of seconds, or numbers with"),
        ({"every": True}, "every True is no duration"),
        ({"every": ["5m"]}, "every ['5m'] is no duration"),
        ({"every": "30s"}, "every '30s' is too short: a line in the crontab runs every minute at the most often"),
        ({"every": -300}, "every -300 is no duration"),
        ({"every": "14m", "scheduler": "termux"}, "every '14m' is too short"),
        ({"every": "90s"}, "every '90s': allowed are whole minutes, up to 24 hours"),
        ({"every": "2d"}, "every '2d': allowed are whole minutes, up to 24 hours"),
        ({"every": "7m"}, "must divide an hour or a day; allowed: 1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30 minutes, or 1,"),
        ({"every": "90m"}, "must divide an hour or a day"),
        ({"remove": "perhaps"}, "remove 'perhaps': allowed: yes or no"),
        ({"repository": "relative"}, "repository 'relative' is no absolute path"),
        ({"repository": "/a\nb"}, "repository '/a\\nb': a control character"),
        ({"python": "/bin/python "}, "ends in a blank"),
        ({"repository": "/back\\slash"}, "a path with a backslash in it means one thing to one cron"),
        ({"repository": "/long" * 250}, "cron's line would be longer than"),
    ],
    ids=str,
)
def test_bad_input_is_refused(machine: Machine, arguments: dict[str, object], said: str) -> None:
    state = imitate(machine, "cron")
    (state / "crontab").write_text("* * * * * mine\n")
    done = recovery(machine, **arguments)
    assert done.failed
    assert done.commands == []
    [told] = [line for line in done.said if "nothing is changed" in line]
    assert said in told
    assert (state / "crontab").read_text() == "* * * * * mine\n"


def test_a_crontab_that_cannot_be_read_is_left_alone(machine: Machine) -> None:
    state = imitate(machine, "cron")
    (state / "crontab").write_text("* * * * * mine\n")
    (state / "cron-denied").touch()
    for arguments in ({}, {"remove": "yes"}):
        done = recovery(machine, **arguments)
        assert done.failed
        assert done.commands == []
        assert "what cron has is unknown: exit code 1: You (kaede) are not allowed to use this program" in str(
            done.said
        )
    assert (state / "crontab").read_text() == "* * * * * mine\n"


def test_a_crontab_that_can_no_longer_be_read_is_not_written(machine: Machine) -> None:
    state = imitate(machine, "cron")
    (state / "crontab").write_text("* * * * * mine\n")
    (state / "cron-denied-to-read").touch()
    for script in (install_script("cron", Job(REPOSITORY, PYTHON, (), 5)), remove_script("cron")):
        done = machine.sh(script)
        assert done.code != 0
        assert "imitation: input/output error" in done.stderr
        assert (state / "crontab").read_text() == "* * * * * mine\n"


def test_a_termux_api_that_hangs_is_unknown_after_five_seconds(machine: Machine) -> None:
    state = imitate(machine, "termux")
    (state / "termux-hangs").touch()
    done = recovery(machine, every="15m", scheduler="termux")
    assert done.failed
    assert done.commands == []
    assert "what termux has is unknown: no answer within 5 s (is the app Termux:API installed?" in str(done.said)


def test_a_number_that_another_job_has_is_not_taken(machine: Machine) -> None:
    state = imitate(machine, "termux")
    (state / "jobs").write_text("649224|/home/kaede/mine\t(periodic: 900000ms)\n")
    done = recovery(machine, every="15m", scheduler="termux")
    assert done.failed
    assert "the job's number is taken by another script: /home/kaede/mine" in str(done.said)
    assert recovery(machine, remove="yes").commands == []


def test_a_mac_whose_screen_nobody_uses(machine: Machine) -> None:
    state = imitate(machine, "launchd")
    (state / "no-gui").touch()
    done = recovery(machine, scheduler="launchd")
    assert done.failed
    assert "log in once at this Mac's own screen" in str(done.said)
    assert not (machine.home / "Library").exists()


def test_linger_is_asked_for_once_and_its_want_is_told(machine: Machine) -> None:
    state = imitate(machine, "systemd")
    (state / "no-linger").touch()
    for _ in range(2):
        done = recovery(machine)
        assert not done.failed
        assert "it runs only while you are logged in" in str(done.said)
    assert sum("enable-linger" in call for call in calls(state)) == 1
    (state / "no-linger").unlink()
    recovery(machine, every="10m")
    assert (state / "linger").exists()
    assert "logged in" not in str(recovery(machine, every="10m").said)


# --- What others have written, and what paths may hold --------------------------------------------------------------


@pytest.mark.parametrize("ending", [b"\n", b""], ids=["newline", "no newline"])
def test_other_lines_stay_byte_for_byte(machine: Machine, ending: bytes) -> None:
    state = imitate(machine, "cron")
    mine = (
        b"# miyabi-recover is a fine thing\nMAILTO=me@example.org\n\n \t*/2 * * * * echo 100\\% '\\n' \xff\xfe\n"
        b"#*/5 * * * * cd /old && exec x # miyabi-recover\n@reboot echo 'x # miyabi-recover' "
    )
    (state / "crontab").write_bytes(mine + ending)
    assert not recovery(machine, every="10m").failed
    assert (state / "crontab").read_bytes().startswith(mine + b"\n*/10 * * * * cd ")
    assert recovery(machine, every="10m").commands == []
    assert not recovery(machine, every="20m").failed
    assert (state / "crontab").read_bytes().count(b" * * * * cd ") == 2
    assert not recovery(machine, remove="yes").failed
    assert (state / "crontab").read_bytes() == mine + b"\n"


HOSTILE = '/srv/a b/it\'s "quoted"/100% & <more>/$HOME/$(touch pwned)/`id`/;é#'


def test_paths_arrive_in_systemd_as_they_are(machine: Machine) -> None:
    imitate(machine, "systemd")
    assert not recovery(machine, repository=f"{HOSTILE}\\x", python=f"{HOSTILE}\\x/python").failed
    assert recovery(machine, repository=f"{HOSTILE}\\x", python=f"{HOSTILE}\\x/python").commands == []
    service = (machine.home / ".config/systemd/user/miyabi-recover.service").read_text()
    lines = dict(line.split("=", 1) for line in service.splitlines() if "=" in line)
    assert lines["WorkingDirectory"].replace("%%", "%") == f"{HOSTILE}\\x"
    words = re.fullmatch(r'/bin/sh -c "(.*)"', lines["ExecStart"])
    assert words is not None
    command = re.sub(r"\\(.)|%(%)|\$(\$)", lambda each: each[1] or each[2] or each[3], words[1])
    assert shlex.split(command) == ["exec", f"{HOSTILE}\\x/python", "-m", "miyabi", "run"]


def test_paths_arrive_in_launchd_as_they_are(machine: Machine) -> None:
    state = imitate(machine, "launchd")
    done = recovery(machine, scheduler="launchd", every="6h", repository=HOSTILE, python=f"{HOSTILE}/python")
    assert not done.failed, done.said
    agent = plistlib.loads((state / "agent-loaded").read_bytes())
    assert agent["WorkingDirectory"] == HOSTILE
    assert agent["ProgramArguments"] == [f"{HOSTILE}/python", "-m", "miyabi", "run"]
    assert agent["StartCalendarInterval"] == [{"Hour": hour, "Minute": 0} for hour in (0, 6, 12, 18)]
    assert agent["AbandonProcessGroup"] is True


def echoing(machine: Machine) -> tuple[str, str]:
    """A repository and an interpreter at hostile paths; the interpreter notes where and how it was started."""
    place = machine.root / HOSTILE.replace("/srv/", "")
    place.mkdir(parents=True)
    python = place / "python"
    note = shlex.quote(str(machine.root / "note"))
    python.write_text(f'#!/bin/sh\n{{ pwd; echo "$TMUX_TMPDIR"; echo "$*"; }} >{note}\n')
    python.chmod(0o755)
    return str(place), str(python)


@pytest.mark.parametrize("takes_backslash_away", [True, False], ids=["vixie", "busybox"])
def test_paths_arrive_through_cron_as_they_are(machine: Machine, *, takes_backslash_away: bool) -> None:
    state = imitate(machine, "cron")
    repository, python = echoing(machine)
    assert not recovery(machine, repository=repository, python=python).failed
    [line] = (state / "crontab").read_text().splitlines()
    command = line.split(" ", 5)[5]
    assert "%" not in command.replace("\\%", "")
    if takes_backslash_away:
        command = command.replace("\\%", "%")
    done = machine.run("env", "-i", "PATH=/usr/bin:/bin", "sh", "-c", command)
    assert done.output == ""
    noted = (machine.root / "note").read_text().splitlines()
    assert noted == [repository, machine.environment["TMUX_TMPDIR"], "-m miyabi run"]
    assert not list(machine.root.rglob("pwned"))


def test_paths_arrive_through_termux_as_they_are(machine: Machine) -> None:
    imitate(machine, "termux")
    repository, python = echoing(machine)
    done = recovery(machine, scheduler="termux", every="15m", repository=repository, python=python)
    assert not done.failed, done.said
    assert machine.run("env", "-i", "sh", f"{machine.home}/.local/share/miyabi/miyabi-recover").output == ""
    noted = (machine.root / "note").read_text().splitlines()
    assert noted == [repository, machine.environment["TMUX_TMPDIR"], "-m miyabi run"]
