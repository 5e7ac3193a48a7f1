"""A human at a terminal: a tmux client on a pseudo-terminal of its own."""

from __future__ import annotations

import fcntl
import os
import pty
import shutil
import struct
import subprocess
import termios
from collections.abc import Iterator
from contextlib import contextmanager

from tests.fleet.tmux import TmuxServer
from tests.fleet.waiting import wait_until


@contextmanager
def attached(tmux: TmuxServer, session: str, columns: int = 120, rows: int = 40) -> Iterator[str]:
    """Attach a client of that size to ``session``; the value is the name of the client's terminal."""
    program = shutil.which("tmux", path=tmux.machine.environment["PATH"])
    assert program is not None
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    name = os.ttyname(theirs)
    # What the client draws is never read: a terminal that is that slow must not hold up anybody either.
    client = subprocess.Popen(
        [program, "attach-session", "-t", f"={session}"],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=tmux.machine.environment,
        start_new_session=True,
    )
    os.close(theirs)
    try:
        wait_until(lambda: name in tmux.run("list-clients", "-F", "#{client_tty}"), what="the client is attached")
        yield name
    finally:
        client.kill()
        client.wait()
        os.close(ours)


def view(tmux: TmuxServer, client: str) -> str:
    """What a client looks at: session, window, pane, and whether that is zoomed."""
    shown = "#{client_tty} #{session_name} #{window_id} #{pane_id} #{window_zoomed_flag}"
    [found] = [line for line in tmux.run("list-clients", "-F", shown).splitlines() if line.startswith(f"{client} ")]
    return found
