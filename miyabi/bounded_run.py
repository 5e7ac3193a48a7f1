"""A program that runs for a limited time, in a process group of its own, with its output kept."""

from __future__ import annotations

import contextlib
import os
import selectors
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from miyabi.single_flight import elapsed, end_group, identity_of

# What is kept of the output in memory, for its last table, and in the log: bytes.
_TAIL = 256 * 1024
_LONGEST_LOG = 16 * 1024 * 1024

# Seconds between two looks at the clock: so much after waking a machine notices that a run's time is over.
_LOOK = 0.5

# It waits for a word before it starts, so that nothing runs of which there is no record: when we die before that word,
# it reads the end of its input instead, and ends.
_GATE = 'read -r go && exec "$@" </dev/null'


@dataclass(frozen=True, slots=True)
class Ended:
    """How a program ended.

    + code: its exit code, or minus the signal's number
    + timed_out: whether it was ended because its time was over
    + seconds: on the clock that goes on while the machine sleeps
    + asleep: for how many of them the machine slept
    + output: the last of what it said, both outputs together
    """

    code: int
    timed_out: bool
    seconds: float
    asleep: float
    output: str


def run_bounded(  # noqa: PLR0913 - how a program is run
    command: Sequence[str],
    folder: Path,
    seconds: float,
    log: Path | None,
    started: Callable[[int], None],
    *,
    is_added: bool = False,
) -> Ended:
    """Run a program to its end, or to the end of its time; what it has started in other groups goes on.

    + seconds: its time, on the clock that goes on while the machine sleeps
    + log: where its output is kept; None, or a disk that is full, keeps none
    + started: called with the process group before the program begins
    + is_added: whether the log is there already, and the output is added to it

    Raises ``OSError`` when there is no shell. An exception that is raised here, such as by a signal's handler, ends the
    program, too.
    """
    begun, awake = elapsed(), time.monotonic()
    process = subprocess.Popen(  # noqa: S603 - the words are pyinfra's own arguments, no shell reads them
        ["sh", "-c", _GATE, "sh", *command],  # noqa: S607 - wherever the system has it
        cwd=folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        bufsize=0,
        # No terminal either: nobody is there to answer.
        start_new_session=True,
    )
    identity = identity_of(process.pid)
    gate, said = cast("IO[bytes]", process.stdin), cast("IO[bytes]", process.stdout)
    output = _Output(said, log, os.O_APPEND if is_added else os.O_EXCL)
    try:
        started(process.pid)
        with contextlib.suppress(BrokenPipeError):
            gate.write(b"go\n")
        gate.close()
        timed_out = not _wait(process, output, begun + seconds)
    finally:
        gate.close()
        if process.poll() is None:
            end_group(process.pid, identity, process.poll)
            process.kill()
        output.close()
        said.close()
    code = process.wait()
    now = elapsed()
    asleep = max(0.0, (now - begun) - (time.monotonic() - awake))
    return Ended(code, timed_out, now - begun, asleep, output.text())


def _wait(process: subprocess.Popen[bytes], output: _Output, until: float) -> bool:
    """Take in output until the process has ended; False when its time is over."""
    while process.poll() is None:
        left = until - elapsed()
        if left <= 0:
            return False
        if not output.take(min(_LOOK, left)):
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(min(_LOOK, left))
    return True


class _Output:
    """The output of a program: the last of it in memory, and all of it, as far as the disk has room, in a file."""

    def __init__(self, pipe: IO[bytes], log: Path | None, flag: int) -> None:
        self._pipe = pipe
        self._tail = bytearray()
        self._written = 0
        self._log: int | None = None
        os.set_blocking(pipe.fileno(), False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(pipe, selectors.EVENT_READ)
        if log is not None:
            with contextlib.suppress(OSError):
                self._log = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | flag, 0o600)

    def take(self, seconds: float) -> bool:
        """Take in what comes within some seconds; False when nothing will come any more."""
        if self._selector.select(seconds):
            return self._read() is not None
        return True

    def close(self) -> None:
        """Take in what is there already, but wait for nobody: what was started detached may have the pipe, too."""
        while self._read():
            pass
        self._selector.close()
        if self._log is not None:
            os.close(self._log)
            self._log = None

    def text(self) -> str:
        """The last of the output."""
        return self._tail.decode(errors="replace")

    def _read(self) -> int | None:
        """How many bytes were there; None at the end of the output."""
        try:
            piece = os.read(self._pipe.fileno(), 65536)
        except BlockingIOError:
            return 0
        self._tail += piece
        del self._tail[:-_TAIL]
        if self._log is not None and self._written < _LONGEST_LOG:
            # A full disk is a reason to run, not one to stop.
            with contextlib.suppress(OSError):
                self._written += os.write(self._log, piece)
        return len(piece) or None
