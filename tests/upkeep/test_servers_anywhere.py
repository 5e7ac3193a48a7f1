"""The look at a server, its start and its end in every shell and on machines that this one only pretends to be."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path

import pytest

from facts.daemons import daemons_section
from facts.probe import probe_script, read_section, split_sections
from miyabi import daemon_script
from miyabi.daemon import Daemon, ours, standing
from miyabi.shell import HOST_ENVIRONMENT
from miyabi.spec import McpServer
from tests.facts.hosts import INSTALLED_SHELLS, POSIX_TOOLS, SHELLS, PretendedHost
from tests.fleet.machine import Finished, Machine
from tests.fleet.processes import alive, environment_of
from tests.fleet.waiting import wait_until
from tests.upkeep.servers import some_number

_SLEEP = f"sleep {some_number()}"
SERVER = McpServer("kaede", f"exec {_SLEEP}", match=_SLEEP, environment=(("TOKEN", "it's $HOME"),))

every_shell = pytest.mark.parametrize("shell", INSTALLED_SHELLS)


def run(machine: Machine, shell: str, script: str, stdin: str = "") -> Finished:
    done = machine.run(*SHELLS[shell], "-c", script, stdin=stdin)
    assert "rror" not in done.stderr, done.stderr
    return done


def look(machine: Machine, shell: str, server: McpServer = SERVER) -> Daemon:
    section = daemons_section(server.name, server.match, server.port)
    return read_section(section, split_sections(run(machine, shell, probe_script([section])).stdout.splitlines()))


@every_shell
def test_look_start_look_end(machine: Machine, shell: str) -> None:
    assert standing(look(machine, shell), match=SERVER.match, port=None) == "down"
    done = run(machine, shell, daemon_script.start_script(SERVER, None), daemon_script.exports(SERVER.environment))
    assert done.stdout == "started\n", done.output
    seen = look(machine, shell)
    assert standing(seen, match=SERVER.match, port=None) == "up"
    [process] = ours(seen)
    assert environment_of(process.pid)["TOKEN"] == f"it's {machine.home}"
    assert os.getsid(process.pid) == process.pid
    # What another run has started meanwhile is not started again.
    again = run(machine, shell, daemon_script.start_script(SERVER, None))
    assert again.stdout == "meanwhile\n"
    assert run(machine, shell, daemon_script.end_script("kaede", [process])).code == 0
    assert not alive(process.pid)
    assert standing(look(machine, shell), match=SERVER.match, port=None) == "down"


@every_shell
def test_adopt_and_reap(machine: Machine, shell: str) -> None:
    match = f"sleep {some_number()}"
    machine.sh(f"setsid -f {match} >/dev/null 2>&1")
    server = McpServer("kaede", "true", match=match)
    [seen] = wait_until(lambda: look(machine, shell, server).processes)
    assert seen.mark is not None
    assert run(machine, shell, daemon_script.adopt_script("kaede", None, seen.pid, seen.mark)).code == 0
    assert ours(look(machine, shell, server)) == (seen,)
    assert run(machine, shell, daemon_script.reap_script("kaede", [seen], match, {1})).code == 0
    assert not alive(seen.pid)


@pytest.mark.parametrize("detacher", ["perl", "python3", "setsid", ""])
def test_every_way_to_detach(machine: Machine, tmp_path: Path, detacher: str) -> None:
    """Where setsid has no -f, as busybox's, the next best is taken; last of all, SIGHUP is ignored."""
    host = PretendedHost.build(
        tmp_path, {*POSIX_TOOLS, "mkdir", "chmod", "ln", "mv", "rm", "wc", "readlink", "sed", detacher} - {""}
    )
    if detacher == "setsid":
        host.tool("setsid", script='case $1 in -f) exit 1;; esac; exec /usr/bin/setsid "$@"')
    # The folders that every host has would have them all.
    start = daemon_script.start_script(SERVER, None).replace(HOST_ENVIRONMENT, f"PATH={tmp_path}/bin")
    done = machine.sh(start)
    assert done.stdout == "started\n", done.output
    [process] = ours(look(machine, "dash"))
    assert (os.getsid(process.pid) == process.pid) == bool(detacher)
    assert alive(process.pid)


