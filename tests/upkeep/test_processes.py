"""Servers that run detached, with real processes: started, left alone, tried again, and recognised."""

from __future__ import annotations

import os
import shlex
import signal
import sys
from pathlib import Path
from typing import Any

import pytest
from pyinfra.api.hiddenvalue import HiddenValue

from operations import processes
from tests.fleet.machine import Machine
from tests.fleet.processes import alive, command_line_of, environment_of
from tests.fleet.waiting import wait_until
from tests.recovery.operating import operate
from tests.upkeep.servers import arguments_for, hurry, keep_up, look, pids, some_number


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    hurry(monkeypatch)


@pytest.fixture
def server(machine: Machine) -> dict[str, Any]:
    """The arguments for a server on a free port of the machine."""
    return arguments_for(machine)


def test_a_server_is_started_once(machine: Machine, server: dict[str, Any]) -> None:
    first = keep_up(machine, server)
    assert not first.failed
    [pid] = pids(machine, server)
    assert os.getsid(pid) == pid
    second = keep_up(machine, server)
    assert not second.failed
    assert second.commands == []
    assert second.probes == 1
    assert pids(machine, server) == [pid]
    log = machine.home / ".local/state/miyabi/logs/kaede-mcp.log"
    assert log.read_text().splitlines()[-1] == "listening"
    assert log.stat().st_mode & 0o777 == 0o600


def test_without_a_port_its_process_tells(machine: Machine) -> None:
    beat = f"sleep {some_number()}"
    server = {"process": "beat", "start": f"exec {beat}", "match": beat}
    assert not keep_up(machine, server).failed
    [pid] = pids(machine, server)
    assert keep_up(machine, server).commands == []
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not alive(pid))
    assert not keep_up(machine, server).failed
    assert pids(machine, server) not in ([], [pid])


def test_with_neither_what_was_started_tells(machine: Machine) -> None:
    server = {"process": "beat beat", "start": "sleep 4712"}
    assert not keep_up(machine, server).failed
    [pid, *_] = pids(machine, server)
    assert keep_up(machine, server).commands == []
    assert pid in pids(machine, server)


def test_environment_cwd_and_login_shell(machine: Machine, server: dict[str, Any]) -> None:
    (machine.home / "it's here").mkdir()
    (machine.home / ".profile").write_text("export FROM_PROFILE=yes\n")
    values = {"TOKEN": "s3cr3t ' \" $HOME", "PLAIN": "$(touch pwned)`id`"}
    run = keep_up(machine, server, cwd="~/it's here", environment=values)
    assert not run.failed
    [pid] = pids(machine, server)
    seen = environment_of(pid)
    assert seen["TOKEN"] == f"s3cr3t ' \" {machine.home}"
    assert seen["PLAIN"] == "$(touch pwned)`id`"
    assert seen["FROM_PROFILE"] == "yes"
    assert "MIYABI_SETTINGS" not in seen
    assert Path(f"/proc/{pid}/cwd").resolve() == machine.home / "it's here"
    assert not any("s3cr3t" in command for command in run.commands)
    assert not list(machine.home.rglob("pwned"))
    open_files = {each.name: str(each.readlink()) for each in Path(f"/proc/{pid}/fd").iterdir()}
    assert open_files["0"] == "/dev/null"
    assert not [each for each in open_files.values() if each.startswith("pipe")]


def test_a_server_that_dies_at_once_is_tried_three_times(machine: Machine) -> None:
    start = 'echo "try of $TOKEN: $(wc -l <~/tries)"; echo >>~/tries; exit 3'
    (machine.home / "tries").touch()
    environment = {"TOKEN": HiddenValue("s3cr3t")}
    run = operate(machine, processes.running, process="weak", start=start, match="no such", environment=environment)
    assert run.failed
    assert (machine.home / "tries").read_text() == "\n\n\n"
    said = "\n".join(run.said)
    assert "server weak" in said
    assert "tried to start it 3 times: it has ended" in said
    assert "try of ********: 2" in said
    assert "s3cr3t" not in said


