"""deploys/schedule.py as documented, on a copy of the repository; and the run that it schedules, as cron starts it."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.fleet.control import Fleet
from tests.schedule.imitations import imitate

SMALL = {"sessions": [{"session_name": "small", "windows": [{"window_name": "one", "panes": [None]}]}]}


@pytest.fixture
def clone(ssh_fleet: Fleet) -> Path:
    """A copy of the playbook whose hosts have small specs."""
    copy = ssh_fleet.copy_repository()
    for name in ("control", "pixel", "mugen", "macbook"):
        (copy / "inventory" / "specs" / f"{name}.yaml").write_text(yaml.safe_dump(SMALL))
    return copy


@pytest.mark.slow
def test_scheduled_by_cron_it_runs(ssh_fleet: Fleet, clone: Path) -> None:
    state = imitate(ssh_fleet.control, "cron")
    ssh_fleet.add("mugen")
    first = ssh_fleet.pyinfra("inventory", "deploys/schedule.py", "-y", cwd=clone)
    assert first.code == 0, first.output
    assert "[@local] a line in the crontab every 5 minutes (there was no line)" in first.output
    assert "[mugen] Success" not in first.output
    second = ssh_fleet.pyinfra("inventory", "deploys/schedule.py", "-y", cwd=clone)
    assert second.code == 0, second.output
    assert "[@local] No changes" in second.output
    assert "Success" not in second.output.split("--> Results:")[0]

    [line] = (state / "crontab").read_text().splitlines()
    command = line.split(" ", 5)[5]
    # What cron gives a job, and no more.
    cron = {"HOME": str(ssh_fleet.control.home), "LOGNAME": "kaede", "SHELL": "/bin/sh", "PATH": "/usr/bin:/bin"}
    kept = {name: each for name, each in ssh_fleet.control.environment.items() if name.startswith("MIYABI_TEST_")}
    ssh_fleet.control.environment.clear()
    ssh_fleet.control.environment.update(cron | kept)
    lines = ssh_fleet.control.home / ".local" / "state" / "miyabi" / "runs.log"
    done = ssh_fleet.control.sh(command)
    assert done.code == 0, done.output
    [told] = lines.read_text().splitlines()
    # A session on each of the two hosts, in the server that was found where TMUX_TMPDIR said.
    assert " changed changes=2 " in told
    assert ssh_fleet.control_tmux.pid() is not None
    assert ssh_fleet.control.sh(command).code == 0
    assert " ok changes=0 " in lines.read_text().splitlines()[1]
    assert ssh_fleet.control_tmux.pid() is not None


@pytest.mark.slow
def test_data_from_the_command_line(ssh_fleet: Fleet, clone: Path) -> None:
    state = imitate(ssh_fleet.control, "cron", "systemd")
    folder = ssh_fleet.control.home / ".config" / "systemd" / "user"

    def deploy(*data: str) -> str:
        words = [word for each in data for word in ("--data", each)]
        done = ssh_fleet.pyinfra("inventory", "deploys/schedule.py", "-y", *words, cwd=clone)
        assert "Traceback" not in done.output
        return f"{done.code} {done.output}"

    assert deploy("every=7m").startswith("1 ")
    assert not folder.exists()
    told = deploy("scheduler=at", "every=10m")
    assert told.startswith("1 ")
    assert told.count("scheduler 'at' is not supported") == 1
    assert deploy("every=600").startswith("0 ")
    assert "OnCalendar=*:0/10" in (folder / "miyabi-recover.timer").read_text()
    assert f"WorkingDirectory={clone}" in (folder / "miyabi-recover.service").read_text()
    assert deploy("every=1h", "scheduler=cron").startswith("0 ")
    assert (state / "crontab").read_text().startswith("0 * * * * ")
    assert not list(folder.glob("miyabi*"))
    assert deploy("remove=yes").startswith("0 ")
    assert not (state / "crontab").exists()
    assert "[@local] No changes" in deploy("remove=true")


def test_other_hosts_have_no_schedule(ssh_fleet: Fleet, clone: Path) -> None:
    ssh_fleet.add("mugen")
    done = ssh_fleet.pyinfra("inventory", "deploys/schedule.py", "-y", "--limit", "mugen", cwd=clone)
    assert done.code == 0, done.output
    assert "Schedule" not in done.output


def test_the_fact_answers(ssh_fleet: Fleet, clone: Path) -> None:
    imitate(ssh_fleet.control, "cron")
    done = ssh_fleet.pyinfra("@local", "fact", "facts.schedule.Schedule", cwd=clone)
    assert done.code == 0, done.output
    assert '"missing": "systemctl is not installed on this host"' in done.output
