"""The state of a workspace's sessions as tables and lines for a terminal, and what was done about it. Pure.

rich is imported where a table is made: it is dear.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from miyabi.limits import size
from miyabi.masking import masked, shown
from miyabi.orchestration.error_text import left_out
from miyabi.orchestration.findings import Change
from miyabi.state_looked import Report
from miyabi.state_repair import Settled
from miyabi.words import age, counted, made

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

STYLES: Mapping[str, str] = {
    "healthy": "green",
    "corrupted": "bold red",
    "zombie": "bold red",
    "locked": "yellow",
    "large": "bold yellow",
    "stale": "dim",
    "unknown": "bold magenta",
}
_ORDER = tuple(STYLES)[1:]

# Below this many columns what is wrong stands under the session, and not beside it.
_WIDE = 90

# Healthy sessions that are listed one by one, issues of one session, and changes of one.
_HEALTHY, _ISSUES, _CHANGES = 20, 8, 40


def session_table(reports: Sequence[Report], now: float, width: int, *, is_all: bool = False) -> Table:
    """One row for each session, the sick ones first.

    + width: of the terminal, in columns
    + is_all: whether each healthy one is listed, however many there are
    """
    from rich.table import Table  # noqa: PLC0415 - see the module's docstring
    from rich.text import Text  # noqa: PLC0415

    is_wide = width >= _WIDE
    table = Table(box=None, pad_edge=False, header_style="bold", show_edge=False)
    table.add_column("SESSION", overflow="fold", ratio=None if is_wide else 1)
    if is_wide:
        for title in ("STATUS", "SIZE", "CHANGED"):
            table.add_column(title, no_wrap=True)
        table.add_column("WHAT", ratio=1, overflow="fold")
    for report in _listed(reports, is_all=is_all):
        status = Text(report["status"], style=STYLES.get(report["status"], ""))
        figures = (size(report["size"]), age(now - report["changed_at"]))
        name, what = Text(shown(report["name"])), _what(report)
        if is_wide:
            table.add_row(name, status, *figures, what)
        else:
            name.append("\n").append(status).append(f"  {'  '.join(figures)}")
            table.add_row(name.append("\n").append(what) if what.plain else name)
    return table


def _listed(reports: Sequence[Report], *, is_all: bool) -> list[Report]:
    sick = [each for each in reports if each["status"] != "healthy" or each["issues"]]
    healthy = [each for each in reports if each["status"] == "healthy" and not each["issues"]]
    sick.sort(key=lambda each: (_ORDER.index(each["status"]) if each["status"] in _ORDER else -1, each["name"]))
    return [*sick, *healthy[: None if is_all or len(healthy) <= _HEALTHY + 1 else _HEALTHY]]


def _what(report: Report) -> Text:
    from rich.text import Text  # noqa: PLC0415

    issues = report["issues"]
    lines = [_issue(each) for each in issues[:_ISSUES]]
    if more := left_out(len(issues) - _ISSUES, "issue"):
        lines.append(more)
    return Text("\n".join(lines), style="dim")


def _issue(issue: Mapping[str, Any]) -> str:
    path = f"{issue['path']}: " if issue["path"] and not issue["message"].startswith(issue["path"]) else ""
    told = "" if issue["repairable"] else " (a repair leaves it)"
    return shown(masked(f"{path}{issue['message']}{told}"))


def summed_up(reports: Sequence[Report], backups: int, now: float, newest: float | None) -> str:
    """How many sessions stand how, and what there is to go back to.

    + newest: when the newest backup was made
    """
    by_status = Counter(each["status"] for each in reports)
    each = ", ".join(f"{number} {status}" for status, number in by_status.most_common())
    bytes_of_all = size(sum(report["size"] for report in reports))
    kept = counted(backups, "backup") if backups else "no backup"
    old = "" if newest is None else f", the newest {made(now - newest)}"
    return f"{counted(len(reports), 'session')}, {bytes_of_all}{': ' if each else ''}{each}; {kept}{old}"


def settled_lines(settled: Settled, *, is_plan: bool) -> Iterator[str]:
    """What was done about a session, or with ``is_plan`` what would be.

    The first line says what it came to; the others are indented.
    """
    decision = settled.decision
    yield shown(f"{settled.name}: {_outcome(settled, is_plan=is_plan)}")
    for step in decision.steps:
        yield f"  {shown(masked(step))}"
    for change in decision.changes[:_CHANGES]:
        yield f"  {change_line(change)}"
    if more := left_out(len(decision.changes) - _CHANGES, "change"):
        yield f"  {more}"
    if decision.archived:
        kinds = Counter(each.kind for each in decision.archived)
        each = ", ".join(counted(number, kind) for kind, number in kinds.most_common())
        yield f"  {'goes' if is_plan else 'went'} into the archive: {shown(each)}"
    for missing in decision.missing:
        yield f"  ! {shown(masked(missing))}"


def change_line(change: Change) -> str:
    """A change in one line, safe for a terminal and without what looks like a secret."""
    path = f"{change.path}: " if change.path and not change.found.startswith(change.path) else ""
    return shown(masked(f"~ {path}{change.found} -> {change.did}"))


_METHODS: Mapping[str, str] = {
    "repair": "repaired in place",
    "replay": "rebuilt from the event log",
    "backup": "put back from a backup",
    "critical-data": "begun anew with the critical data that was left",
    "quarantine": "put into the quarantine, whole, for a human to look at",
    "reset": "put aside, whole",
    "clean": "cleaned up",
}


def _outcome(settled: Settled, *, is_plan: bool) -> str:
    how = _METHODS.get(settled.decision.method, settled.decision.method)
    if settled.outcome == "nothing":
        return "nothing to do"
    if settled.outcome in {"failed", "overtaken"}:
        return f"left as it is: {settled.reason}" if settled.outcome == "failed" else settled.reason
    if is_plan:
        return f"would be {how}"
    tries = f" at try {settled.tries}" if settled.tries > 1 else ""
    return f"{how}{tries}" + (f" ({settled.reason})" if settled.reason else "")


def settled_json(settled: Settled) -> dict[str, Any]:
    """The same as ``settled_lines``, with all changes; what was archived is named, and not shown."""
    decision = settled.decision
    return {
        "session": settled.name,
        "outcome": settled.outcome,
        "reason": settled.reason,
        "code": settled.code or None,
        "tries": settled.tries,
        "method": decision.method,
        "changes": [masked_change(each) for each in decision.changes],
        "archived": [
            {"kind": each.kind, "id": each.id, "path": each.path, "reason": each.reason} for each in decision.archived
        ],
        "missing": [masked(each) for each in decision.missing],
        "steps": [masked(each) for each in decision.steps],
    }


def masked_change(change: Change) -> dict[str, Any]:
    """A change in JSON, without what looks like a secret."""
    return {**change.to_json(), "found": masked(change.found), "did": masked(change.did)}


def settled_code(settled: Sequence[Settled], *, is_plan: bool) -> int:
    """The exit code of a command.

    Returns 0 when all is well, 2 when something is left (of a plan: to be done), 1 when something could not be done.
    """
    if any(each.outcome == "failed" for each in settled):
        return 1
    if is_plan:
        return 2 if any(each.outcome != "nothing" for each in settled) else 0
    return 2 if any(each.outcome in {"quarantined", "overtaken"} or each.decision.missing for each in settled) else 0
