"""What a printed report is made of: words, tables, and what is drawn in them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

# Rows of a table at most: a report is read, and what is left out is counted.
MOST = 25


@dataclass(frozen=True, slots=True)
class Bar:
    """A share of a whole, drawn.

    + share: from 0 to 1; None is not known
    """

    share: float | None
    text: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """How something went, drawn small.

    + values: one after the other; None is a gap
    + limit: the value that must not be reached; None is none
    """

    values: Sequence[float | None]
    low: float = 0.0
    high: float = 100.0
    limit: float | None = None
    text: str = ""


Cell = str | Bar | Line


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under a head.

    + right: the columns of figures
    + left_out: how many rows more there would be
    """

    head: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    right: frozenset[int] = frozenset()
    left_out: int = 0


@dataclass(frozen=True, slots=True)
class Point:
    """One thing of a list.

    + about: what it is about
    + change: what is to be typed or written, apart; "" is nothing
    """

    about: str
    say: str
    change: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    """What stands under one heading.

    + key: its name in links
    + said: a paragraph each
    + points: a list
    """

    key: str
    title: str
    said: tuple[str, ...] = ()
    points: tuple[Point, ...] = ()
    table: Table | None = None


@dataclass(frozen=True, slots=True)
class Document:
    """All of it, with all text made harmless for a terminal."""

    title: str
    when: str
    sentence: str
    cautions: tuple[str, ...]
    sections: tuple[Section, ...]


def table_of(head: str, rows: Iterable[tuple[Cell, ...]], right: Iterable[int] = ()) -> Table:
    """A table of the first rows.

    + head: the columns' names, parted by ``|``
    + right: the columns of figures
    """
    every = list(rows)
    return Table(tuple(head.split("|")), tuple(every[:MOST]), frozenset(right), max(0, len(every) - MOST))
