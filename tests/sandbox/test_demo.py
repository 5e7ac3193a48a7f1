"""The whole story, as a newcomer sees it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from miyabi.sandbox import demo, programs
from miyabi.sandbox.display import Display
from miyabi.sandbox.faults import inject
from miyabi.sandbox.fleet import SANDBOX_VARIABLE
from tests.fleet import processes
from tests.fleet.control import REPOSITORY
from tests.fleet.machine import Machine
from tests.fleet.waiting import wait_until

_DEMO = (sys.executable, "-m", "miyabi", "sandbox", "demo")


def _assert_nothing_is_left(machine: Machine) -> None:
    folder = machine.environment["TMPDIR"]
    assert not list(Path(folder).glob("miyabi-demo-*"))
    marked = [processes.environment_of(pid).get(SANDBOX_VARIABLE, "") for pid in processes.all_processes()]
    assert not [mark for mark in marked if mark.startswith(folder)]


@pytest.mark.slow
@pytest.mark.timeout(180)
@pytest.mark.parametrize("options", ["", "--plain"] if programs.can_isolate() else ["--plain"])
def test_everything_is_healed_in_time_and_a_second_run_changes_nothing(machine: Machine, options: str) -> None:
    done = machine.run(*_DEMO, *options.split(), cwd=REPOSITORY, timeout=170)
    assert done.code == 0, done.output
    healed = re.search(r"healed, as seen from outside: (\d+) of (\d+)", done.stdout)
    assert healed is not None
    assert healed[1] == healed[2] == ("20" if options else "22")
    assert "The same again: nothing is left to do" in done.stdout
    assert "nothing is left of it" in done.stdout
    _assert_nothing_is_left(machine)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("moment", "number"),
    [
        ("pixel is up", signal.SIGINT),
        ("Starting operation", signal.SIGINT),
        ("Starting operation", signal.SIGHUP),
        ("Breaking it", signal.SIGTERM),
    ],
)
def test_a_demo_that_is_ended_leaves_nothing(machine: Machine, moment: str, number: signal.Signals) -> None:
    output = machine.root / "output"
    environment = machine.environment | {"PYTHONUNBUFFERED": "1"}
    with (
        output.open("w") as written,
        subprocess.Popen(
            _DEMO, env=environment, cwd=REPOSITORY, stdout=written, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL
        ) as story,
    ):
        wait_until(lambda: moment in output.read_text(), 60, what=moment)
        os.kill(story.pid, number)
        assert story.wait(30) != 0
    assert "Traceback" not in output.read_text()
    _assert_nothing_is_left(machine)


@pytest.mark.slow
def test_what_a_killed_demo_has_left_is_removed_by_the_next(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    output = machine.root / "output"
    with (
        output.open("w") as written,
        subprocess.Popen(
            _DEMO, env=machine.environment | {"PYTHONUNBUFFERED": "1"}, cwd=REPOSITORY, stdout=written
        ) as story,
    ):
        wait_until(lambda: "mugen is up" in output.read_text(), 60)
        monkeypatch.setattr(tempfile, "tempdir", machine.environment["TMPDIR"])
        demo._remove_killed(Display())
        assert story.poll() is None
        story.kill()
    demo._remove_killed(Display())
    _assert_nothing_is_left(machine)


@pytest.mark.slow
def test_what_is_not_healed_fails_the_demo(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(demo, "ALL", ("agent-prompt",))
    monkeypatch.setattr(demo, "inject", lambda sandbox, _: inject(sandbox, "agent-prompt"))
    assert demo.demo(Display(), plain=True) == 1
    assert "NOT AS IT SHOULD BE: mugen: an agent waits for a permission, still" in capsys.readouterr().out
