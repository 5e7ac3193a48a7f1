"""imitation of launchd for the sandbox: it holds sshd's port, and starts a real sshd for each connection.

Usage: launchd.py ADDRESS PORT FILE SSHD [ARGUMENT]...; it listens while FILE is there.
"""

import contextlib
import select
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path


def listener(address: str, port: int) -> socket.socket:
    """The open port."""
    opened = socket.socket()
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    opened.bind((address, port))
    opened.listen()
    return opened


def serve(opened: socket.socket, command: list[str]) -> None:
    """Hand the next connection, if there is one within a moment, to a new sshd."""
    if select.select([opened], [], [], 0.1)[0]:
        connection, _ = opened.accept()
        with connection:
            end = connection.fileno()
            subprocess.Popen(command, stdin=end, stdout=end, stderr=subprocess.DEVNULL)  # noqa: S603


def main(address: str, port: str, file: str, *command: str) -> None:
    """Serve for ever."""
    # Children that nobody waits for leave no zombies.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    opened: socket.socket | None = None
    while True:
        if not Path(file).exists():
            if opened is not None:
                opened.close()
                opened = None
            time.sleep(0.1)
        elif opened is None:
            with contextlib.suppress(OSError):
                opened = listener(address, int(port))
        else:
            serve(opened, list(command))


if __name__ == "__main__":
    main(*sys.argv[1:])
