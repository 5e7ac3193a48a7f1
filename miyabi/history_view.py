"""History and incidents as tables for a terminal. Pure; rich is imported where a table is made."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from miyabi.masking import shown
from miyabi.records import IncidentChanged
from miyabi.timeline import Event
from miyabi.words import clock_time, counted, lasting

if TYPE_CHECKING:
    from rich.table import Table

_TONES = {"good": "green", "bad": "bold red", "held": "yellow", "plain": "dim"}
_SEVERITIES = {"LOW": "dim", "MEDIUM": "yellow", "HIGH": "bold yellow", "CRITICAL": "bold red"}

# The widest bar of a share, in characters.
_BAR = 24


def timeline_table(events: Iterable[Event], now: float) -> Table:
    """One row for each event, the newest first."""
    from rich.table import Table  # noqa: PLC0415 - dear
    from rich.text import Text  # noqa: PLC0415

    table = Table(box=None, pad_edge=False, header_style="bold", show_edge=False)
    table.add_column("WHEN", no_wrap=True)
    table.add_column("WHERE", ratio=2, overflow="fold")
    table.add_column("WHAT", ratio=3, overflow="fold")
    for event in events:
        when = clock_time(event.until, now)
        times = f" ({event.times} times since {clock_time(event.at, now)})" if event.times > 1 else ""
        where = f"{event.host}:{event.target}" if event.target else event.host or "fleet"
        table.add_row(when, Text(shown(where)), Text(shown(event.words), style=_TONES[event.tone]).append(times))
    return table


def causes_table(shares: Mapping[str, int]) -> Table:
    """One row for each cause, the most frequent first."""
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table(box=None, pad_edge=False, header_style="bold", show_edge=False)
    table.add_column("CAUSE")
    table.add_column("FAILURES", justify="right")
    table.add_column("SHARE", justify="right")
    table.add_column("")
    total = sum(shares.values())
    for cause, number in sorted(shares.items(), key=lambda each: (-each[1], each[0])):
        bar = "#" * max(1, round(_BAR * number / total))
        table.add_row(Text(shown(cause)), str(number), f"{100 * number / total:.0f} %", bar)
    return table


def incidents_table(incidents: Iterable[IncidentChanged], now: float) -> Table:
    """One row for each incident."""
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table(box=None, pad_edge=False, header_style="bold", show_edge=False)
    for title in ("SEVERITY", "STATE", "SINCE"):
        table.add_column(title, no_wrap=True)
    table.add_column("WHAT", overflow="fold")
    for each in incidents:
        where = f"{each.host}:{each.target}" if each.target else each.host or "the whole fleet"
        what = Text(shown(where)).append(f"\n{shown(each.summary)}", style="dim")
        if each.cause not in {"", "unknown"}:
            what.append(f" (cause: {shown(each.cause)})", style="dim")
        if each.covers:
            what.append(f"\nit covers {counted(len(each.covers), 'target')}", style="dim")
        severity = Text(each.severity, style=_SEVERITIES[each.severity])
        table.add_row(severity, state_of(each, now), clock_time(each.opened_at, now), what)
    return table


def state_of(incident: IncidentChanged, now: float) -> str:
    """How an incident stands, in a word or two."""
    if incident.change == "closed":
        return f"closed after {lasting(incident.at - incident.opened_at)}"
    if incident.healthy_since is not None:
        return f"well for {lasting(now - incident.healthy_since)}"
    return f"open {lasting(now - incident.opened_at)}"
