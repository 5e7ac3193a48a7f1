"""Sections of lines that are fitted into a terminal, which say what did not fit. Pure; dear to import, as rich is."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.text import Text

from miyabi.words import counted

# Blanks between two columns of a section, and between two sections that stand beside each other.
_GAP = 2
GUTTER = 3
# Cells that a column keeps, however narrow the terminal is.
_LEAST = 4

HEAD = "bold underline"

Row = tuple[Text, ...]


@dataclass(frozen=True, slots=True)
class Section:
    """One part of what is shown.

    + name: what one of its rows is
    + head: the titles of its columns; () is a part of one line that begins with its own
    + widest: cells that each column but the last may take; the last one gets what is left
    + rank: the lower, the longer it stays where there is no room
    + least: rows without which it says too little
    + right: columns whose text stands at the right
    """

    name: str
    head: tuple[str, ...]
    rows: tuple[Row, ...]
    widest: tuple[int, ...]
    rank: int
    least: int = 1
    right: frozenset[int] = frozenset()

    def height(self, rows: int) -> int:
        """How many lines so many rows take."""
        return rows + bool(self.head) if rows else 0


@dataclass(frozen=True, slots=True)
class Fitted:
    """How many rows each section may show, and what had no room."""

    rows: tuple[int, ...]
    cut: tuple[str, ...]


def fit(sections: Sequence[Section], height: int) -> Fitted:
    """How sections share so many lines: first what each needs at least, by rank, then row by row as long as it goes."""
    ranked = sorted(range(len(sections)), key=lambda number: sections[number].rank)
    rows = [0] * len(sections)
    left = height
    for number in ranked:
        least = min(sections[number].least, len(sections[number].rows))
        if least and sections[number].height(least) <= left:
            rows[number] = least
            left -= sections[number].height(least)
    growing = True
    while left and growing:
        growing = False
        for number in ranked:
            if left and 0 < rows[number] < len(sections[number].rows):
                rows[number] += 1
                left -= 1
                growing = True
    missing = [(len(each.rows) - shown, each) for each, shown in zip(sections, rows, strict=True)]
    return Fitted(tuple(rows), tuple(counted(count, each.name) for count, each in missing if count))


def drawn(sections: Sequence[Section], fitted: Fitted, width: int, spare: int) -> list[Text]:
    """The lines of the sections, each of at most ``width`` cells.

    + spare: lines that may be left empty between sections
    """
    lines: list[Text] = []
    for section, rows in zip(sections, fitted.rows, strict=True):
        if not rows:
            continue
        if lines and spare:
            lines.append(Text(""))
            spare -= 1
        lines += _lines(section, rows, width)
    return lines


def side_by_side(left: Sequence[Text], right: Sequence[Text], width: int) -> list[Text]:
    """Two columns of lines as one; ``width`` is of the left one, in cells."""
    found = []
    for number in range(max(len(left), len(right))):
        line = left[number] if number < len(left) else Text("")
        beside = right[number] if number < len(right) else Text("")
        found.append(_sized(line, width).append(" " * GUTTER).append_text(beside))
    return found


def _lines(section: Section, rows: int, width: int) -> list[Text]:
    told = section.rows[:rows]
    title: list[Row] = []
    if section.head:
        first, *others = section.head
        count = f" {rows}/{len(section.rows)}" if rows < len(section.rows) else ""
        title = [(Text(first + count), *map(Text, others))]
    # How many are shown is not cut off.
    least = cell_len(title[0][0].plain) if title else 0
    widths = _widths([*title, *told], section.widest, width, least)
    lines = [_cut(_line(each, widths, section.right), width) for each in (*title, *told)]
    if title:
        lines[0].stylize(HEAD)
    return lines


def _widths(rows: Sequence[Row], widest: Sequence[int], width: int, least: int) -> list[int]:
    """How many cells each column gets: as many as it needs, in its bounds, and the last one what is left.

    + least: cells of the first column
    """
    needed = [max(cell_len(row[number].plain) for row in rows) for number in range(len(widest) + 1)]
    widths = [min(most, need) for most, need in zip(widest, needed, strict=False)]
    widths[0] = max(widths[0], least)
    # The widest columns give way first, so that something is left for the last one.
    last = min(needed[-1], width // 4)
    lowest = [max(_LEAST, least), *[_LEAST] * (len(widths) - 1)]
    while sum(widths) + _GAP * len(widths) + last > width:
        spare = [has - low for has, low in zip(widths, lowest, strict=True)]
        if max(spare) <= 0:
            break
        widths[max(range(len(widths)), key=lambda number: (spare[number] > 0, widths[number]))] -= 1
    return [*widths, max(0, width - sum(widths) - _GAP * len(widths))]


def _line(row: Row, widths: Sequence[int], right: frozenset[int]) -> Text:
    line = Text("")
    last = len(row) - 1
    for number, (cell, width) in enumerate(zip(row, widths, strict=True)):
        sized = _cut(cell, width)
        blanks = " " * (width - cell_len(sized.plain))
        if number in right:
            line.append(blanks).append_text(sized)
        else:
            line.append_text(sized).append("" if number == last else blanks)
        if number != last:
            line.append(" " * _GAP)
    return line


def _sized(line: Text, width: int) -> Text:
    found = _cut(line, width)
    return found.append(" " * (width - cell_len(found.plain)))


def _cut(text: Text, width: int) -> Text:
    found = text.copy()
    found.truncate(width, overflow="ellipsis")
    return found


def ended_by(text: Text, end: Text, width: int) -> list[Text]:
    """A text in two lines at most, with something at the right end of the first one."""
    room = width - cell_len(end.plain) - _GAP
    if room < width // 2:
        return [_cut(text, width)]
    if cell_len(text.plain) <= room:
        return [_sized(text, room).append(" " * _GAP).append_text(end)]
    first, *_ = textwrap.wrap(text.plain, room, break_on_hyphens=False) or [""]
    rest = text[len(first) :]
    rest = rest[len(rest.plain) - len(rest.plain.lstrip()) :]
    return [_sized(text[: len(first)], room).append(" " * _GAP).append_text(end), _cut(rest, width)]
