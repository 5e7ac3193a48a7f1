"""What the charts are drawn from: numbers alone, as JSON in an attribute; the page's script draws them. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import inf, isfinite

from miyabi.dashboard.standing import key_of
from miyabi.figures import Chart, Overview

MEASURES = {"disk_used": "disk used", "memory_available": "memory available"}


@dataclass(frozen=True, slots=True)
class Drawn:
    """A chart as it is drawn.

    + key: names it in the page
    + title: what is measured
    + last: the newest value, in percent; None when there is none
    + numbers: JSON: ``at``, ``mean``, ``far`` (the highest, or the lowest, of what shrinks), ``limit``, ``shrinks``,
      ``crosses``, and the forecast's ``ahead``, ``value``, ``low``, ``high``
    """

    key: str
    chart: Chart
    title: str
    last: float | None
    numbers: str


def charts_of(overview: Overview) -> list[Drawn]:
    """All charts; those first that reach their limit soonest, then as the hosts come."""
    place = {each.host: number for number, each in enumerate(overview.hosts)}
    charts = sorted(
        (each for each in overview.charts if each.points or each.forecast),
        key=lambda each: (each.crosses_at or inf, place.get(each.host, len(place)), each.host, each.measure),
    )
    return [_drawn(each) for each in charts]


def _drawn(chart: Chart) -> Drawn:
    points = [each for each in chart.points if isfinite(each[0])]
    known = [each[1] for each in points if isfinite(each[1])]
    ahead = [each for each in chart.forecast if all(map(isfinite, each))]
    columns = {
        "at": _list(f"{each[0]:.0f}" for each in points),
        "mean": _list(_number(each[1]) for each in points),
        "far": _list(_number(each[2]) for each in points),
        "ahead": _list(f"{each[0]:.0f}" for each in ahead),
        "value": _list(_number(each[1]) for each in ahead),
        "low": _list(_number(each[2]) for each in ahead),
        "high": _list(_number(each[3]) for each in ahead),
        "limit": _number(chart.limit),
        "crosses": _number(chart.crosses_at),
        "shrinks": "true" if chart.measure == "memory_available" else "false",
    }
    told = ",".join(f'"{name}":{column}' for name, column in columns.items())
    key = key_of(f"{chart.measure} {chart.host}")
    title = MEASURES.get(chart.measure, chart.measure)
    return Drawn(key, chart, title, known[-1] if known else None, f"{{{told}}}")


# By hand, as there are tens of thousands of numbers, and json.dumps would take three times as long.
def _list(numbers: Iterable[str]) -> str:
    return f"[{','.join(numbers)}]"


def _number(value: float | None) -> str:
    return "null" if value is None or not isfinite(value) else f"{value:.1f}"
