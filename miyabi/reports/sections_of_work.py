"""The sections about agents, resources, costs and what was worked on. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, floor

from miyabi.figures import Series
from miyabi.reports.document import Bar, Cell, Line, Section, Table, table_of
from miyabi.reports.phrasing import place, words
from miyabi.reports.report import Capacity, Report
from miyabi.words import counted, lasting


def agents(report: Report) -> Section | None:
    """For how long each agent was in which condition; None when there is none."""
    if not report.agents:
        return None
    rows: list[tuple[Cell, ...]] = []
    for each in report.agents:
        total = sum(each.seconds.values())
        times = [sum(each.seconds.get(name, 0.0) for name in names) for names in _CONDITIONS]
        times.append(max(0.0, total - sum(times)))
        share = times[0] / total if total > 0 else None
        cells = [lasting(seconds) if seconds else "-" for seconds in times]
        rows.append(
            (
                place(each.host, each.target),
                *cells,
                Bar(share, "" if share is None else f"{100 * share:.0f} %"),
            )
        )
    head = "agent|working|idle|waiting for a human|limited|down|else|share at work"
    return Section("agents", "Agents", ("As far as runs have looked.",), table=table_of(head, rows, range(1, 7)))


# What is told together of an agent's conditions; the rest is ``else``.
_CONDITIONS = (
    ("working",),
    ("idle",),
    ("permission", "trust", "login"),
    ("limited", "overloaded"),
    ("dead", "exited", "missing", "stalled"),
)


def capacity(report: Report) -> Section | None:
    """How full disks and memories were, and will be; None when nothing is known."""
    if not report.capacity:
        return None
    rows = [_room(each) for each in report.capacity]
    head = "host|what|min|mean|max|in this time|what is foretold"
    return Section("capacity", "Disk and memory", table=table_of(head, rows, (2, 3, 4)))


def _room(each: Capacity) -> tuple[Cell, ...]:
    told = "nothing foretold" if each.predicted is None else words(each.predicted.summary or each.predicted.outcome)
    limit = each.predicted.limit if each.predicted is not None else None
    what = "disk used" if each.measure == "disk_used" else "memory available"
    series = each.series
    if series is None or not sum(series.count):
        return words(each.host), what, "no data", "no data", "no data", Line(()), told
    mean = sum(value * count for value, count in zip(series.mean, series.count, strict=True)) / sum(series.count)
    line = _drawn(series, limit if each.predicted is not None and each.predicted.outcome == "crosses" else None)
    return words(each.host), what, f"{min(series.low):.0f} %", f"{mean:.0f} %", f"{max(series.high):.0f} %", line, told


def _drawn(series: Series, limit: float | None) -> Line:
    """How a measure went, on a scale that shows it."""
    shown = [*series.mean, *([] if limit is None else [limit])]
    low, high = 10 * floor((min(shown) - 5) / 10), 10 * ceil((max(shown) + 5) / 10)
    return Line(_with_gaps(series.at, series.mean, series.step), max(0, low), min(100, high), limit)


def _with_gaps(at: Sequence[float], values: Sequence[float], step: float) -> list[float | None]:
    first = at[0]
    found: list[float | None] = [None] * (round((at[-1] - first) / step) + 1)
    for moment, value in zip(at, values, strict=True):
        found[round((moment - first) / step)] = value
    return found


def costs(report: Report) -> Section | None:
    """What instances have cost, as far as is known; None when there is none."""
    if not report.costs:
        return None
    known = sum(each.cost or 0.0 for each in report.costs)
    unknown = [each for each in report.costs if each.cost is None and each.hours]
    rest = f", and that of {counted(len(unknown), 'instance')} whose price is not known" if unknown else ""
    said = f"{known:.2f} {report.currency}{rest}: hours in which an instance was reached, without volumes and traffic."
    rows = [
        (
            words(each.host),
            words(each.instance_id),
            words(each.instance_type) or "not known",
            f"{each.hours:g}",
            "not known" if each.price is None else f"{each.price:g}",
            "not known" if each.cost is None else f"{each.cost:.2f}",
        )
        for each in report.costs
    ]
    head = f"host|instance|type|hours|{report.currency} an hour|{report.currency}"
    return Section("costs", "What EC2 instances cost", (said,), table=table_of(head, rows, (3, 4, 5)))


def commits(report: Report) -> Section | None:
    """Who has committed how much; None when it was not asked."""
    made = report.commits
    if made is None:
        return None
    where = ", ".join(f"{words(name)} {number}" for name, number in made.by_repository.items())
    said = f"{counted(made.total, 'commit')}: {where}."
    if not made.by_agent:
        return Section("commits", "Commits", (said,))
    rows = [
        (words(agent), *(f"{counts.get(name, 0) or '-'}" for name in made.by_repository), f"{sum(counts.values())}")
        for agent, counts in made.by_agent.items()
    ]
    names = tuple(words(name, 40) for name in made.by_repository)
    table = table_of("", rows, range(1, len(names) + 2))
    head = ("who", *names, "all")
    return Section("commits", "Commits", (said,), table=Table(head, table.rows, table.right, table.left_out))


def work(report: Report) -> Section | None:
    """What was closed and merged on GitHub; None when it was not asked."""
    if report.work is None:
        return None
    said = tuple(
        f"{words(each.repository)}: {counted(len(each.closed), 'issue')} closed, "
        f"{counted(len(each.merged), 'pull request')} merged."
        for each in report.work
    )
    rows = [
        (words(each.repository), what, f"#{item.number}", words(item.title, 100), words(item.author))
        for each in report.work
        for what, items in (("merged", each.merged), ("closed", each.closed))
        for item in items
    ]
    table = table_of("repository|what|number|title|by", rows) if rows else None
    return Section("work", "Issues and pull requests", said, table=table)
