"""A host of the fleet: a pretended machine behind a real sshd that listens on the loopback address only."""

from __future__ import annotations

import functools
import os
import re
import shlex
import shutil
import socket
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from tests.fleet import processes
from tests.fleet.leaks import TestRun
from tests.fleet.machine import Machine, user_name
from tests.fleet.tmux import TmuxServer
from tests.fleet.waiting import wait_until

_CONFIGURATION = """\
ListenAddress 127.0.0.1
Port {port}
HostKey {root}/host_key
AuthorizedKeysFile {root}/authorized_keys
PidFile none
UsePAM no
StrictModes no
PermitRootLogin yes
PasswordAuthentication no
KbdInteractiveAuthentication no
UseDNS no
PrintMotd no
PrintLastLog no
MaxStartups 500:30:1000
MaxSessions 100
LogLevel VERBOSE
Subsystem sftp {sftp_server}
SetEnv {environment}
ForceCommand {root}/session
"""

# sshd starts a session in the password file's home, with that file's shell: neither is the pretended machine's.
_SESSION = """\
#!/bin/sh
cd "$HOME" || exit 1
if [ -z "$SSH_ORIGINAL_COMMAND" ]; then exec {shell} -l; fi
exec {shell} -c "$SSH_ORIGINAL_COMMAND"
"""


@dataclass(slots=True)
class SshHost:
    """A host that is reached through ssh.

    + machine: its HOME, its environment
    + tmux: its tmux server
    + port: where its sshd listens, on 127.0.0.1; it stays the same over ``stop_sshd`` and ``start_sshd``
    """

    machine: Machine
    tmux: TmuxServer
    port: int = 0
    _sshd: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @classmethod
    def build(cls, run: TestRun, name: str, public_key: str, login_shell: str = "/bin/sh", **variables: str) -> SshHost:
        """A new host with its sshd running.

        + public_key: who may log in, a line of ``authorized_keys``
        + login_shell: its login shell, with arguments if need be, such as ``busybox sh``
        + variables: what differs in its environment, such as ``PATH``
        """
        program = shlex.split(login_shell)[0]
        machine = Machine.build(run, name, {"SHELL": shutil.which(program) or program} | variables)
        (machine.root / "authorized_keys").write_text(public_key)
        session = machine.root / "session"
        session.write_text(_SESSION.format(shell=login_shell))
        session.chmod(0o755)
        make_key(machine.root / "host_key")
        host = cls(machine, TmuxServer(machine))
        host.start_sshd()
        return host

    @property
    def name(self) -> str:
        """What the fleet calls it: its alias in the ssh configuration."""
        return self.machine.name

    @property
    def home(self) -> Path:
        """Its HOME."""
        return self.machine.home

    @property
    def known_hosts_line(self) -> str:
        """The line for it in ``known_hosts``."""
        key = (self.machine.root / "host_key.pub").read_text().split()
        return f"[127.0.0.1]:{self.port} {key[0]} {key[1]}\n"

    def start_sshd(self) -> None:
        """Start its sshd; it answers when this returns."""
        for _ in range(5):
            # Somebody may take a free port before sshd does: then the next one.
            port = self.port or _free_port()
            if self._start_sshd_on(port):
                self.port = port
                return
        raise AssertionError(f"sshd doesn't start:\n{self.sshd_log()}")

    def _start_sshd_on(self, port: int) -> bool:
        """Start sshd on ``port``; False when it ends instead of listening."""
        root = self.machine.root
        logged = len(self.sshd_log())
        self._write_configuration(port)
        sshd = self._sshd = subprocess.Popen(
            [sshd_program(), "-D", "-f", str(root / "sshd_config"), "-E", str(root / "sshd.log")],
            env=self.machine.environment,
            cwd=root,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        # Its word and not the port's, which may be another's.
        listening = f"listening on 127.0.0.1 port {port}."
        wait_until(lambda: listening in self.sshd_log()[logged:] or sshd.poll() is not None, what="sshd")
        return sshd.poll() is None

    def _write_configuration(self, port: int) -> None:
        root = self.machine.root
        pairs = (f'"{name}={value}"' for name, value in self.machine.environment.items())
        settings = {"port": port, "root": root, "sftp_server": _sftp_server(), "environment": " ".join(pairs)}
        text = _CONFIGURATION.format_map(settings)
        # From 9.8 on, sshd shuts out addresses that fail to log in: here that would be everybody.
        penalties = "PerSourcePenalties no\n" if _sshd_version() >= (9, 8) else ""
        (root / "sshd_config").write_text(text + penalties)

    def sshd_log(self) -> str:
        """What its sshd has logged."""
        log = self.machine.root / "sshd.log"
        return log.read_text(errors="replace") if log.exists() else ""

    def stop_sshd(self) -> None:
        """End its sshd and every connection; what the sessions have detached goes on."""
        if self._sshd is None:
            return
        listener = self._sshd.pid
        # Only sshd's own processes: a tmux server that a session has started is no child of sshd any more.
        processes.end_all(
            lambda: {pid for pid in (listener, *processes.descendants([listener])) if processes.alive(pid)}
        )
        self._sshd.wait()
        self._sshd = None

    def stop(self) -> None:
        """Switch the host off: sshd, tmux and everything that runs there. Its files stay."""
        self.stop_sshd()
        self.tmux.stop()
        self.machine.stop()

    def remove(self) -> None:
        """Switch the host off and remove its files."""
        self.stop()
        self.machine.remove()


def make_key(path: Path) -> None:
    """Make an ed25519 key at ``path``, and its public half beside it."""
    subprocess.run(
        [_program("ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-C", user_name(), "-f", str(path)],
        check=True,
        stdin=subprocess.DEVNULL,
        timeout=30,
    )


@functools.cache
def sshd_program() -> str:
    """The path of sshd, which insists on being started by its whole path."""
    return _program("sshd")


def _program(name: str) -> str:
    found = shutil.which(name, path=f"{os.environ['PATH']}:/usr/local/sbin:/usr/sbin")
    assert found is not None, f"{name} is not installed: apt-get install openssh-server"
    return found


@functools.cache
def _sshd_version() -> tuple[int, int]:
    done = subprocess.run([sshd_program(), "-V"], capture_output=True, text=True, check=False, timeout=10)
    match = re.search(r"OpenSSH_(\d+)\.(\d+)", done.stderr + done.stdout)
    assert match is not None, f"which sshd is this? {done.stderr}"
    return int(match[1]), int(match[2])


def _sftp_server() -> str:
    usual = ("/usr/lib/openssh/sftp-server", "/usr/libexec/sftp-server", "/usr/lib/ssh/sftp-server")
    return next((path for path in usual if Path(path).exists()), "internal-sftp")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
