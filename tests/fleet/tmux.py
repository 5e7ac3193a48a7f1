"""A private tmux server: its own socket, its own configuration, and an end that leaves nothing."""

from __future__ import annotations

import os
import socket
import struct
from dataclasses import dataclass
from pathlib import Path

import libtmux

from tests.fleet import processes
from tests.fleet.machine import Machine

# Where Linux and macOS keep the pid of a unix socket's peer: (level, option, format of the answer, index of the pid).
_LINUX_PEER = (socket.SOL_SOCKET, getattr(socket, "SO_PEERCRED", 17), "3i", 0)
_MACOS_PEER = (0, 2, "i", 0)


@dataclass(frozen=True, slots=True)
class TmuxServer:
    """A machine's tmux server, which may or may not run yet.

    + machine: where it runs: its HOME, where ``.tmux.conf`` may be, and its environment
    """

    machine: Machine

    @property
    def socket_path(self) -> Path:
        """Where tmux puts the socket of its default server."""
        return self.machine.root / "tmux" / f"tmux-{os.getuid()}" / "default"

    @property
    def libtmux(self) -> libtmux.Server:
        """The server as libtmux sees it: an eye that shares no code with ours. Start the server with ``start``."""
        return libtmux.Server(socket_path=self.socket_path)

    def configure(self, text: str) -> None:
        """Write ``~/.tmux.conf``; the next server to start reads it."""
        (self.machine.home / ".tmux.conf").write_text(text)

    def run(self, *arguments: str, check: bool = True, timeout: float = 20.0) -> str:
        """What ``tmux ARGUMENTS`` prints, stderr included; it must exit with 0 unless ``check`` is off."""
        done = self.machine.run("tmux", *arguments, timeout=timeout)
        assert not check or done.code == 0, f"tmux {arguments}: {done.output}"
        return done.output.rstrip("\n")

    def start(self, session: str = "main", *command: str) -> None:
        """Start the server with one detached session of 200 x 50, running ``command`` or the default shell."""
        self.run("new-session", "-d", "-x", "200", "-y", "50", "-s", session, *command)

    def pid(self) -> int | None:
        """The pid of the server, asked of the kernel and not of tmux: it is right for a stopped server, too."""
        level, option, form, index = _LINUX_PEER if hasattr(socket, "SO_PEERCRED") else _MACOS_PEER
        with socket.socket(socket.AF_UNIX) as client:
            try:
                client.connect(str(self.socket_path))
                answer = client.getsockopt(level, option, struct.calcsize(form))
            except OSError:
                return None
        return int(struct.unpack(form, answer)[index])

    def processes(self) -> set[int]:
        """The server and everything below it."""
        pid = self.pid()
        return set() if pid is None else {pid} | processes.descendants([pid])

    def stop(self) -> None:
        """End the server and everything below it by their pids, and remove the socket."""
        processes.end_all(self.processes)
        self.socket_path.unlink(missing_ok=True)
