"""One line of a screen with its colours, as cells: what each shows, and whether it is only a hint. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from unicodedata import category, combining, east_asian_width

_SEQUENCE = re.compile(r"\x1b\[([0-9;:]*)m|\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]P^_X][^\x07\x1b]*(?:\x07|\x1b\\)|[ -/]*[0-~])")

# The grey of the 256 colours, of the sixteen, and how far the parts of a grey may differ.
_GREYS = range(236, 250)
_ODDS = 14


@dataclass(frozen=True, slots=True)
class Cell:
    """A character, where it stands, and how: ``faint`` is dim or grey, ``inverse`` is how programs draw a cursor."""

    character: str
    x: int
    faint: bool
    inverse: bool


@dataclass(slots=True)
class _Style:
    dim: bool = False
    grey: bool = False
    inverse: bool = False

    def apply(self, codes: str) -> None:
        """Take over what an escape sequence sets."""
        numbers = [int(each) if each else 0 for each in re.split("[;:]", codes)]
        while numbers:
            code = numbers.pop(0)
            if code == 0:
                self.dim = self.grey = self.inverse = False
            elif code in {2, 22}:
                self.dim = code == 2
            elif code in {7, 27}:
                self.inverse = code == 7
            elif code in {38, 48}:
                colour = _colour(numbers)
                self.grey = _is_grey(colour) if code == 38 else self.grey
            elif code == 90 or 30 <= code <= 37 or code == 39 or 91 <= code <= 97:
                self.grey = code == 90


def _colour(numbers: list[int]) -> tuple[int, ...]:
    """The colour that follows 38 or 48: one of 256, or its three parts; what it is made of is taken away."""
    kind = numbers.pop(0) if numbers else 0
    count = {5: 1, 2: 3}.get(kind, 0)
    colour = tuple(numbers[:count])
    del numbers[:count]
    return colour


def _is_grey(colour: tuple[int, ...]) -> bool:
    if len(colour) == 1:
        return colour[0] == 8 or colour[0] in _GREYS
    return len(colour) == 3 and max(colour) - min(colour) <= _ODDS and min(colour) >= 60 and max(colour) <= 190


def cells(line: str) -> list[Cell]:
    """The cells of a line as ``capture-pane -e`` prints it."""
    return list(_cells(line))


def _cells(line: str) -> Iterator[Cell]:
    style, x, position = _Style(), 0, 0
    for found in _SEQUENCE.finditer(line):
        for cell in _plain_cells(line[position : found.start()], x, style):
            yield cell
            x = cell.x + _width(cell.character)
        if found[1] is not None:
            style.apply(found[1])
        position = found.end()
    yield from _plain_cells(line[position:], x, style)


def _plain_cells(text: str, x: int, style: _Style) -> Iterator[Cell]:
    for character in text:
        if category(character) == "Cc":
            continue
        yield Cell(character, x, style.dim or style.grey, style.inverse)
        x += _width(character)


def _width(character: str) -> int:
    if combining(character):
        return 0
    return 2 if east_asian_width(character) in {"W", "F"} else 1


def text_of(row: list[Cell]) -> str:
    """What the cells show, without spaces at the end."""
    return "".join(cell.character for cell in row).rstrip()


def end_of(row: list[Cell]) -> int:
    """How many columns the cells take, spaces at the end left out."""
    last = next((cell for cell in reversed(row) if not cell.character.isspace()), None)
    return 0 if last is None else last.x + _width(last.character)
