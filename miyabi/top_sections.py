"""The parts of what ``miyabi top`` shows. Pure; dear to import, as rich is.

All text comes from hosts: it is made harmless for a terminal (``phrasing.cut``) where it becomes a part of a line.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import tzinfo
from itertools import pairwise
from math import isfinite
from statistics import median

from rich.text import Text

from miyabi.dashboard.phrasing import agent_mood, cut, percent, took
from miyabi.dashboard.standing import Card, cards_of, is_held
from miyabi.dashboard.telling import open_of, told_of
from miyabi.figures import Chart, LevelFigures, Overview
from miyabi.records import UPKEEP
from miyabi.top_layout import Row, Section
from miyabi.words import age, clock_time, lasting

DAY = 86400.0

_STANDINGS = {
    "unreachable": "bold red",
    "drift": "bold yellow",
    "unknown": "bold magenta",
    "stale": "magenta",
    "asleep": "dim",
    "healthy": "green",
}
_MOODS = {"bad": "bold red", "warn": "yellow", "unknown": "magenta", "idle": "", "ok": "green"}
_SEVERITIES = {"LOW": "", "MEDIUM": "yellow", "HIGH": "bold red", "CRITICAL": "bold white on red"}
_DONE = {"restored": "green", "failed": "bold red", "held": "yellow"}

# Cells of a curve, and what it is drawn with, from low to high.
_CURVE = 20
_BLOCKS = "▁▂▃▄▅▆▇█"
_SIGNS = "_.:-=+*#"
# Percentage points that a curve shows at least from its bottom to its top, so that noise is no mountain.
_LEAST_SPAN = 5.0


def hosts(overview: Overview, zone: tzinfo | None) -> Section:
    """Each host, those first that need somebody."""
    rows = tuple(_host(card, overview.at, zone) for card in cards_of(overview))
    head = ("HOST", "STANDS", "SINCE", "LEVEL", "DISK", "MEM", "WHAT")
    return Section("host", head, rows, (24, 14, 11, 6, 5, 5), 0, least=3, right=frozenset({4, 5}))


def _host(card: Card, now: float, zone: tzinfo | None) -> Row:
    host = card.host
    style = _STANDINGS[card.standing]
    is_told = card.standing in {"healthy", "drift"}
    return (
        Text(cut(host.host, 60), style="bold"),
        Text(f"{card.standing}{', held' if card.held else ''}", style=style),
        Text(age(now - host.since) if host.since > 0 and card.standing != "stale" else "", style="dim"),
        Text(cut(host.level, 10)),
        _whole_percent(host.disk_used if is_told else None),
        _whole_percent(host.memory_available if is_told else None),
        _what(card, now, zone),
    )


def _whole_percent(value: float | None) -> Text:
    """What is not known is empty: it is no 0."""
    return Text("" if value is None or not isfinite(value) else f"{value:.0f} %")


def _what(card: Card, now: float, zone: tzinfo | None) -> Text:
    """What is wrong with a host, in a line."""
    if not card.host.drifts:
        reason = f"last look {age(now - card.host.seen_at)} ago" if card.standing == "stale" else cut(card.host.reason)
        return Text(reason, style="dim")
    first, *others = card.host.drifts
    said = Text(f"{cut(first.target, 60)}", style="bold")
    if is_held(first):
        until = f" until {clock_time(first.again_at, now, zone)}" if first.again_at else ""
        said.append(f" held{until}: {cut(first.gate, 120)};", style="yellow")
    said.append(f" {cut(first.reason)}", style="not bold dim")
    if others:
        said = Text(f"{len(card.host.drifts)} drifts, ", style="bold").append_text(said)
    return said


def agents(overview: Overview) -> Section:
    """How many agents do what, in one line: those first that need somebody, by name."""
    found = [
        (condition, f"{card.host.host}:{target}")
        for card in cards_of(overview)
        if card.standing in {"healthy", "drift"}
        for target, condition in card.host.agents.items()
    ]
    order = list(_MOODS)
    counts = Counter(condition for condition, _ in found)
    said = Text("")
    for condition, number in sorted(counts.items(), key=lambda each: (order.index(agent_mood(each[0])), -each[1])):
        mood = agent_mood(condition)
        said.append(", " if said.plain else "").append(f"{number} {cut(condition, 30)}", style=_MOODS[mood])
        if mood in {"bad", "unknown"}:
            who = [cut(each, 60) for what, each in found if what == condition]
            said.append(f" ({', '.join(who[:2])}{', …' if len(who) > 2 else ''})", style="dim")
    rows = ((Text("AGENTS", style="bold underline"), said),) if found else ()
    return Section("line of agents", (), rows, (6,), 1)


def incidents(overview: Overview) -> Section:
    """The open incidents, the worst first."""
    rows = tuple(
        (
            Text(each.severity, style=_SEVERITIES[each.severity]),
            Text(lasting(overview.at - each.opened_at), style="dim"),
            _where(each.host, each.target),
            Text(cut(each.summary)),
        )
        for each in open_of(overview)
    )
    return Section("incident", ("INCIDENT", "OPEN", "WHERE", "WHAT"), rows, (13, 9, 36), 2, least=2)


def _where(host: str, target: str) -> Text:
    return Text(cut(f"{host}:{target}" if target else host or "the fleet", 80))


def deeds(overview: Overview, zone: tzinfo | None) -> Section:
    """What was done or held last, and why."""
    rows = []
    for told in told_of(overview.deeds):
        deed = told.deed
        how = f"{deed.level} {deed.what}" + ("" if deed.seconds is None else f" {took(deed.seconds)}")
        cause = "" if deed.cause in {"", "unknown"} else cut(deed.cause, 30)
        why = "; ".join(each for each in (cause, cut(deed.why)) if each)
        times = f"{told.times} times: " if told.times > 1 else ""
        rows.append(
            (
                Text(clock_time(deed.at, overview.at, zone), style="dim"),
                _where(deed.host, deed.target),
                Text(cut(how, 40), style=_DONE[deed.what]),
                Text(times + why, style="dim"),
            )
        )
    return Section("deed", ("DONE", "WHERE", "WHAT", "WHY"), tuple(rows), (16, 36, 22), 3, least=2)


def levels(overview: Overview) -> Section:
    """How recoveries went at each level, against its target."""
    head = ("LEVEL", "TRIES", "RESTORED", "1ST TRY", "MEDIAN", "P90", f"IN TIME ({overview.days:g} D)")
    rows = tuple(_level(each) for each in overview.levels)
    return Section("level", head, rows, (7, 5, 8, 7, 8, 8), 4, least=2, right=frozenset({1, 2, 3, 4, 5}))


def _level(figures: LevelFigures) -> Row:
    is_late = figures.budget is not None and figures.within < figures.restored
    kept = "no target" if figures.budget is None else f"{figures.within} of {figures.restored} in {figures.budget:g} s"
    return (
        Text("upkeep" if figures.level == UPKEEP else cut(figures.level, 10)),
        Text(str(figures.tries)),
        Text(_share(figures.restored, figures.tries), style="yellow" if figures.failed else "green"),
        Text(_share(figures.first_try, figures.tries)),
        Text(_seconds(figures.median)),
        Text(_seconds(figures.slowest_tenth)),
        Text(kept, style="dim" if figures.budget is None else "yellow" if is_late else "green"),
    )


def _share(part: int, of: int) -> str:
    return percent(100 * part / of, 0) if of else ""


def _seconds(value: float | None) -> str:
    return "" if value is None else took(value)


def charts(overview: Overview, *, is_ascii: bool) -> Section:
    """Disk and memory with what is foretold: first what reaches its limit soonest, then what has the least left."""
    told = sorted((each for each in overview.charts if each.points), key=_urgency)
    rows = tuple(_chart(each, overview.at, is_ascii=is_ascii) for each in told)
    return Section("curve", ("CURVE", "OF", "", "NOW", "LIMIT", "FORETOLD"), rows, (20, 6, _CURVE, 5, 5), 5, least=1,
                   right=frozenset({3, 4}))  # fmt: skip


def _urgency(chart: Chart) -> tuple[float, float, str, str]:
    now = chart.points[-1][1]
    left = 100 - now if chart.measure == "disk_used" else now
    return (chart.crosses_at or float("inf"), left, chart.host, chart.measure)


def _chart(chart: Chart, now: float, *, is_ascii: bool) -> Row:
    is_near = chart.crosses_at is not None and chart.crosses_at - now < DAY
    style = "bold red" if is_near else "yellow" if chart.crosses_at else "dim"
    return (
        Text(cut(chart.host, 60)),
        Text("disk" if chart.measure == "disk_used" else "memory"),
        Text(curve(chart, _CURVE, is_ascii=is_ascii), style="cyan"),
        _whole_percent(chart.points[-1][1]),
        _whole_percent(chart.limit),
        Text(cut(chart.words) if chart.words else "nothing yet", style=style),
    )


def curve(chart: Chart, width: int, *, is_ascii: bool = False) -> str:
    """A measure over time in so many characters; a time without a look is a blank."""
    points = [(at, min(100.0, max(0.0, value))) for at, value, _ in chart.points if isfinite(value)]
    if not points:
        return ""
    begin, end = points[0][0], points[-1][0]
    gaps = [later - earlier for (earlier, _), (later, _) in pairwise(points) if later > earlier]
    if gaps:
        # Fewer looks than characters are drawn side by side.
        width = min(width, round((end - begin) / median(gaps)) + 1)
    within: dict[int, list[float]] = {}
    for at, value in points:
        place = int((at - begin) / (end - begin) * width) if end > begin else width - 1
        within.setdefault(max(0, min(width - 1, place)), []).append(value)
    means = {place: sum(values) / len(values) for place, values in within.items()}
    return _drawn(means, width, _SIGNS if is_ascii else _BLOCKS)


def _drawn(means: dict[int, float], width: int, signs: Sequence[str]) -> str:
    low, high = min(means.values()), max(means.values())
    if (missing := _LEAST_SPAN - (high - low)) > 0:
        low, high = low - missing / 2, high + missing / 2
    steps = len(signs) - 1
    return "".join(
        signs[round((means[place] - low) / (high - low) * steps)] if place in means else " " for place in range(width)
    )
