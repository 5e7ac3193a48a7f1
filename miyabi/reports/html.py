"""A report as one HTML file that asks for nothing else: no script, no font, no image. Pure."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from miyabi.reports.document import Bar, Document, Line
from miyabi.reports.markdown import thinned

if TYPE_CHECKING:
    from jinja2 import Template

_TEMPLATE = "report.html.j2"
# A line's picture, in its own units.
WIDTH, HEIGHT = 160.0, 28.0
_POINTS = 120


def html_of(document: Document) -> str:
    """The report's page, with a newline at its end."""
    return _template().render(document=document) + "\n"


@cache
def _template() -> Template:
    from jinja2 import Environment, PackageLoader, StrictUndefined  # noqa: PLC0415 - who prints no HTML needs it not

    environment = Environment(
        loader=PackageLoader("miyabi.reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.tests["bar"] = lambda cell: isinstance(cell, Bar)
    environment.tests["line"] = lambda cell: isinstance(cell, Line)
    environment.globals["paths"] = paths
    environment.globals["height_of"] = height_of
    environment.globals["size"] = (WIDTH, HEIGHT)
    return environment.get_template(_TEMPLATE)


def paths(drawn: Line) -> list[str]:
    """The points of a line, a piece for each stretch without a gap."""
    values = thinned(drawn.values, _POINTS)
    step = WIDTH / max(1, len(values) - 1)
    pieces: list[list[str]] = [[]]
    for place, value in enumerate(values):
        if value is None:
            pieces.append([])
        else:
            pieces[-1].append(f"{place * step:.1f},{height_of(drawn, value):.1f}")
    # One point alone is seen as a short dash.
    return [" ".join(piece if len(piece) > 1 else piece * 2) for piece in pieces if piece]


def height_of(drawn: Line, value: float) -> float:
    """How far below the top of the picture a value is."""
    share = (value - drawn.low) / ((drawn.high - drawn.low) or 1.0)
    return 1 + (HEIGHT - 2) * (1 - min(max(share, 0.0), 1.0))
