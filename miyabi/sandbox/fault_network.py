"""Faults of the way to a host: a slow network, a host that is away."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from miyabi.sandbox import hosts, programs
from miyabi.sandbox.fleet import Sandbox, SandboxError, SandboxHost
from miyabi.sandbox.inside import run_on
from miyabi.sandbox.lifecycle import answers, free_port
from miyabi.sandbox.processes import arguments_of, end, name_of, processes_of, wait_for

_RELAY = Path(__file__).parent / "relay.py"

# How long each byte takes, each way.
DELAY_MILLISECONDS = 150


def slow_down(sandbox: Sandbox, host: SandboxHost) -> str:
    """Put a relay in front of the way in, that keeps each byte for a while; the way in itself moves to another port."""
    said = f"each byte to and from {host.name} takes {DELAY_MILLISECONDS} ms longer"
    if host.way_in == host.port:
        raise SandboxError(f"slow-network is not to be had on {host.name}: it has no way in beside its sshd")
    if relays_of(sandbox, host):
        return f"{said} already"
    if not answers(host, host.way_in):
        raise SandboxError(f"{host.name} is out of reach: miyabi sandbox mend offline {host.name}")
    _end_way_in(sandbox, host)
    behind = free_port()
    run_on(host, f"{host.inside(host.etc)}/way-in -p {behind}")
    words = [str(_RELAY), host.address, str(host.way_in), str(behind), str(DELAY_MILLISECONDS)]
    relay = subprocess.Popen(  # noqa: S603 - our own
        [programs.python(), "-I", *words],
        env=hosts.environment(host, sandbox.folder) | {"PATH": os.defpath},
        cwd="/",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    relay.returncode = 0  # it outlives this program
    wait_for(lambda: answers(host, host.way_in, 5), 15, f"the slow way to {host.name} does not come up")
    return said


def speed_up(sandbox: Sandbox, host: SandboxHost) -> str:
    """Take the relay away."""
    relays = relays_of(sandbox, host)
    end(relays)
    if relays:
        _end_way_in(sandbox, host)
        run_on(host, f"{host.inside(host.etc)}/way-in")
        wait_for(lambda: answers(host, host.way_in), 15, f"the way to {host.name} does not come up")
    return f"the network to {host.name} is as fast as before"


def relays_of(sandbox: Sandbox, host: SandboxHost) -> set[int]:
    """The relays in front of the host."""
    return {pid for pid in processes_of(sandbox.folder, host.name) if str(_RELAY) in arguments_of(pid)}


def _end_way_in(sandbox: Sandbox, host: SandboxHost) -> None:
    lines = {pid: " ".join(arguments_of(pid)) for pid in processes_of(sandbox.folder, host.name)}
    end(pid for pid, line in lines.items() if "way_in_config" in line and name_of(pid).startswith("sshd"))


def go_away(sandbox: Sandbox, host: SandboxHost) -> str:
    """End every sshd of the host: nobody reaches it; what runs in tmux goes on."""
    speed_up(sandbox, host)
    for _ in range(3):
        found = processes_of(sandbox.folder, host.name)
        doors = {pid for pid in found if name_of(pid).startswith(("sshd", "runsv"))}
        end(doors | {pid for pid in found if any(word.endswith("launchd.py") for word in arguments_of(pid))})
    wait_for(lambda: not answers(host, host.way_in) and not answers(host, host.port), 10, f"{host.name} still answers")
    return f"{host.name} is out of reach"


def come_back(sandbox: Sandbox, host: SandboxHost) -> str:
    """Start what ``go_away`` has ended."""
    del sandbox
    if not answers(host, host.way_in):
        run_on(host, f"sh {host.inside(host.etc)}/services >/dev/null 2>&1")
    wait_for(lambda: answers(host, host.way_in), 15, f"{host.name} does not come back")
    return f"{host.name} can be reached"
