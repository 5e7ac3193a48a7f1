"""A spec's file as plain values, with the line of each."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from miyabi.errors import SpecProblem

Place = tuple[str | int, ...]


class WrittenInt(int):
    """A whole number, and the text that it was written as."""

    text: str


class WrittenFloat(float):
    """A number, and the text that it was written as."""

    text: str


@dataclass(slots=True)
class Document:
    """What a file says.

    + file: the path as the user gave it
    + value: mappings, lists, texts, numbers, booleans and None
    + lines: the line of each place that exists, from 1
    + texts: what was written at each place that holds no text, such as ``yes`` for True
    + problems: what is wrong with it as YAML
    + readable: whether value is what the file says in spite of the problems
    """

    file: str
    value: object = None
    lines: dict[Place, int] = field(default_factory=dict)
    texts: dict[Place, str] = field(default_factory=dict)
    problems: list[SpecProblem] = field(default_factory=list)
    readable: bool = True

    def existing(self, place: Place) -> Place:
        """``place`` without the steps that the file does not have, as its shorthands leave some out."""
        found: Place = ()
        for step in place:
            if (*found, step) in self.lines:
                found = (*found, step)
        return found

    def line(self, place: Place) -> int:
        """The line of ``place``, or of the nearest place around it that the file has."""
        return self.lines.get(self.existing(place), 1)

    def problem(self, place: Place, found: str, allowed: str) -> SpecProblem:
        """A problem at ``place``."""
        return SpecProblem(self.file, self.line(place), place_text(place), found, allowed)


def place_text(place: Place) -> str:
    """How a place is written: ``("sessions", 0, "windows")`` is ``sessions[0].windows``."""
    text = ""
    for step in place:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            shown = step if step and step.isprintable() else ascii(step)
            text += f".{shown}" if text else shown
    return text


def shown(value: object, written: str | None = None) -> str:
    """How a value is named in a message: short, on one line and without anything that could act on a terminal.

    + value: what was found
    + written: the text that it was written as, where that differs

    Returns ``'middle'``, ``85``, ``a list``, ``a mapping``, ``nothing``, ``the boolean yes``.
    """
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return f"the boolean {written or str(value).lower()}"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list | tuple):
        return "a list"
    if isinstance(value, int | float):
        text = written or str(value)
    else:
        text = ascii(value) if not str(value).isprintable() else repr(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


_LONGEST = 60


def nearest(value: object, words: Iterable[str]) -> str:
    """A hint at the word that was meant.

    + value: what was found
    + words: what is known

    Returns ``; did you mean tiled?`` for ``Tiled``, and nothing when no word is near.
    """
    # Only whoever mistypes pays for its import.
    from difflib import get_close_matches  # noqa: PLC0415

    by_lower = {word.lower(): word for word in words}
    near = get_close_matches(str(value).lower(), by_lower, 1)
    return f"; did you mean {by_lower[near[0]]}?" if near else ""
