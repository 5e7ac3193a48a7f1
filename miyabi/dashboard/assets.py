"""The files that the page is made of: its own, and those that npm packages gave, as vendor/vendored.json says."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files

# All that there is, by the name that it has under /static: nothing else is ever read for a request.
ASSETS: Mapping[str, str] = {
    "icon.svg": "image/svg+xml",
    "page.css": "text/css; charset=utf-8",
    "theme.js": "text/javascript; charset=utf-8",
    "page.js": "text/javascript; charset=utf-8",
    "live.js": "text/javascript; charset=utf-8",
    "charts.js": "text/javascript; charset=utf-8",
    "vendor/htmx.min.js": "text/javascript; charset=utf-8",
    "vendor/htmx-ext-sse.min.js": "text/javascript; charset=utf-8",
    "vendor/idiomorph-ext.min.js": "text/javascript; charset=utf-8",
    "vendor/uPlot.iife.min.js": "text/javascript; charset=utf-8",
    "vendor/uPlot.min.css": "text/css; charset=utf-8",
}


@cache
def asset(name: str) -> bytes:
    """The content of one of ``ASSETS``; ``KeyError`` for any other name."""
    if name not in ASSETS:
        raise KeyError(name)
    return (files(__package__) / "static").joinpath(*name.split("/")).read_bytes()
