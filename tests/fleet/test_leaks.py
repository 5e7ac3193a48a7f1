"""The leak check catches what it is for; each test here leaves something behind in a run of its own."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fleet.control import Fleet
from tests.fleet.leaks import TestRun, suspicious_names
from tests.fleet.machine import Machine
from tests.fleet.tmux import TmuxServer
from tests.fleet.waiting import wait_until

pytest_plugins = ["pytester"]


@pytest.fixture
def careless(test_run: TestRun) -> Iterator[TestRun]:
    """A run whose leftovers are looked at, and removed at the end in any case."""
    run = TestRun.begin(test_run.folder)
    yield run
    if run.folder.exists():
        run.end(patience=0)


def test_a_tidy_run_leaves_nothing(careless: TestRun) -> None:
    machine = Machine.build(careless, "tidy")
    TmuxServer(machine).start()
    TmuxServer(machine).stop()
    machine.remove()
    assert careless.end() == []
    assert not careless.folder.exists()


def test_a_process_is_found_however_it_was_detached_and_says_whose_it_is(careless: TestRun) -> None:
    machine = Machine.build(careless, "m")
    machine.sh("(setsid sleep 1234 >/dev/null 2>&1 &)")
    wait_until(machine.processes)
    found = careless.leftovers(patience=0)
    assert any("sleep 1234" in line and "says_whose_it_is" in line for line in found)
    careless.end(patience=0)
    assert not machine.processes()


def test_a_tmux_server_and_its_socket_are_found(careless: TestRun) -> None:
    server = TmuxServer(Machine.build(careless, "m"))
    server.start()
    found = careless.leftovers(patience=0)
    assert f"socket {server.socket_path}" in found
    assert any(line.startswith(f"process {server.pid()} ") for line in found)
    careless.end(patience=0)
    assert server.pid() is None


def test_an_sshd_is_found(careless: TestRun, ssh_fleet: Fleet) -> None:
    fleet = Fleet.build(careless)
    pid = fleet.add("forgotten")._sshd
    assert isinstance(pid, subprocess.Popen)
    assert any(line.startswith(f"process {pid.pid} ") for line in careless.leftovers(patience=0))
    careless.end(patience=0)
    assert pid.wait(5) != 0


def test_a_file_is_found(careless: TestRun) -> None:
    (careless.folder / "note").touch()
    assert careless.leftovers(patience=0) == [f"file {careless.folder}/note"]


def test_what_goes_away_in_time_is_no_leak(careless: TestRun) -> None:
    machine = Machine.build(careless, "m")
    machine.sh("(sleep 0.3; rm -r '../../'m-*) >/dev/null 2>&1 &")
    assert careless.leftovers() == []


def test_names_of_ours_are_seen_in_the_system_temp_folder(tmp_path: Path) -> None:
    (tmp_path / "pyinfra-1a2b").touch()
    (tmp_path / "somebody-elses").touch()
    (tmp_path / f"tmux-{os.getuid()}").mkdir()
    (tmp_path / f"tmux-{os.getuid()}" / "default").touch()
    assert {Path(name).name for name in suspicious_names(tmp_path)} == {"pyinfra-1a2b", "default"}


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["one process", "xdist"])
def test_a_leak_fails_the_whole_run(
    pytester: pytest.Pytester, workers: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MIYABI_TEST_PATIENCE", "0")
    pytester.makeconftest("from tests.conftest import *")
    pytester.makepyfile(
        """
        import subprocess

        def test_that_passes_and_leaves_a_process():
            subprocess.Popen(["sleep", "4321"], start_new_session=True)
        """
    )
    repository = Path(__file__).parents[2]
    pytester.makeini(f"[pytest]\npythonpath = {repository}")
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider", *workers)
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*test_that_passes_and_leaves_a_process (call): sleep 4321*"])


def test_a_busy_port_is_not_taken_for_a_host(ssh_fleet: Fleet) -> None:
    host = ssh_fleet.add("pixel")
    host.stop_sshd()
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", host.port))
        other.listen()
        with pytest.raises(AssertionError, match="sshd doesn't start"):
            host.start_sshd()
