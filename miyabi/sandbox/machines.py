"""The machines behind the instances of the sandbox's cloud: its hosts, whose power is really switched.

They live in the process of the cloud, which switches them when EC2 is told to, looks at them as EC2's checks do, and
writes them down for everybody else.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import shutil
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from miyabi.sandbox import hosts, lifecycle, specs
from miyabi.sandbox.cloud_files import read_object, write_object
from miyabi.sandbox.cloud_rules import passing
from miyabi.sandbox.fleet import CLOUD_NAMES, Sandbox, SandboxError, SandboxHost
from miyabi.sandbox.inside import run_on
from miyabi.sandbox.machine import Machine, agent_of, is_broken, look
from miyabi.sandbox.machine_console import console_text
from miyabi.sandbox.processes import end_all, processes_of

# Seconds: how long a machine boots, a stop takes, a check must fail before EC2 says so, and EC2 looks at a machine that
# has just booted; cloud/settings.json may say otherwise. A new one boots faster: nobody learns anything by waiting.
SECONDS = {"boot": 3.0, "stop": 1.0, "check": 3.0, "initializing": 2.0}
_FIRST_BOOT = 0.5

_LOOK = 0.2
_LONGEST_BOOT = 20


@dataclass(slots=True)
class SandboxMachines:
    """All of them.

    + folder: of the sandbox
    + port: of the sshd of each
    """

    folder: Path
    port: int
    _machines: dict[str, Machine] = field(default_factory=dict)
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def _seconds(self, what: str) -> float:
        return float(read_object(self.folder / "cloud" / "settings.json").get(what, SECONDS[what]))

    def told(self, instance_id: str) -> Mapping[str, Any]:
        """What is true of an instance, in the words of ``cloud_picture``."""
        machine = self._machines.get(instance_id)
        if machine is None:
            return {}
        now = time.monotonic()
        told: dict[str, Any] = {"power": machine.power, "elastic": machine.is_fixed, "agent": agent_of(machine)}
        has_address = machine.power in {"pending", "running", "stopping"} or machine.is_fixed
        told["public_address"] = machine.host.address if machine.host and has_address else ""
        since = [at for at in (machine.broken_at, machine.lost_at) if at is not None]
        if since:
            told["impaired_since"] = time.time() - (now - min(since))
        if machine.power != "running":
            return told
        for name, at in (("system", machine.broken_at), ("computer", machine.lost_at)):
            told[name] = "impaired" if at is not None and now - at >= self._seconds("check") else "ok"
        if machine.boots or now - machine.ready_at < self._seconds("initializing"):
            told["computer"] = "initializing"
            told["system"] = told["system"] if told["system"] == "impaired" else "initializing"
        if machine.host:
            told["console"] = console_text(machine.host, machine.instance_id)
        return told

    def done(self, action: str, instance_id: str) -> None:
        """EC2 has accepted an action: carry it out, and answer before it is."""
        machine = self._machines.get(instance_id)
        acts = {
            "RebootInstances": self._reboot,
            "StartInstances": self._start,
            "StopInstances": self._stop,
            "TerminateInstances": self._terminate,
        }
        if machine is None or action not in acts:
            return
        power = passing(action, machine.power)
        if action != "RebootInstances" and power == machine.power:
            return
        machine.power = power
        if action in {"RebootInstances", "StartInstances"}:
            machine.boots, machine.lost_at = True, None
        self._note(machine)
        self._begin(machine, acts[action])

    def launched(self, instance_id: str, name: str, region: str) -> None:
        """A new instance: its tag ``Name`` says which host it is; a host of that name is replaced by a fresh one."""
        if name not in CLOUD_NAMES:
            return
        with self._lock:
            for earlier in self._machines.values():
                if earlier.name == name:
                    self._give_up(earlier)
            machine = Machine(instance_id, name, region, None, next(self._numbers))
            self._machines[instance_id] = machine
        self._note(machine)
        self._begin(machine, self._make)

    def run(self, instance_id: str, script: str, seconds: float) -> Mapping[str, Any]:
        """Run a script on an instance as root."""
        machine = self._machines.get(instance_id)
        if machine is None or machine.host is None:
            return {}
        # The hosts share 127.0.0.1, so none of their sshds answers there, as it would on a machine of its own.
        address, port = machine.host.address, machine.host.port
        own = {"SSH_CONNECTION": f"{address} 1 {address} {port}"}
        try:
            done = run_on(machine.host, script, check=False, seconds=seconds, environment=own)
        except SandboxError as error:
            return {"status": "TimedOut", "code": -1, "error": str(error)}
        return {"code": done.returncode, "output": done.stdout, "error": done.stderr}

    def watch(self) -> None:
        """Look at all of them for ever, as EC2's checks do."""
        while True:
            for machine in list(self._machines.values()):
                look(machine, self.folder)
            time.sleep(_LOOK)

    def _begin(self, machine: Machine, act: Callable[[Machine], None]) -> None:
        def one_after_the_other() -> None:
            with machine.lock:
                try:
                    act(machine)
                except (OSError, SandboxError) as error:
                    with (self.folder / "cloud" / "trouble").open("a") as trouble:
                        trouble.write(f"{machine.name}: {error}\n")
                self._note(machine)

        threading.Thread(target=one_after_the_other, daemon=True).start()

    def _note(self, machine: Machine) -> None:
        with self._lock:
            self._write(machine)

    def _write(self, machine: Machine) -> None:
        rows = self.folder / "cloud" / "machines"
        rows.mkdir(exist_ok=True)
        write_object(rows / f"{machine.instance_id}.json", machine.row())

    def _make(self, machine: Machine) -> None:
        """Build the host, and boot it."""
        place = self.folder / "hosts" / machine.name
        if place.exists():
            shutil.rmtree(place)
        host = SandboxHost(
            machine.name,
            place,
            isolated=True,
            address=_address(),
            port=self.port,
            way_in=self.port,
            mcp_port=0,
            user="ec2-user",
        )
        hosts.build(host, self.folder, (self.folder / "key.pub").read_text())
        machine.host = host
        self._tell_the_way(machine)
        self._boot(machine, _FIRST_BOOT)

    def _tell_the_way(self, machine: Machine) -> None:
        """Let everybody find the host where it is now, with the key that it has."""
        self._note(machine)
        # As long as the sandbox is being brought up, nobody is told anything.
        if (sandbox := Sandbox.load(self.folder)) is not None:
            specs.write_ways(sandbox)

    def _boot(self, machine: Machine, seconds: float | None = None) -> None:
        """Boot the host, unless the hardware below it is broken: then nothing comes up."""
        host = machine.host
        if host is None:
            return
        (host.outside(host.etc) / "boot_id").write_text(f"{uuid.uuid4()}\n")
        machine.power = "running"
        self._note(machine)
        time.sleep(self._seconds("boot") if seconds is None else seconds)
        if not is_broken(machine, self.folder):
            lifecycle.boot(host, self.folder)
            until = time.monotonic() + _LONGEST_BOOT
            while not lifecycle.answers(host, host.port) and time.monotonic() < until:
                time.sleep(0.05)
        machine.ready_at, machine.boots = time.monotonic(), False

    def _reboot(self, machine: Machine) -> None:
        self._end(machine)
        self._boot(machine)

    def _stop(self, machine: Machine) -> None:
        self._switch_off(machine, "stopped")

    def _terminate(self, machine: Machine) -> None:
        self._switch_off(machine, "terminated")

    def _switch_off(self, machine: Machine, power: str) -> None:
        self._end(machine)
        time.sleep(self._seconds("stop"))
        machine.power, machine.lost_at, machine.broken_at = power, None, None

    def _start(self, machine: Machine) -> None:
        """It is started on other hardware, and with another address unless that is fixed; its disk is the same."""
        machine.hardware = next(self._numbers)
        if machine.host and not machine.is_fixed:
            machine.host = replace(machine.host, address=_address())
            hosts.write_sshd_configs(machine.host, self.folder)
            self._tell_the_way(machine)
        self._boot(machine)

    def _give_up(self, machine: Machine) -> None:
        """Another instance takes the host's place: what ran in it ends."""
        self._end(machine)
        machine.host = None
        self._write(machine)

    def _end(self, machine: Machine) -> None:
        """As when the power goes."""
        if machine.host is None:
            return
        name = machine.host.name
        pid = lifecycle.boot_pid(machine.host)
        end_all(lambda: processes_of(self.folder, name))
        with contextlib.suppress(OSError):
            machine.host.boot_pid_file.unlink()
        if pid is not None:
            # It was a child of this process.
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)


def machines_of(folder: Path) -> SandboxMachines:
    """The machines of the sandbox in ``folder``, and somebody who looks at them."""
    machines = SandboxMachines(folder, lifecycle.free_port())
    threading.Thread(target=machines.watch, daemon=True).start()
    return machines


def _address() -> str:
    chance = random.SystemRandom()
    return ".".join(["127", *(str(chance.randint(1, 254)) for _ in range(3))])
