"""Hosts whose sshd a test may break: a real sshd behind what starts it on each platform."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tests.fleet import processes
from tests.fleet.control import Fleet
from tests.fleet.machine import Machine
from tests.fleet.programs import required
from tests.fleet.sshd import SshHost, sshd_program
from tests.fleet.waiting import wait_until

# As in termux-services: the daemon outlives whoever starts it.
_SERVICE_DAEMON = """#!/bin/sh
echo "$*" >>"$PREFIX/service-daemon.log"
[ -n "$SVDIR" ] && [ -n "$LOGDIR" ] || exit 1
setsid runsvdir "$SVDIR" </dev/null >/dev/null 2>&1 &
"""


@dataclass(frozen=True, slots=True)
class Ground:
    """A host of a fleet that ``sshd`` on its PATH would serve on ``port``; nobody does yet."""

    host: SshHost
    programs: Path

    @classmethod
    def build(cls, fleet: Fleet, name: str = "mugen", **variables: str) -> Ground:
        """A host without a listener; its fleet's ``ssh`` would find it as soon as one answers."""
        host = fleet.add(name)
        host.stop_sshd()
        programs = host.machine.root / "bin"
        programs.mkdir()
        machine = host.machine
        machine.environment.update({"PATH": f"{programs}:{machine.environment['PATH']}"} | variables)
        host._write_configuration(host.port)
        ground = cls(host, programs)
        # The daemon's own log would keep a session's output open: it goes nowhere.
        ground.program("sshd", f'exec {sshd_program()} -f {machine.root}/sshd_config "$@"')
        # What could reach this machine's own sshd does nothing until a test gives it something to do.
        for each in ("systemctl", "service", "rc-service", "launchctl", "service-daemon"):
            ground.program(each, "exit 97")
        return ground

    @property
    def machine(self) -> Machine:
        """The pretended machine."""
        return self.host.machine

    @property
    def port(self) -> int:
        """Where its sshd listens when there is one."""
        return self.host.port

    def program(self, name: str, script: str) -> None:
        """Give it a program that is a piece of shell."""
        path = self.programs / name
        path.unlink(missing_ok=True)
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def listeners(self) -> set[int]:
        """The pids of its listening sshds."""
        # sshd writes its title over its environment, so that what marks other processes is not to be found there.
        configuration = f"{self.machine.root}/sshd_config"
        lines = {pid: processes.command_line_of(pid) for pid in processes.all_processes()}
        return {pid for pid, line in lines.items() if configuration in line and "[listener]" in line}

    def stop(self) -> None:
        """End what supervises, and every listener."""
        self.host.stop()
        processes.end_all(self.listeners)

    def calls(self, name: str) -> list[str]:
        """What a program that was made by ``recording`` was called with."""
        path = self.machine.root / f"{name}.calls"
        return path.read_text().splitlines() if path.exists() else []

    def recording(self, name: str, script: str) -> None:
        """Give it a program that notes how it was called before it runs ``script``."""
        self.program(name, f'echo "$*" >>{self.machine.root}/{name}.calls\n{script}')


def phone(fleet: Fleet) -> Ground:
    """Termux with runit: sshd is a service, and its ``down`` file is there as the package ships it."""
    for program in ("runsvdir", "runsv", "sv"):
        required(program)
    ground = Ground.build(fleet, "pixel")
    prefix = ground.machine.root / "data/data/com.termux/files/usr"
    ground.machine.environment["PREFIX"] = str(prefix)
    ground.host._write_configuration(ground.port)
    service = prefix / "var/service/sshd"
    (service / "log").mkdir(parents=True)
    run(service, "exec sshd -D -e 2>&1")
    run(service / "log", f"exec cat >>{ground.machine.root}/service.log")
    (service / "down").touch()
    (ground.programs / "service-daemon").write_text(_SERVICE_DAEMON)
    return ground


def service_of(ground: Ground) -> Path:
    """The folder of the phone's sshd service."""
    return Path(ground.machine.environment["PREFIX"]) / "var/service/sshd"


def run(service: Path, script: str) -> None:
    """Write what a service runs."""
    path = service / "run"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def supervise(ground: Ground) -> None:
    """Start runsvdir, as Termux does at login."""
    assert ground.machine.sh("SVDIR=$PREFIX/var/service LOGDIR=$PREFIX/var/log service-daemon start").code == 0
    wait_until(lambda: status(ground).startswith(("down: ", "run: ")), what="runsv")


def status(ground: Ground) -> str:
    """What ``sv status sshd`` says."""
    return ground.machine.sh("SVDIR=$PREFIX/var/service sv status sshd").output