def test_a_scope_of_the_users_own_manager_is_used_where_it_outlives_the_login(machine: Machine) -> None:
    """With KillUserProcesses a new session alone would not do; this systemd is pretended."""
    folder = machine.root / "bin"
    folder.mkdir()
    noting = f'#!/bin/sh\necho "$*" >>{machine.root}/noted\nshift 4\nexec "$@"\n'
    (folder / "systemd-run").write_text(noting)
    (folder / "systemd-run").chmod(0o755)
    linger = machine.root / "linger"
    linger.mkdir()
    runtime = machine.root / "run"
    (runtime / "systemd").mkdir(parents=True)
    machine.environment.update(PATH=f"{folder}:{machine.environment['PATH']}", XDG_RUNTIME_DIR=str(runtime))
    script = daemon_script.start_script(SERVER, None).replace("/var/lib/systemd/linger", str(linger))
    script = script.replace('[ -S "$runtime', '[ -e "$runtime')
    (runtime / "systemd/private").touch()
    assert machine.sh(script).stdout == "started\n"
    assert not (machine.root / "noted").exists()
    [process] = ours(look(machine, "dash"))
    machine.sh(daemon_script.end_script("kaede", [process]))
    (linger / machine.environment["USER"]).touch()
    machine.sh("rm ~/.local/state/miyabi/processes/kaede")
    assert machine.sh(script).stdout == "started\n"
    assert "setsid -f sh -c" in (machine.root / "noted").read_text()
    assert len(ours(look(machine, "dash"))) == 1


@every_shell
def test_without_proc_ps_tells(machine: Machine, tmp_path: Path, shell: str) -> None:
    """As on macOS: marks and ages come from `ps`, the port is asked by a connection."""
    number = some_number()
    started = subprocess.Popen(["/bin/sleep", str(number)], env=machine.environment, start_new_session=True)
    host = PretendedHost.build(tmp_path, {*POSIX_TOOLS, "python3", "timeout"})
    host.environment["HOME"] = str(machine.home)
    section = daemons_section("kaede", f"sleep {number}", 1)
    seen = host.ask(section, shell)
    assert seen.listening is False
    [process] = seen.processes
    assert process.pid == process.group == started.pid
    assert process.mark is not None
    assert process.mark.count("_") == 4
    assert process.age is not None
    assert 0 <= process.age < 30
    record = machine.home / ".local/state/miyabi/processes/kaede"
    record.parent.mkdir(parents=True)
    record.write_text(f"{process.pid} {process.mark}\n")
    assert [each.pid for each in ours(host.ask(section, shell))] == [process.pid]
    record.write_text(f"{process.pid} Thu_Jan_1_00:00:00_1970\n")
    assert ours(host.ask(section, shell)) == ()
    born = daemon_script.end_script("kaede", [process]).replace("/proc/", f"{tmp_path}/proc/")
    assert machine.sh(born).code == 0
    assert started.wait(10) != 0


def test_a_log_is_started_over_when_it_is_large(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(daemon_script, "LOG_SIZE", 1000)
    log = machine.home / ".local/state/miyabi/logs/kaede.log"
    log.parent.mkdir(parents=True)
    log.write_text("x" * 900)
    machine.sh(daemon_script.start_script(SERVER, None))
    assert log.read_text().startswith("x" * 900 + "## started at ")
    log.write_text("x" * 1100)
    [process] = ours(look(machine, "dash"))
    machine.sh(daemon_script.start_script(SERVER, (process.pid, process.mark or "")))
    assert log.read_text().startswith("## started at ")


def test_a_full_disk_keeps_no_server_from_starting(machine: Machine) -> None:
    """A folder where the record and the log should be stands for a disk that takes neither."""
    for name in ("processes/kaede", "logs/kaede.log"):
        (machine.home / ".local/state/miyabi" / name).mkdir(parents=True)
    done = machine.sh(daemon_script.start_script(SERVER, None))
    assert done.code == 0, shlex.quote(done.output)
    wait_until(lambda: look(machine, "dash").processes, what="the server")
