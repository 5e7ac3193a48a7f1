"""The page, as HTML: whole, in the parts that change by themselves, and as one file that needs nothing else. Pure.

A part says the same as long as the fleet does: how long ago something was is counted by the page's own script.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from functools import cache
from hashlib import sha256

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from miyabi.cause_names import CAUSES
from miyabi.dashboard import phrasing
from miyabi.dashboard.assets import asset
from miyabi.dashboard.charting import charts_of
from miyabi.dashboard.standing import agents_of, cards_of, mood_of, standings_of, worst_of
from miyabi.dashboard.telling import causes_of, closed_of, entries_of, open_of, told_of, totals_of
from miyabi.figures import Overview
from miyabi.words import counted, iso, lasting

# What changes by itself, in the order of the page; each is a template, an event, and a place in the page.
PARTS: tuple[str, ...] = (
    "run",
    "trouble",
    "summary",
    "hosts",
    "alerts",
    "timeline",
    "recoveries",
    "availability",
    "charts",
    "closed",
)

_STYLES = ("vendor/uPlot.min.css", "page.css")
_SCRIPTS = ("vendor/uPlot.iife.min.js", "charts.js", "page.js")


def render_page(overview: Overview, *, live: bool, parts: Mapping[str, str] | None = None) -> str:
    """The page of a server.

    + live: whether it keeps itself up to date
    + parts: what ``render_parts`` has made of the overview; None is that it is still to be made
    """
    return _page(overview, live=live, inlined=None, parts=parts)


def render_parts(overview: Overview) -> dict[str, str]:
    """Each of ``PARTS`` as the HTML that stands in its place."""
    known = _known(overview)
    return {name: _environment().get_template(f"{name}.html").render(known) for name in PARTS}


def export_page(overview: Overview) -> str:
    """The page as one file, as the fleet was at ``overview.at``: it asks for nothing, and works without a network."""
    scripts = [asset("theme.js"), *map(asset, _SCRIPTS)]
    styles = [asset(name) for name in _STYLES]
    return _page(
        overview,
        live=False,
        inlined={
            # Files of our own, and nothing of the fleet: they may stand as they are.
            "theme": Markup(scripts[0].decode()),  # noqa: S704
            "scripts": [Markup(each.decode()) for each in scripts[1:]],  # noqa: S704
            "styles": [Markup(each.decode()) for each in styles],  # noqa: S704
            "icon": f"data:image/svg+xml;base64,{b64encode(asset('icon.svg')).decode()}",
            "policy": "; ".join(
                (
                    "default-src 'none'",
                    f"script-src {_hashes(scripts)}",
                    f"style-src {_hashes(styles)}",
                    "img-src data:",
                    "base-uri 'none'",
                    "form-action 'none'",
                )
            ),
        },
    )


def _page(
    overview: Overview, *, live: bool, inlined: dict[str, object] | None, parts: Mapping[str, str] | None = None
) -> str:
    made = render_parts(overview) if parts is None else parts
    return (
        _environment()
        .get_template("page.html")
        .render(
            overview=overview,
            # What the parts say is HTML already, made by their own templates.
            parts={name: Markup(told) for name, told in made.items()},  # noqa: S704
            live=live,
            inlined=inlined,
            mood=mood_of(overview),
            styles=_STYLES,
            scripts=_SCRIPTS,
        )
    )


def _known(overview: Overview) -> dict[str, object]:
    cards = cards_of(overview)
    return {
        "overview": overview,
        "cards": cards,
        "mood": mood_of(overview),
        "worst": worst_of(overview),
        "standings": standings_of(cards),
        "open": open_of(overview),
        "entries": entries_of(overview),
        "closed": closed_of(overview),
        "totals": totals_of(overview.levels),
        "causes": causes_of(overview.causes),
        "charts": charts_of(overview),
    }


def _hashes(contents: list[bytes]) -> str:
    return " ".join(f"'sha256-{b64encode(sha256(each).digest()).decode()}'" for each in contents)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("miyabi.dashboard"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.filters |= {
        "said": phrasing.said,
        "named": phrasing.named,
        "cut": phrasing.cut,
        "when": phrasing.when,
        "took": phrasing.took,
        "lasting": lasting,
        "percent": phrasing.percent,
        "level_title": phrasing.level_title,
        "agent_mood": phrasing.agent_mood,
        "counted": counted,
        "iso": iso,
        "told": told_of,
        "agents": agents_of,
    }
    environment.globals |= {"share": phrasing.share, "CAUSES": CAUSES}
    return environment
