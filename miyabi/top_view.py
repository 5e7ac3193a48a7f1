"""The fleet as ``miyabi top`` shows it, in lines for a terminal. Pure; dear to import, as rich is."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import tzinfo

from rich.text import Text

from miyabi.dashboard.phrasing import cut, percent, took
from miyabi.dashboard.standing import Card, cards_of, mood_of, worst_of
from miyabi.figures import Budget, LastRun, Overview
from miyabi.top_layout import GUTTER, Fitted, Section, drawn, ended_by, fit, side_by_side
from miyabi.top_sections import agents, charts, deeds, hosts, incidents, levels
from miyabi.words import age, clock_time, counted, lasting

# Columns from which two columns of sections stand side by side.
WIDE = 130

# Hosts that the first line names.
_NAMED = 3

# Deeds that are printed where there is no end of room; `miyabi history` has all.
_DEEDS = 12
_ALL = 10_000

_MOODS = {"bad": "bold red", "warn": "bold yellow", "unknown": "bold magenta", "ok": "bold green", "nothing": "bold"}


def frame(
    overview: Overview, size: tuple[int, int], zone: tzinfo | None = None, *, is_ascii: bool = False
) -> list[Text]:
    """What fills a terminal: the lines from its top to its bottom, and in the last one what had no room.

    + size: columns and lines of the terminal
    + zone: of the clock; None is the machine's own
    + is_ascii: draw without characters that not every terminal has
    """
    width, height = size
    head = _head(overview, width, zone)[:height]
    room = height - len(head) - 1
    if room < 1:
        return head
    body, missing = _body(_sections(overview, zone, is_ascii=is_ascii), width, room)
    foot = Text("q quits", style="dim")
    if missing:
        foot.append(f"   no room for {', '.join(missing)}")
    foot.truncate(width, overflow="ellipsis")
    return [*head, *body, *[Text("")] * (room - len(body)), foot]


def whole(overview: Overview, width: int, zone: tzinfo | None = None, *, is_ascii: bool = False) -> list[Text]:
    """All of it, as long as it gets, but of what was done only the last."""
    sections = _sections(overview, zone, is_ascii=is_ascii)
    fitted = Fitted(tuple(min(len(each.rows), _DEEDS if each.name == "deed" else _ALL) for each in sections), ())
    return [*_head(overview, width, zone), Text(""), *drawn(sections, fitted, width, len(sections))]


def _sections(overview: Overview, zone: tzinfo | None, *, is_ascii: bool) -> list[Section]:
    return [
        hosts(overview, zone),
        agents(overview),
        incidents(overview),
        charts(overview, is_ascii=is_ascii),
        deeds(overview, zone),
        levels(overview),
    ]


def _body(sections: list[Section], width: int, room: int) -> tuple[list[Text], tuple[str, ...]]:
    """The lines of the sections, and what had no room: one below the other, the last two beside each other if wide."""
    if width < WIDE:
        fitted = fit(sections, room)
        return drawn(sections, fitted, width, room - _taken(sections, fitted.rows)), fitted.cut
    above, beside = sections[:-2], [[each] for each in sections[-2:]]
    most = max(each.height(len(each.rows)) for each in sections[-2:])
    top = fit(above, room - min(most + 1, room // 2))
    left = room - _taken(above, top.rows)
    columns = [fit(each, left) for each in beside]
    used = max(_taken(each, found.rows) for each, found in zip(beside, columns, strict=True))
    body = drawn(above, top, width, left - used)
    half = (width - GUTTER) // 2
    pair = [drawn(each, found, half, 0) for each, found in zip(beside, columns, strict=True)]
    if body and len(body) + used < room:
        body.append(Text(""))
    return [*body, *side_by_side(pair[0], pair[1], half)], (*top.cut, *columns[0].cut, *columns[1].cut)


def _taken(sections: Sequence[Section], rows: Sequence[int]) -> int:
    return sum(each.height(shown) for each, shown in zip(sections, rows, strict=True))


def sentence(overview: Overview) -> str:
    """How the fleet stands, in a sentence or two."""
    cards = cards_of(overview)
    if not cards:
        return "Nothing has been seen yet: make recover is what looks."
    calling = [each for each in cards if each.standing in {"unreachable", "drift"}]
    unsure = [each for each in cards if each.standing in {"unknown", "stale"}]
    said = []
    if calling:
        needs = "needs" if len(calling) == 1 else "need"
        said.append(f"{len(calling)} of {counted(len(cards), 'host')} {needs} attention: {_named(calling)}.")
    if unsure:
        said.append(f"{counted(len(unsure), 'host')} cannot be told: {_named(unsure)}.")
    if not said and overview.open_incidents:
        said.append("No host needs attention.")
    if overview.open_incidents:
        number = len(overview.open_incidents)
        said.append(f"{counted(number, 'incident')} open, {'the worst ' if number > 1 else ''}{worst_of(overview)}.")
    if not said:
        asleep = sum(each.standing == "asleep" for each in cards)
        well = counted(len(cards) - asleep, "host")
        said.append(f"All is well: {well} healthy{f', {asleep} asleep' if asleep else ''}.")
    return " ".join(said)


def _named(cards: Sequence[Card]) -> str:
    named = [f"{cut(each.host.host, 30)} ({each.standing}{', held' if each.held else ''})" for each in cards[:_NAMED]]
    more = len(cards) - len(named)
    return ", ".join(named) + (f" and {more} more" if more else "")


def _head(overview: Overview, width: int, zone: tzinfo | None) -> list[Text]:
    told = Text(sentence(overview), style=_MOODS[mood_of(overview)])
    clock = Text(clock_time(overview.at, overview.at, zone), style="dim")
    lines = ended_by(told, clock, width)
    second = Text(f"{_run(overview.run, overview.at)} · {_available(overview)}", style="dim")
    second.truncate(width, overflow="ellipsis")
    lines.append(second)
    if overview.trouble:
        trouble = Text(f"All of this may be old: {cut(overview.trouble)}", style="bold red")
        trouble.truncate(width, overflow="ellipsis")
        lines.append(trouble)
    return lines


def _run(run: LastRun | None, now: float) -> str:
    if run is None:
        return "no run is known"
    when = age(now - run.at)
    ago = when if when == "just now" else f"{when} ago"
    if not run.outcome or run.seconds is None:
        return f"the run of {ago} has no end yet"
    return f"last run {ago}: {cut(run.outcome, 30)} in {took(run.seconds)}"


def _available(overview: Overview) -> str:
    budget: Budget = overview.budget
    known = overview.fleet_availability.percent
    if known is None:
        return f"availability is not known yet ({budget.objective:g} % promised)"
    left = "" if budget.left is None else f", {_left(budget.left)}"
    return f"available {percent(known, 2)} of {budget.objective:g} % in {lasting(budget.over)}{left}"


def _left(left: float) -> str:
    return f"{left:.0f} % of the error budget left" if left >= 0 else f"error budget overdrawn by {-left:.0f} %"
