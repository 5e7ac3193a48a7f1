"""What the processes of a pane do within two seconds, under every shell and on machines of other kinds."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from facts.heartbeat import heartbeat_section, heartbeats_section, parse_heartbeat
from miyabi.agent_state import Heartbeat
from miyabi.errors import ParseError
from tests.facts.hosts import INSTALLED_SHELLS, POSIX_TOOLS, PretendedHost, ask
from tests.fleet.machine import Machine
from tests.fleet.parameters import mostly_slow
from tests.fleet.waiting import wait_until

_FIRST = "7 (cat) R 1 7 7 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 90000 0"


@pytest.fixture
def children(machine: Machine) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Processes of this machine's, which are ended."""
    started: list[subprocess.Popen[bytes]] = []
    yield started
    for process in started:
        process.kill()
        process.wait()
    machine.stop()


def _start(machine: Machine, children: list[subprocess.Popen[bytes]], script: str) -> int:
    process = subprocess.Popen(["/bin/sh", "-c", script], env=machine.environment, stdin=subprocess.DEVNULL)
    children.append(process)
    return process.pid


@pytest.mark.parametrize("shell", mostly_slow(INSTALLED_SHELLS, ("dash", "zsh")))
def test_busy_idle_and_stopped(machine: Machine, children: list[subprocess.Popen[bytes]], shell: str) -> None:
    started = time.time()
    busy = _start(machine, children, "(while :; do :; done) & wait")
    stopped = _start(machine, children, "exec sleep 600")
    os.kill(stopped, signal.SIGSTOP)
    wait_until(lambda: Path(f"/proc/{stopped}/stat").read_text().split()[2] == "T", what="it is stopped")
    # All is asked at once, and told of all together.
    seen = ask(heartbeat_section([busy, stopped, 99999999]), shell)
    assert seen.seconds == 2
    assert 0.05 < seen.busy < 5
    assert seen.stopped == (stopped,)
    assert seen.born_at is not None
    assert abs(seen.born_at - started) < 3


def test_several_panes_take_no_longer_than_one(machine: Machine, children: list[subprocess.Popen[bytes]]) -> None:
    busy, idle = _start(machine, children, "while :; do :; done"), _start(machine, children, "sleep 600 & wait")
    before = time.monotonic()
    seen = ask(heartbeats_section({"%1": [busy], "%2": [idle], "%3": [99999999]}))
    assert time.monotonic() - before < 4
    assert list(seen) == ["%1", "%2"]
    assert seen["%1"].busy > 0.05
    assert seen["%2"].busy == 0
    assert heartbeats_section({"a": [1], "b": [2]}).script != heartbeats_section({"a": [1, 2]}).script


def test_what_only_waits_uses_nothing(machine: Machine, children: list[subprocess.Popen[bytes]]) -> None:
    idle = _start(machine, children, "sleep 600 & wait")
    seen = ask(heartbeat_section([idle]))
    assert (seen.busy, seen.stopped) == (0.0, ())


def test_the_time_of_children_that_come_and_go_counts(
    machine: Machine, children: list[subprocess.Popen[bytes]]
) -> None:
    assert ask(heartbeat_section([_start(machine, children, "while :; do /bin/true; done")])).busy > 0.1


def test_what_has_ended_is_unknown() -> None:
    with pytest.raises(ParseError, match="ended meanwhile"):
        ask(heartbeat_section([99999999]))


def test_other_processes_are_another_question() -> None:
    first, second = heartbeat_section([1]), heartbeat_section([2])
    assert first.script != second.script
    assert first.title != second.title
    assert first.title.startswith("heartbeat_")


def _linux(*looks: tuple[str, ...]) -> list[str]:
    lines = ["ticks 100", "now 1795000000"]
    for rows in looks:
        lines += [*rows, "looked 0"]
    return lines


def test_a_pid_that_another_process_has_got_is_no_proof() -> None:
    reader = "7 R 1 0 0 0 0 90000"
    with pytest.raises(ParseError, match="ended meanwhile"):
        parse_heartbeat([20], _linux((reader, "20 S 1 5 5 0 0 100"), (reader, "20 S 1 500 5 0 0 89000")))
    same = _linux((reader, "20 S 1 5 5 0 0 100", "21 S 20 100 0 0 0 200"), (reader, "20 S 1 5 5 100 10 100"))
    assert parse_heartbeat([20], same) == Heartbeat(2.0, 0.1, (), 1795000000 - 899.0)


def test_macos_counts_in_hundredths() -> None:
    first = ("  20 Ss      1   0:01.50 02-03:04:05", "  21 T+     20   1:02:03.04       01:00")
    second = ("  20 Ss      1   0:01.75 02-03:04:07", "  21 T+     20   1:02:03.04       01:02")
    seen = parse_heartbeat([20], _linux(first, second))
    born = 1795000000 - ((2 * 24 + 3) * 3600 + 4 * 60 + 5)
    assert seen == Heartbeat(2.0, 0.25, (21,), float(born))


@pytest.mark.parametrize(
    "lines",
    [
        [],
        ["ticks 100", "now 1795000000", "looked 0"],
        _linux(("20 S 1 5 5 0 0 100",), ())[:-1],
        _linux(("x y z",), ()),
        _linux(("20 S 1 5 5 0 0 100", "ps: what?"), ("20 S 1 5 5 0 0 100",)),
        ["now x", *_linux((), ())],
    ],
    ids=range(6),
)
def test_garbage_is_unknown(lines: list[str]) -> None:
    with pytest.raises((ParseError, ValueError)):
        parse_heartbeat([20], lines)


def test_names_that_look_like_more(tmp_path: Path) -> None:
    host = PretendedHost.build(tmp_path, {*POSIX_TOOLS, "timeout"})
    host.tool("sleep", script=":")
    after = _FIRST.partition(") ")[2]
    host.file("/proc/self/stat", f"{_FIRST}\n")
    host.file("/proc/20/stat", f"20 (a\nb) {after}\n")
    host.file("/proc/21/stat", f"21 (x) T 1 1 (ev) {after}\n")
    seen = host.ask(heartbeat_section([21]))
    assert (seen.busy, seen.stopped) == (0.0, ())
    with pytest.raises(ParseError, match="ended meanwhile"):
        host.ask(heartbeat_section([20]))


def test_a_host_without_proc(tmp_path: Path) -> None:
    host = PretendedHost.build(tmp_path, {*POSIX_TOOLS, "timeout"})
    host.tool("sleep", script=":")
    host.tool("ps", " 20 T  1 0:00.10 00:10\n")
    seen = host.ask(heartbeat_section([20]))
    assert (seen.busy, seen.stopped) == (0.0, (20,))
    host.tool("ps", code=1)
    with pytest.raises(ParseError):
        host.ask(heartbeat_section([20]))
