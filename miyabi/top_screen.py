"""A terminal that shows something until somebody has seen enough, and is left as it was found."""

from __future__ import annotations

import os
import select
import signal
import sys
import termios
import tty
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from types import FrameType
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

Make = Callable[[tuple[int, int]], Sequence[Text]]

_END = frozenset(b"qQ\x03\x04")
_SIZE, _STOP = b"w", b"z"


def watch(make: Make, every: float) -> None:
    """Fill the terminal again and again, until q, Ctrl-C or a signal ends it.

    + make: the lines for so many columns and lines
    + every: seconds between two times; a terminal that changes its size is filled at once
    """
    console = Console(highlight=False, emoji=False, markup=False)
    with _Wakes() as wakes, suppress(KeyboardInterrupt):
        while _watched(console, make, every, wakes):
            # Ctrl-Z: the terminal is the shell's meanwhile.
            os.kill(os.getpid(), signal.SIGSTOP)


def _watched(console: Console, make: Make, every: float, wakes: _Wakes) -> bool:
    """Whether it is only to be stopped, and not over."""
    with _typed_at_once(), Live(console=console, screen=True, auto_refresh=False, vertical_overflow="crop") as live:
        while True:
            lines = make((console.width, console.height))
            live.update(Group(*lines), refresh=True)
            woken = wakes.wait(every)
            if woken is not None:
                return woken


class _Wakes:
    """What may happen before the time is over: a key, another size, Ctrl-Z."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._keys = [sys.stdin.fileno()] if sys.stdin.isatty() else []

    def __enter__(self) -> Self:
        self._reader, writer = os.pipe()
        self._stack.callback(os.close, self._reader)
        self._stack.callback(os.close, writer)
        for descriptor in (self._reader, writer):
            os.set_blocking(descriptor, False)
        self._on(signal.SIGWINCH, lambda *_: _note(writer, _SIZE))
        self._on(signal.SIGTSTP, lambda *_: _note(writer, _STOP))
        for number in (signal.SIGTERM, signal.SIGHUP):
            self._on(number, _end)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _on(self, number: signal.Signals, handler: Callable[[int, FrameType | None], None]) -> None:
        self._stack.callback(signal.signal, number, signal.signal(number, handler))

    def wait(self, seconds: float) -> bool | None:
        """None when it is time again, True when it is to be stopped for now, False when it is over."""
        ready, _, _ = select.select([self._reader, *self._keys], [], [], seconds)
        if self._reader in ready and _STOP in os.read(self._reader, 1024):
            return True
        for descriptor in self._keys:
            if descriptor in ready:
                keys = os.read(descriptor, 1024)
                if not keys or not _END.isdisjoint(keys):
                    return False
        return None


def _note(descriptor: int, what: bytes) -> None:
    with suppress(OSError):
        os.write(descriptor, what)


def _end(number: int, _frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


@contextmanager
def _typed_at_once() -> Iterator[None]:
    """Keys come without Enter and without an echo in here; after that, the terminal is as before."""
    if not sys.stdin.isatty():
        yield
        return
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    try:
        tty.setcbreak(descriptor)
        yield
    finally:
        termios.tcsetattr(descriptor, termios.TCSAFLUSH, before)
