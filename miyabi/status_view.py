"""The status of a fleet as a table for a terminal. Pure.

rich is imported where a table is made: it is dear.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from miyabi.gate import Decision
from miyabi.health import Found
from miyabi.host_status import DriftStatus, HostStatus, in_order
from miyabi.masking import shown
from miyabi.words import age, clock_time, counted

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

STYLES = {
    "healthy": "green",
    "drift": "bold yellow",
    "unknown": "bold magenta",
    "unreachable": "bold red",
    "asleep": "dim",
    "warning": "yellow",
}


# Below this many columns what the gate says stands under what is wrong, and not beside it.
_WIDE = 100

# A row without its host: since when, level, what, and what the gate says.
_Row = tuple[str, str, "Text", "Text | None"]


def status_table(statuses: Iterable[HostStatus], now: float, width: int) -> Table:
    """One row for each host, and one for each thing that is wrong with it.

    + width: of the terminal, in columns
    """
    from rich.table import Table  # noqa: PLC0415 - see the module's docstring
    from rich.text import Text  # noqa: PLC0415

    is_wide = width >= _WIDE
    table = Table(box=None, pad_edge=False, header_style="bold", show_edge=False)
    for title in ("HOST", "HEALTH", "SINCE", "LEVEL"):
        table.add_column(title, no_wrap=True)
    for title in ("WHAT", "THE GATE") if is_wide else ("WHAT",):
        table.add_column(title, ratio=1, overflow="fold")
    for status in in_order(statuses):
        for number, (since, level, what, gate) in enumerate(_rows(status, now)):
            host = Text(shown(status.host) if number == 0 else "", style="bold")
            health = Text(status.health if number == 0 else "", style=STYLES[status.health])
            if gate is not None and not is_wide:
                what = what.append("\n").append(gate)  # noqa: PLW2901 - the same, with more to say
            table.add_row(
                host, health, since, Text(level, style=STYLES.get(level, "")), what, *([gate] if is_wide else [])
            )
    return table


def _rows(status: HostStatus, now: float) -> list[_Row]:
    from rich.text import Text  # noqa: PLC0415

    rows: list[_Row] = [_drift_row(each, now) for each in status.drifts]
    rows += [("", each.kind, _what(each), None) for each in (*status.unknown, *status.warnings)]
    since = "" if status.since is None else age(now - status.since)
    reason = status.reason if status.health != "healthy" else ""
    return rows or [(since, "", Text(shown(reason), style="dim"), None)]


def _drift_row(drift: DriftStatus, now: float) -> _Row:
    what = _what(drift.found)
    if drift.cause not in {"unknown", ""}:
        what.append(f" (cause: {shown(drift.cause)})", style="dim")
    return age(now - drift.since), drift.level, what, gate_text(drift.decision, now)


def _what(found: Found) -> Text:
    from rich.text import Text  # noqa: PLC0415

    what = Text(shown(found.target))
    return what.append(f"{chr(10) * bool(found.target)}{shown(found.reason)}", style="dim")


def gate_text(decision: Decision, now: float) -> Text:
    """What the gate says, in a few words."""
    from rich.text import Text  # noqa: PLC0415

    if decision.allowed:
        return Text("may be repaired", style="green")
    until = "" if decision.again_at is None else f" until {clock_time(decision.again_at, now)}"
    return Text(f"held{until}: ", style="yellow").append(shown(decision.reason), style="dim")


def summed_up(statuses: Sequence[HostStatus], open_incidents: int) -> str:
    """The last line: how many hosts stand how, and how many drifts are held."""
    by_health = Counter(each.health for each in statuses)
    hosts = ", ".join(f"{number} {health}" for health, number in by_health.most_common())
    drifts = [drift for each in statuses for drift in each.drifts]
    parts = [f"{counted(len(statuses), 'host')}: {hosts}"]
    if drifts:
        held = sum(not each.decision.allowed for each in drifts)
        parts.append(f"{counted(len(drifts), 'drift')}, {held} held")
    if open_incidents:
        parts.append(f"{counted(open_incidents, 'incident')} open (miyabi incidents)")
    return "; ".join(parts)


def next_step(statuses: Sequence[HostStatus]) -> str:
    """What one would type next; "" when nothing is wrong."""
    wrong = [each for each in in_order(statuses) if each.health not in {"healthy", "asleep"}]
    if not wrong:
        return ""
    drifts = wrong[0].drifts
    target = f"{wrong[0].host}:{drifts[0].found.target}" if drifts else wrong[0].host
    quoted = f"'{target}'" if " " in target or "~" in target or "*" in target else target
    return f"why: miyabi explain {quoted}"
