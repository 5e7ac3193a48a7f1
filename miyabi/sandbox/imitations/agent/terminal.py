"""imitation of a coding agent for the sandbox: the keys that come to it, and what the terminal is told."""

from __future__ import annotations

import codecs
import os
import select
import signal
import termios
import time
from contextlib import suppress

_NAMED = {"\r": "enter", "\n": "enter", "\x03": "c-c", "\x04": "c-d", "\x7f": "back", "\x15": "c-u", "\x1b": "esc"}
_ESCAPED = {"\x1b[A": "up", "\x1b[B": "down", "\x1bOA": "up", "\x1bOB": "down"}


def keys_of(text: str) -> list[str]:
    """What was pressed: named keys, and characters as they are; what is pasted holds no keys."""
    found: list[str] = []
    while text:
        if text.startswith("\x1b[200~"):
            pasted, _, text = text[6:].partition("\x1b[201~")
            found += [" " if each in "\r\n" else each for each in pasted]
        elif text[:3] in _ESCAPED:
            found.append(_ESCAPED[text[:3]])
            text = text[3:]
        else:
            found.append(_NAMED.get(text[0], text[0]))
            text = text[1:]
    return found


class Terminal:
    """The terminal, from which keys come one by one, and which does not show them."""

    def __init__(self) -> None:
        self._before = termios.tcgetattr(0)
        attributes = termios.tcgetattr(0)
        # The rest stays as a shell has left it, which has to go on with it when this is killed.
        attributes[3] &= ~(termios.ICANON | termios.ECHO | termios.ISIG)
        termios.tcsetattr(0, termios.TCSADRAIN, attributes)
        os.write(1, b"\x1b[?2004h")
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def read(self, seconds: float) -> str | None:
        """What was pressed within so many seconds; None when the terminal is gone."""
        if not select.select([0], [], [], seconds)[0]:
            return ""
        try:
            data = os.read(0, 4096)
        except OSError:
            return None
        return self._decoder.decode(data) if data else None

    def restore(self) -> None:
        """Leave it as it was."""
        with suppress(OSError, termios.error):
            os.write(1, b"\x1b[?2004l")
            termios.tcsetattr(0, termios.TCSADRAIN, self._before)


def hanging_worker(*, stopped: bool) -> None:
    """What a hanging agent works with: it has been stopped, or it uses the processor."""
    signal.signal(signal.SIGCONT, signal.SIG_DFL)
    if stopped:
        os.kill(os.getpid(), signal.SIGSTOP)
        os._exit(0)
    while os.getppid() != 1:
        until = time.process_time() + 0.03
        while time.process_time() < until:
            pass
        time.sleep(0.1)
    os._exit(0)
