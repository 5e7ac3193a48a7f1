"""imitation of a coding agent for the sandbox: how it draws, as the real ones do.

What was said scrolls away; below it a live part (a spinner, the box in which one types, or a question) is drawn anew in
place. Lines are broken by the agent, not by the terminal, so that nothing can join them again.
"""

from __future__ import annotations

import os


def wrapped(line: str, width: int) -> list[str]:
    """The line in pieces of at most ``width`` characters, broken at blanks where there are some."""
    indent = " " * min(len(line) - len(line.lstrip(" ")) + 2, width // 2)
    rows = []
    while len(line) > width:
        at = line.rfind(" ", len(indent) + 1, width + 1)
        cut = at if at > 0 else width
        rows.append(line[:cut].rstrip(" "))
        line = indent + line[cut:].lstrip(" ")
    return [*rows, line]


class Screen:
    """A terminal."""

    def __init__(self) -> None:
        self._live: list[str] = []
        self._row = 0
        self._said: list[str] = []
        self.size = self._measure()

    @staticmethod
    def _measure() -> tuple[int, int]:
        try:
            columns, lines = os.get_terminal_size(1)
        except OSError:
            return 80, 24
        return max(columns, 20), max(lines, 5)

    @property
    def width(self) -> int:
        """How long a line may be."""
        return self.size[0] - 1

    def say(self, lines: list[str]) -> None:
        """Let these scroll in above the live part."""
        rows = [row for line in lines for row in wrapped(line, self.width)]
        self._said = (self._said + rows)[-200:]
        live = self._live
        self._write(self._to(0) + "\x1b[J" + "".join(f"{row}\r\n" for row in rows))
        self._row, self._live = 0, []
        self._draw_all(live, len(live) - 1, 0)

    def draw(self, live: list[str], at: tuple[int, int]) -> None:
        """Draw the live part, as little of it as has changed.

        + at: where the cursor stands then: row and column in it
        """
        if self._measure() != self.size:
            self.size = self._measure()
            self._write("\x1b[2J\x1b[H")
            rows = [row for line in self._said for row in wrapped(line, self.width)][-self.size[1] :]
            self._row, self._live = 0, []
            self._write("".join(f"{row}\r\n" for row in rows))
        cut = max(len(live) - self.size[1], 0)
        whole, live, row = live, live[cut:], max(at[0] - cut, 0)
        if len(live) != len(self._live):
            # What does not fit scrolls away.
            self._draw_all(whole, row, at[1])
            return
        changed = [index for index, text in enumerate(live) if text != self._live[index]]
        text = "".join(f"{self._to(index)}{live[index]}\x1b[K" for index in changed)
        self._live = live
        if text or row != self._row:
            self._write(f"{text}{self._to(row)}\x1b[{at[1] + 1}G")

    def leave(self) -> None:
        """Put the cursor below everything."""
        self._write(self._to(max(len(self._live) - 1, 0)) + "\r\n")

    def _draw_all(self, live: list[str], row: int, column: int) -> None:
        text = self._to(0) + "\x1b[J" + "\r\n".join(live)
        self._live = live[-self.size[1] :]
        self._row = max(len(self._live) - 1, 0)
        self._write(f"{text}{self._to(max(row, 0))}\x1b[{column + 1}G")

    def _to(self, row: int) -> str:
        """What moves the cursor to the beginning of a row of the live part."""
        moved, self._row = row - self._row, row
        return "\r" + (f"\x1b[{moved}B" if moved > 0 else f"\x1b[{-moved}A" if moved < 0 else "")

    @staticmethod
    def _write(text: str) -> None:
        # A line that is too long is cut off, and never moves what stands below it.
        data = f"\x1b[?7l{text}\x1b[?7h".encode(errors="replace")
        while data:
            data = data[os.write(1, data) :]
