"""Small real servers, and what is seen of them."""

from __future__ import annotations

import os
import shlex
import shutil
import socket
import subprocess
import sys
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from facts.daemons import daemons_section
from facts.probe import probe_script, read_section, split_sections
from miyabi.daemon import Daemon, serving
from operations import bring_up, processes
from tests.fleet.machine import Machine
from tests.recovery.operating import Operated, operate

# Listens on the port that is its argument, and ends when it is told to.
SERVER = """import socket, sys, time
listening = socket.create_server(("127.0.0.1", int(sys.argv[1])))
print("listening", flush=True)
while True: listening.accept()[0].close()
"""


_NUMBERS = count(os.getpid() * 1000)


def some_number() -> int:
    """A number that no other test uses: every machine sees the processes of all tests that run at this time."""
    return next(_NUMBERS)


def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait less between the tries and for their outcome."""
    monkeypatch.setattr(bring_up, "_WAIT", 0.01)
    monkeypatch.setattr(bring_up, "_SETTLE", 0.2)
    monkeypatch.setattr(bring_up, "_PATIENCE", 3.0)


def arguments_for(machine: Machine, name: str = "kaede-mcp") -> dict[str, Any]:
    (machine.home / f"{name}.py").write_text(SERVER)
    port = free_port()
    start = f"exec {shlex.quote(sys.executable)} ~/{name}.py {port}"
    return {"process": name, "start": start, "match": f"{name}.py {port}", "port": port}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def look(machine: Machine, server: dict[str, Any]) -> Daemon:
    section = daemons_section(server["process"], server.get("match"), server.get("port"))
    return read_section(section, split_sections(machine.sh(probe_script([section])).stdout.splitlines()))


def pids(machine: Machine, server: dict[str, Any]) -> list[int]:
    return [each.pid for each in serving(look(machine, server), server.get("match"))]


def keep_up(machine: Machine, server: dict[str, Any], **more: Any) -> Operated:
    return operate(machine, processes.running, **server, **more)


def begin(machine: Machine, *words: str, folder: Path | None = None) -> subprocess.Popen[bytes]:
    """A process on the machine that is this test's child."""
    program = shutil.which(words[0], path=machine.environment["PATH"])
    assert program is not None
    quiet = subprocess.DEVNULL
    return subprocess.Popen(
        [program, *words[1:]], env=machine.environment, cwd=folder, stdin=quiet, stdout=quiet, stderr=quiet
    )


def stop(*started: subprocess.Popen[bytes]) -> None:
    for each in started:
        each.kill()
        each.wait()


def sleeping(server: dict[str, Any]) -> list[str]:
    """A command that looks like the server's and does nothing."""
    return [sys.executable, "-c", "import time; time.sleep(600)", *server["match"].split()]
