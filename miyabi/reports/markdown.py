"""A report as Markdown: for GitHub, and for a terminal, where its tables are in columns. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from unicodedata import east_asian_width

from miyabi.reports.document import Bar, Cell, Document, Line, Section, Table

# What Markdown would make something of. An underscore within a word, and a tilde alone, mean nothing to it.
_ACTIVE = re.compile(r"[\\`*\[\]<|&]|~(?=~)|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")
# And at the beginning of a paragraph or a point.
_LEADING = re.compile(r"^(?=[#+=>-])|(?<=^\d)(?=[.)](?:\s|$))|(?<=^\d\d)(?=[.)](?:\s|$))")

_BLOCKS = " ▏▎▍▌▋▊▉█"
_BAR = 12
_STEPS = "▁▂▃▄▅▆▇█"
_LINE = 31


def markdown_of(document: Document) -> str:
    """The report's text, with a newline at its end."""
    lines = [f"# {escaped(document.title)}", "", f"**{escaped(document.sentence)}.**", "", _begun(document.when), ""]
    for caution in document.cautions:
        lines += [f"> {_begun(caution)}", ""]
    for section in document.sections:
        lines += [f"## {escaped(section.title)}", "", *_section(section)]
    return "\n".join(lines).rstrip() + "\n"


def _section(section: Section) -> Iterator[str]:
    for paragraph in section.said:
        yield from (_begun(paragraph), "")
    for point in section.points:
        yield f"- **{escaped(point.about)}**: {escaped(point.say)}"
        if point.change:
            yield f"  {_code(point.change)}"
    if section.points:
        yield ""
    if section.table is not None and section.table.rows:
        yield from _table(section.table)
        yield ""
        if section.table.left_out:
            yield from (f"and {section.table.left_out} more", "")


def _table(table: Table) -> Iterator[str]:
    cells = [[escaped(name) for name in table.head], *([_cell(each) for each in row] for row in table.rows)]
    widths = [max(3, *(_width(row[column]) for row in cells)) for column in range(len(table.head))]
    yield _row(cells[0], widths, table.right)
    yield f"|{'|'.join(_rule(width, column in table.right) for column, width in enumerate(widths))}|"
    for row in cells[1:]:
        yield _row(row, widths, table.right)


def _row(cells: Sequence[str], widths: Sequence[int], right: frozenset[int]) -> str:
    padded = []
    for column, (cell, width) in enumerate(zip(cells, widths, strict=True)):
        space = " " * (width - _width(cell))
        padded.append(f"{space}{cell}" if column in right else f"{cell}{space}")
    return f"| {' | '.join(padded)} |"


def _rule(width: int, is_right: bool) -> str:  # noqa: FBT001 - one of two ways to draw it
    return "-" * (width + 1) + ":" if is_right else "-" * (width + 2)


def _cell(cell: Cell) -> str:
    if isinstance(cell, Bar):
        return " ".join(filter(None, (bar(cell.share), escaped(cell.text))))
    return " ".join(filter(None, (line(cell), escaped(cell.text)))) if isinstance(cell, Line) else escaped(cell)


def bar(share: float | None) -> str:
    """A share from 0 to 1 in blocks; "" when it is not known, or nothing."""
    if share is None:
        return ""
    eighths = round(min(max(share, 0.0), 1.0) * _BAR * 8)
    if not eighths:
        return "▏" if share > 0 else ""
    return "█" * (eighths // 8) + _BLOCKS[eighths % 8].strip()


def line(drawn: Line) -> str:
    """How values went, in blocks of different height; a gap is a dot."""
    span = (drawn.high - drawn.low) or 1.0
    found = []
    for value in thinned(drawn.values, _LINE):
        if value is None:
            found.append("·")
        else:
            height = min(max((value - drawn.low) / span, 0.0), 1.0)
            found.append(_STEPS[min(int(height * len(_STEPS)), len(_STEPS) - 1)])
    return "".join(found)


def thinned(values: Sequence[float | None], most: int) -> list[float | None]:
    """At most so many values, each the mean of those in its place."""
    if len(values) <= most:
        return list(values)
    found: list[float | None] = []
    for place in range(most):
        some = values[place * len(values) // most : (place + 1) * len(values) // most]
        known = [value for value in some if value is not None]
        found.append(sum(known) / len(known) if known else None)
    return found


def escaped(text: str) -> str:
    """Text that Markdown prints as it is, in the middle of a line."""
    return _ACTIVE.sub(lambda found: f"\\{found[0]}", text)


def _begun(text: str) -> str:
    """The same at the beginning of one."""
    return _LEADING.sub("\\\\", escaped(text))


def _code(text: str) -> str:
    """Text to be copied: in as many backticks as it takes."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * (longest + 1)
    inner = f" {text} " if text.startswith("`") or text.endswith("`") else text
    return f"{fence}{inner}{fence}"


def _width(text: str) -> int:
    return sum(2 if east_asian_width(letter) in "WF" else 1 for letter in text)