def test_a_server_that_detaches_itself_is_recorded(machine: Machine, server: dict[str, Any]) -> None:
    server["start"] = server["start"].replace("exec", "setsid -f")
    assert not keep_up(machine, server).failed
    [pid] = pids(machine, server)
    assert look(machine, server).recorded is not None
    assert keep_up(machine, server).commands == []
    assert pids(machine, server) == [pid]


def test_one_that_should_be_down_is_left_alone(machine: Machine, server: dict[str, Any]) -> None:
    assert keep_up(machine, server, expected="down").commands == []
    assert pids(machine, server) == []
    assert not keep_up(machine, server).failed
    [pid] = pids(machine, server)
    run = keep_up(machine, server, expected="down")
    assert not run.failed
    assert run.commands == []
    assert any("should be down, but runs" in line for line in run.said)
    assert pids(machine, server) == [pid]
    assert "kaede-mcp" in command_line_of(pid)


@pytest.mark.parametrize("garbage", ["", "\n", "4711", "x y z\n", "$(touch pwned)\n", "\0\xff"])
def test_a_torn_record_is_none(machine: Machine, server: dict[str, Any], garbage: str) -> None:
    record = machine.home / ".local/state/miyabi/processes/kaede-mcp"
    record.parent.mkdir(parents=True)
    record.write_text(garbage)
    assert look(machine, server).recorded is None
    assert not keep_up(machine, server).failed
    assert keep_up(machine, server).commands == []
    assert not list(machine.home.rglob("pwned"))


@pytest.mark.parametrize("name", ["it's; touch pwned", "..", "-rf", "$(touch pwned)", "\u96ea", "a b"])
def test_hostile_names_are_only_names(machine: Machine, name: str) -> None:
    run = operate(machine, processes.running, process=name, start="exec sleep 4713")
    assert not run.failed
    again = operate(machine, processes.running, process=name, start="exec sleep 4713")
    assert again.commands == []
    assert not list(machine.root.rglob("pwned"))
    [record] = (machine.home / ".local/state/miyabi/processes").iterdir()
    assert record.is_file()


@pytest.mark.parametrize("match", ["it's [a] $(touch pwned) .*", "\u96ea \u6708", "a/b\\c", "^x$"])
def test_hostile_words_are_matched_as_they_are(machine: Machine, match: str) -> None:
    python = shlex.quote(sys.executable)
    match += str(some_number())
    start = f"exec {python} -c 'import time; time.sleep(600)' {shlex.quote(match)}"
    assert not operate(machine, processes.running, process="odd", start=start, match=match).failed
    assert operate(machine, processes.running, process="odd", start=start, match=match).commands == []
    assert not list(machine.root.rglob("pwned"))


@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        ({"process": "a/b"}, "printable name without /"),
        ({"start": " "}, "start"),
        ({"port": 0}, "1 to 65535"),
        ({"port": "80"}, "1 to 65535"),
        ({"match": ""}, "match"),
        ({"expected": "sideways"}, "up or down"),
        ({"orphans": "eat"}, "report or reap"),
        ({"environment": {"A B": "c"}}, "letters, digits"),
        ({"cwd": "~/nowhere"}, "cannot be entered"),
    ],
)
def test_bad_input_is_one_clear_message(machine: Machine, wrong: dict[str, Any], word: str) -> None:
    run = operate(machine, processes.running, **{"process": "x", "start": "touch ~/started", "match": "none"} | wrong)
    assert run.failed
    assert any(word in line for line in run.said)
    assert not (machine.home / "started").exists()


def test_without_an_answer_nothing_is_started(machine: Machine, server: dict[str, Any]) -> None:
    folder = machine.root / "bin"
    folder.mkdir()
    (folder / "ps").write_text("#!/bin/sh\nexit 3\n")
    (folder / "ps").chmod(0o755)
    machine.environment["PATH"] = f"{folder}:{machine.environment['PATH']}"
    run = keep_up(machine, server)
    assert run.failed
    assert run.commands == []
    assert any("ps gave no answer" in line for line in run.said)
